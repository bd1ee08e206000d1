"""Headers that every response has: security headers, and the request's id."""

import re
import uuid

from starlette.datastructures import Headers

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""From OWASP's REST cheat sheet; TLS, and with it HSTS, belongs to the reverse proxy."""

REQUEST_ID = "X-Request-ID"

_VALID_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)  # safe in a log


def request_id_of(headers: Headers) -> str:
    """Return the id in a request's headers if it is valid, or a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _VALID_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """Return a new request id."""
    return str(uuid.uuid4())
