"""What the service accepts over a WebSocket: the origin of its page, and the size of its messages.

A browser applies no CORS to a WebSocket: any page could open one, and only the service can refuse.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

LIVE_PATH = "/v1/live"  # the only address with a WebSocket
MAX_MESSAGE_BYTES = 2**20
MAX_FRAGMENTS = 4_096  # of a message; an empty one takes memory, too
ANY = "*"


class ForeignOriginError(RuntimeError):
    """The page that opens a WebSocket is of another origin, which the operator does not allow."""


class MessageError(ValueError):
    """A message is not one of the protocol, or not at its place. The message is for its sender."""


def check_origin(headers: Headers, allowed: Collection[str]) -> None:
    """Refuse the page of another origin.

    Programs send no Origin. A page of this host does, and the same Host.

    Parameters
    ----------
    headers : Headers
        Of the handshake.
    allowed : collection of str
        Other origins, or ``*`` for all.

    Raises
    ------
    ForeignOriginError
        If the page may not open a WebSocket.
    """
    origin = headers.get("origin")
    if origin is None or origin in allowed or ANY in allowed:
        return
    try:
        host = urlsplit(origin).netloc
    except ValueError:
        host = ""
    if not host or host != headers.get("host"):
        raise ForeignOriginError(
            "A page of another origin may not open a WebSocket here; the operator can allow its "
            "origin."
        )
