"""``python -m tools.openapi``: update ``openapi.json`` after a change of the interface."""

import json
from pathlib import Path

from service.app import create_app
from service.settings import Settings

FILE = Path(__file__).parent.parent / "openapi.json"


def document() -> str:
    """Return the OpenAPI document in the repository's format."""
    return json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(document())
