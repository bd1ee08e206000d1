"""What stands in each proxy of Ray Serve, so that senders see nothing of the engine.

* A request whose replica died before it began to answer is asked again: asking changes nothing.
* What the engine itself refuses is answered as a problem, like the application's own refusals.
* The request's id is in the answer once; the engine adds another.

``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=service.cluster.proxy:middlewares``, in the environment
of every node, puts it there. A proxy must start within seconds: this imports no decoder.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.middleware.headers import SECURITY
from service.web.problem import NOT_READY, OVERLOADED, REQUEST_ID, request_id_of, response_of

ATTEMPTS = 3
MOST_BYTES = 32 * 2**20  # of a body that are kept for another attempt; no more than may be sent


def middlewares() -> list[Middleware]:
    """Return what the engine is to put around its own proxy."""
    return [Middleware(Proxied)]


class Proxied:
    """Stands around what the engine's proxy does with a request.

    Parameters
    ----------
    app : ASGIApp
        The proxy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = dict(scope)
        headers = MutableHeaders(scope=scope)
        headers[REQUEST_ID] = request_id = request_id_of(headers)
        asked = _Asked(receive)
        for _ in range(ATTEMPTS):
            answered = _Answered(send, request_id)
            await self._app(dict(scope), asked.again(), answered)
            if answered.begun or asked.left:
                return
            if answered.refused is not None or asked.is_too_long:
                break
        refusal = _refusal(scope["path"], request_id, answered.refused)
        await refusal(scope, receive, send)


class _Asked:
    """What comes from the sender, kept to be read again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: list[Message] = []
        self._bytes = 0
        self.left = False

    @property
    def is_too_long(self) -> bool:
        """Whether it was not kept."""
        return self._bytes > MOST_BYTES

    def again(self) -> Receive:
        """Return a `receive` that begins at the beginning."""
        place = 0

        async def receive() -> Message:
            nonlocal place
            if place < len(self._kept):
                place += 1
                return self._kept[place - 1]
            message = await self._receive()
            self.left = message["type"] == "http.disconnect"
            self._bytes += len(message.get("body", b""))
            if self.is_too_long:
                self._kept.clear()
                place = 0
            elif not self.left:
                self._kept.append(message)
                place += 1
            return message

        return receive


class _Answered:
    """What goes to the sender, unless it is the engine's own refusal."""

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
    """Answer for the application: it was not asked, or died of it as often as it was."""
    if refused is None:
        problem = NOT_READY.problem("What answered you is gone; ask again in a second.", path)
    elif "retry-after" in refused:  # says the engine where a queue is full
        problem = OVERLOADED.problem("All replicas are busy; ask again later.", path)
    else:
        problem = NOT_READY.problem("The service is starting; ask again in a second.", path)
    retry_after = "1" if refused is None else refused.get("retry-after", "1")
    return response_of(problem, SECURITY | {REQUEST_ID: request_id, "Retry-After": retry_after})
