"""The mobile client: static files at the root, under a strict Content-Security-Policy.

Each file has a route of its own, so that other addresses keep their 404, 405 and metrics. FastAPI's
`app.frontend` would answer for all of them, and cannot set headers.
"""

import re
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[3] / "mobile_client" / "www"
PAGE = "index.html"
POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]+)"')


def install(app: FastAPI) -> None:
    """Serve the client's files at the root."""
    files = StaticFiles(directory=FOLDER)
    headers = _headers((FOLDER / PAGE).read_text())

    async def answer(request: Request) -> Response:
        path = request.scope["path"].removeprefix("/") or PAGE
        response = await files.get_response(path, request.scope)
        response.headers.update(headers)
        return response

    for file in sorted(FOLDER.rglob("*")):
        if file.is_file():
            address = f"/{file.relative_to(FOLDER).as_posix()}"
            app.add_route(address, answer, methods=["GET"], include_in_schema=False)
    app.add_route("/", answer, methods=["GET"], include_in_schema=False)


def _headers(page: str) -> dict[str, str]:
    """Return the files' headers: the page's own policy, and what only a header can set."""
    policy = POLICY.search(page)
    if policy is None:
        raise ValueError(f"{PAGE} has no Content-Security-Policy.")
    return {
        "Cache-Control": "no-cache",  # revalidated each time, mostly by a 304
        "Content-Security-Policy": f"{policy[1]}; frame-ancestors 'none'",
        "Permissions-Policy": "microphone=(self)",
    }
