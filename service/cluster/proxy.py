"""Middleware for each proxy of Ray Serve, so that clients see nothing of the engine.

* A request whose replica died before it began to respond is retried: analysing changes nothing.
* A refusal by the engine becomes a problem document, like the application's own refusals.
* The response has the request's id once; the engine adds another.

``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=service.cluster.proxy:middlewares``, in the environment
of every node, installs it. ``FIFTEEN_MAX_UPLOAD_BYTES`` belongs there, too, if it is set: a proxy
stores a body of that size for a retry. A proxy must start within seconds: this loads no model.
"""

from pydantic_settings import CliApp
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.settings import Settings
from service.web.headers import REQUEST_ID, request_id_of
from service.web.problem import NOT_READY, OVERLOADED, response_of

ATTEMPTS = 3


def middlewares() -> list[Middleware]:
    """Return the middleware that the engine installs in its proxy."""
    settings = CliApp.run(Settings, cli_args=[])
    return [Middleware(RetryingProxy, max_bytes=settings.max_upload_bytes)]


class RetryingProxy:
    """Wraps the engine's proxy: retries requests, and rewrites the engine's refusals.

    Parameters
    ----------
    app : ASGIApp
        The engine's proxy.
    max_bytes : int
        Largest body to store for a retry.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = dict(scope)
        headers = MutableHeaders(scope=scope)
        headers[REQUEST_ID] = request_id = request_id_of(headers)
        body = _ReplayableBody(receive, self._max_bytes)
        for _ in range(ATTEMPTS):
            response = _ResponseFilter(send, request_id)
            await self._app(dict(scope), body.replay(), response)
            if response.begun or body.disconnected:
                return
            if response.refused is not None or body.is_too_long:
                break
        refusal = _refusal(scope["path"], request_id, response.refused)
        await refusal(scope, receive, send)


class _ReplayableBody:
    """The messages of a request, stored so that they can be received again."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._messages: list[Message] = []
        self._bytes = 0
        self.disconnected = False

    @property
    def is_too_long(self) -> bool:
        """Whether the body was too long to store."""
        return self._bytes > self._max_bytes

    def replay(self) -> Receive:
        """Return a `receive` that starts from the first message."""
        place = 0

        async def receive() -> Message:
            nonlocal place
            if place < len(self._messages):
                place += 1
                return self._messages[place - 1]
            message = await self._receive()
            self.disconnected = message["type"] == "http.disconnect"
            self._bytes += len(message.get("body", b""))
            if self.is_too_long:
                self._messages.clear()
                place = 0
            elif not self.disconnected:
                self._messages.append(message)
                place += 1
            return message

        return receive


class _ResponseFilter:
    """Passes a response on to the client, unless it is a refusal of the engine's own."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.begun = False
        self.refused: Headers | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            of_engine = len(headers.getlist(REQUEST_ID)) < 2  # the application adds one, too
            if of_engine and message["status"] == 503:
                self.refused = headers
            else:
                headers[REQUEST_ID] = self._request_id
                self.begun = True
        if self.begun:
            await self._send(message)


def _refusal(path: str, request_id: str, refused: Headers | None) -> Response:
    """Respond for the application, which did not get the request or died in every attempt."""
    if refused is None:
        problem = NOT_READY.problem("The replica stopped; try again in a second.", path)
    elif "retry-after" in refused:  # the engine sends it where a queue is full
        problem = OVERLOADED.problem("All replicas are busy; try again later.", path)
    else:
        problem = NOT_READY.problem("The service is starting; try again in a second.", path)
    retry_after = "1" if refused is None else refused.get("retry-after", "1")
    return response_of(problem, {REQUEST_ID: request_id, "Retry-After": retry_after})
