"""``python -m tools.site FOLDER``: write the web app for a static host, without any service.

The host may serve it below any path, over TLS. The page answers on the visitor's device, with the
files of `tools.device`; its texts say so. The service's own copy of the web app has no such parts.
"""

import argparse
import json
import re
import shutil
from pathlib import Path

from service.loading import load_served
from service.schemas import ModelCard
from service.settings import Settings
from service.web.routes.frontend import FOLDER, PAGE
from tools import client_files, device

FIRST = '<script type="module" src="js/main.js">'
STARTS = '<script type="module" src="device/site.js"></script>\n'


def build(folder: Path, package: Path, settings: Settings) -> dict:
    """Write the site; return the numbers of its part that answers."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(FOLDER, folder)
    texts = json.loads((device.MODULES / "texts.json").read_text())
    page = folder / PAGE
    english = re.findall(r'data-text="([\w.-]+)"', page.read_text())  # which the page itself has
    for path in (folder / "messages").iterdir():
        elsewhere = english if path.stem == "en" else []
        own = {key: text for key, text in texts[path.stem]["site"].items() if key not in elsewhere}
        path.write_text(_renamed(path.read_text(), own))
    page.write_text(_page(page.read_text(), texts["en"]["site"]))
    worker = folder / client_files.WORKER
    worker.write_text(client_files.worker(worker.read_text(), folder))
    model = load_served(settings)[settings.model]
    card = folder / "v1" / "models" / model.card.name  # the page explains genres with it
    card.parent.mkdir(parents=True)
    card.write_text(ModelCard(**model.card.model_dump(), digest=model.digest).model_dump_json())
    return device.build(folder / "device", package, settings, alone=True)


def _renamed(messages: str, texts: dict[str, str]) -> str:
    """Return the texts of a language with those that speak of no service."""
    for key, text in texts.items():
        *group, name = key.split(".")
        before = rf"^{group[0]}:.*\n(?:\t.*\n)*?\t" if group else "^"
        line = re.compile(rf"({before}{name}: ).*$", re.MULTILINE)
        messages, count = line.subn(lambda found, text=text: found[1] + text, messages)
        if count != 1:
            raise ValueError(f"{key} is not one text of the web app.")
    return messages


def _page(text: str, texts: dict[str, str]) -> str:
    """Return the page, which starts the part that answers before the rest."""
    text = text.replace(FIRST, STARTS + FIRST)
    for key, words in texts.items():
        text = re.sub(rf'(data-text="{re.escape(key)}"[^>]*>)[^<]*', rf"\g<1>{words}", text)
    return text


def main() -> None:
    """Write the site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to write; its content is replaced")
    arguments = parser.parse_args()
    found = build(arguments.folder, device.fetch(), Settings())
    size = device.download_bytes(found)
    print(f"{arguments.folder}: {size / 1e6:.1f} MB to download for the first answer")


if __name__ == "__main__":
    main()
