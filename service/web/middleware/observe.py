"""Request ids, the access log and the metrics of every request."""

import logging
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.headers import REQUEST_ID, request_id_of
from service.web.metrics import Metrics
from service.web.sockets import LIVE_PATH

logger = logging.getLogger("service.access")

METHODS = {"http": None, "websocket": "WEBSOCKET"}
"""What is logged in place of the method, by the type of a connection."""
COUNTED = {"DELETE", "GET", "HEAD", "OPTIONS", "POST", *METHODS.values()}
"""Methods with counters of their own: a client can send any name, and a counter stays forever."""
STARTS = ("http.response.start", "websocket.http.response.start", "websocket.accept")


class Observe:
    """Gives each request an id, logs it after its response, and counts it.

    Routes and error handlers add members of the log line to ``request.state.seen``, a dict.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "websocket" and scope["path"] != LIVE_PATH:
            await send({"type": "websocket.close"})  # other routes would take it for a request
            return
        if scope["type"] not in METHODS:
            await self._app(scope, receive, send)
            return
        status = 101 if scope["type"] == "websocket" else 500
        seen: dict[str, Any] = {
            "request_id": request_id_of(Headers(scope=scope)),
            "status": status,
        }
        scope.setdefault("state", {})["seen"] = seen

        async def send_with_id(message: Message) -> None:
            if message["type"] in STARTS:
                seen["status"] = message.get("status", status)
                MutableHeaders(scope=message)[REQUEST_ID] = seen["request_id"]
            await send(message)

        started = perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                self._record(scope, seen, perf_counter() - started)

    def _record(self, scope: Scope, seen: dict[str, Any], seconds: float) -> None:
        """Log and count a request after its response."""
        route = getattr(scope.get("route"), "path", "none")
        method = METHODS[scope["type"]] or scope["method"]
        counted = method if route != "none" and method in COUNTED else "any"
        self._metrics.requests.labels(counted, route, seen["status"]).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        client = scope.get("client")
        members = {
            "method": method,
            "path": scope["path"],
            "client": client[0] if client else None,
            "milliseconds": round(1_000 * seconds, 2),
            **seen,
        }
        logger.info("%s %s %d", method, ascii(scope["path"]), seen["status"], extra=members)
