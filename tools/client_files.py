"""``python -m tools.client_files``: update the parts of the client's files that follow from others.

The client has no build step, so the derived parts are committed: the page's list of modules and the
hashes of its inline style and script, the service worker's list of files and its version, and the
declarations that the client and other programs are written against.
"""

import base64
import hashlib
import re
from pathlib import Path

from service.app import create_app
from service.settings import Settings
from service.web.routes.frontend import FOLDER, PAGE
from tools.declarations import declarations
from tools.messages import schemas

WORKER = "service-worker.js"
NOT_PRELOADED = ("js/main.js",)
NOT_KEPT = (WORKER, "screenshots/")  # no page needs them
DECLARATIONS = FOLDER.parent / "fifteen.d.ts"


def page(text: str) -> str:
    """Return the page with its list of modules and, in its policy, the hashes of inline parts."""
    names = (name.removeprefix("js/").removesuffix(".js") for name in modules())
    text = re.sub(r'const MODULES = "[^"]*"', f'const MODULES = "{" ".join(names)}"', text)
    for kind in ("script", "style"):
        inline = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        text = re.sub(
            rf"{kind}-src 'self' 'sha256-[^']*'", f"{kind}-src 'self' 'sha256-{digest}'", text
        )
    return text


def modules(folder: Path = FOLDER) -> list[str]:
    """Return the name of every module but the first, which the page loads itself."""
    paths = (folder / "js").rglob("*.js")
    return sorted(
        name
        for name in (path.relative_to(folder).as_posix() for path in paths)
        if name not in NOT_PRELOADED
    )


def worker(text: str, folder: Path = FOLDER) -> str:
    """Return the service worker with its version and the files that the page does not list."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    kept = {path.relative_to(folder).as_posix(): path for path in paths}
    kept = {name: path for name, path in kept.items() if not name.startswith(NOT_KEPT)}
    digest = hashlib.sha256()
    for path in kept.values():
        digest.update(path.name.encode() + path.read_bytes())
    names = [name for name in kept if name not in modules(folder)]
    listed = "".join(f'\t"{"./" if name == PAGE else name}",\n' for name in names)
    text = re.sub(r'const VERSION = "[^"]*"', f'const VERSION = "{digest.hexdigest()[:12]}"', text)
    return re.sub(r"const FILES = \[[^\]]*\]", f"const FILES = [\n{listed}]", text)


def declared():
    """Return the declarations of the answers, and of the messages of a live connection."""
    document = create_app(Settings()).openapi()
    document["components"]["schemas"] |= schemas("#/components/schemas/{model}")
    return declarations(document)


DERIVED = {FOLDER / PAGE: page, FOLDER / WORKER: worker}
"""The files that are written, in this order: the page is in the worker's list."""


def main() -> None:
    """Write all derived parts."""
    for path, derive in DERIVED.items():
        path.write_text(derive(path.read_text()))
    DECLARATIONS.write_text(declared())


if __name__ == "__main__":
    main()
