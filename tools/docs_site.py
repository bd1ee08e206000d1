"""``python -m tools.docs_site``: build the documentation site into ``build/site/html``.

The pages stay where they are in the repository, and so do their links: the site has the same
folders. ``docs/site.toml`` names its pages.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import fastapi_offline
from fastapi.openapi.docs import get_swagger_ui_html

from tools.openapi import FILE as OPENAPI

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "docs" / "site.toml"
REFERENCE = Path("docs/reference.html")
"""The page of the OpenAPI document; it is not in the repository."""
SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")


def entries(navigation: list | str) -> list[str]:
    """Return the paths in the navigation, in its order."""
    if isinstance(navigation, str):
        return [navigation]
    return [path for entry in navigation for each in entry.values() for path in entries(each)]


def pages() -> list[Path]:
    """Return the pages of the site, as paths in the repository."""
    project = tomllib.loads(CONFIG.read_text())["project"]
    return [Path(path) for path in entries(project["nav"]) if path.endswith(".md")]


def targets(page: Path) -> set[Path]:
    """Return the files that a page links to or shows, as paths in the repository."""
    text = (ROOT / page).read_text()
    links = re.findall(r"""\]\(([^)#\s]+)|\bsrc(?:set)?="([^"]+)""", text)
    local = [a or b for a, b in links if ":" not in a + b]
    return {Path(os.path.normpath(page.parent / link)) for link in local}


def copy(files: set[Path], folder: Path) -> None:
    """Copy files of the repository to the same places in a folder."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)


def write_reference(folder: Path) -> None:
    """Write the page of every address and schema, with all of its files."""
    for name in SWAGGER:
        shutil.copy(Path(fastapi_offline.__file__).parent / "static" / name, folder / "docs")
    page = get_swagger_ui_html(
        openapi_url=f"../{OPENAPI.name}",
        title="Fifteen",
        swagger_js_url=SWAGGER[0],
        swagger_css_url=SWAGGER[1],
        swagger_favicon_url=SWAGGER[2],
        # There is no service behind the site, and no validator elsewhere may be asked.
        swagger_ui_parameters={"supportedSubmitMethods": [], "validatorUrl": "none"},
    )
    text = bytes(page.body).decode().replace("<head>", '<head>\n    <meta charset="utf-8">', 1)
    (folder / REFERENCE).write_text(text)


def build(folder: Path) -> Path:
    """Build the site in a folder, which is emptied; return the folder of its files.

    Raises `subprocess.CalledProcessError` if a page or a heading that is linked to is missing.
    """
    shutil.rmtree(folder, ignore_errors=True)
    source, site = folder / "pages", folder / "html"
    shown = set(pages())
    linked = {Path(OPENAPI.name)}.union(*map(targets, shown))
    copy(shown | {file for file in linked if file.suffix != ".md"}, source)
    write_reference(source)
    shutil.copy(CONFIG, folder)
    command = ["build", "--strict", "--config-file", folder / CONFIG.name]
    subprocess.run([sys.executable, "-m", "zensical", *command], check=True)
    # Files of hidden folders are left out by the generator.
    copy({file for file in linked - shown if not (site / file).exists()}, site)
    return site


if __name__ == "__main__":
    print(build(ROOT / "build" / "site"))
