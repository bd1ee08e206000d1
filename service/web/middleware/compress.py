"""Compression of responses with gzip, where the client accepts it.

Answers to requests with a key are compressed, too: `docs/SECURITY.md` says why this is safe.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES = 500  # a smaller response fits into one packet anyway
LEVEL = 6  # of the web app, 9 saves 37 bytes more


class Compress:
    """Compresses responses, and keeps their validators correct.

    A compressed response has a weak ETag, because the same tag also names the plain one.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_correct(message: Message) -> None:
            if message["type"] == "http.response.start":
                _correct(message["status"], MutableHeaders(scope=message))
            await send(message)

        responder: IdentityResponder
        if _accepts_gzip(Headers(scope=scope)):
            responder = GZipResponder(self._app, MIN_BYTES, LEVEL)
        else:
            responder = IdentityResponder(self._app, MIN_BYTES)
        await responder(scope, receive, send_correct)


def _correct(status: int, headers: MutableHeaders) -> None:
    """Weaken the tag of a compressed response; a 304 varies as the whole response would."""
    tag = headers.get("ETag", "")
    if "Content-Encoding" in headers and tag.startswith('"'):
        headers["ETag"] = f"W/{tag}"
    if status == 304:
        headers.add_vary_header("Accept-Encoding")


def _accepts_gzip(headers: Headers) -> bool:
    """Return whether ``Accept-Encoding`` allows gzip (RFC 9110, 12.5.3)."""
    weights = {}
    for each in ",".join(headers.getlist("Accept-Encoding")).split(","):
        coding, _, parameter = each.partition(";")
        weights[coding.strip().lower()] = parameter.replace(" ", "").lower()
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return weight.removeprefix("q=").strip("0.") != "" or weight == ""
