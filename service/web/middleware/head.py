"""HEAD requests, for every GET route."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Handles HEAD as GET, and drops the body of the response.

    Parameters
    ----------
    app : ASGIApp
        Handles GET only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)
