"""The mobile client: static files at the root, under a strict Content-Security-Policy.

Below ``/device/`` there are the files that `tools.device` writes, where the operator has them: with
them the client answers by itself. Their worker, and nothing else, may compile WebAssembly.

Each file has a route of its own, so that other addresses keep their 404, 405 and metrics. FastAPI's
`app.frontend` would answer for all of them, and cannot set headers.
"""

import mimetypes
import re
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[3] / "mobile_client" / "www"
PAGE = "index.html"
DEVICE_WORKER = "worker.js"
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
    "frame-ancestors 'none'"
)
"""A worker has a policy of its own: that of the page does not apply to it."""
mimetypes.add_type("image/webp", ".webp")  # Python before 3.13 does not know it by itself
POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]+)"')


def install(app: FastAPI, device: Path | None) -> None:
    """Serve the client's files at the root and, if there is one, the folder of `tools.device`."""
    headers = _headers((FOLDER / PAGE).read_text())
    _serve(app, FOLDER, "/", lambda _: headers)
    if device:
        worker = headers | {"Content-Security-Policy": WORKER_POLICY}
        _serve(app, device, "/device/", lambda name: worker if name == DEVICE_WORKER else headers)


def _serve(app: FastAPI, folder: Path, root: str, headers: Callable[[str], dict[str, str]]) -> None:
    """Serve the files of a folder below an address, each with its headers."""
    files = StaticFiles(directory=folder)

    async def answer(request: Request) -> Response:
        name = request.scope["path"].removeprefix(root) or PAGE
        response = await files.get_response(name, request.scope)
        response.headers.update(headers(name))
        return response

    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    for name in sorted(names):
        app.add_route(f"{root}{name}", answer, methods=["GET"], include_in_schema=False)
        if name == PAGE:
            app.add_route(root, answer, methods=["GET"], include_in_schema=False)


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
