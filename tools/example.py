"""``python -m tools.example``: update the documented answer after a change of the model.

The answer to ``tests/clip.m4a`` is in ``service/example.json``, which the OpenAPI document shows,
and in docs/API.md. The README shows the members of it that are single values. The clip is free of
other people's rights: it is synthetic house, of `training.synthesis.dance`.
"""

import json
import re
from pathlib import Path
from typing import Any

from service.analysis import analyze, warm_up
from service.model import load_models
from service.settings import Settings

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```json\n.*?```", re.DOTALL)
SMALL = re.compile(r'\{\s+("(?:genre|low)": [^{}]*?)\s+\}')


def shortened(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the members of an answer that are single values, for the README."""
    return {name: value for name, value in answer.items() if isinstance(value, (str, float))}


def main() -> None:
    """Run the shipped model and write its answer; each genre and range is on one line."""
    models = load_models(Settings().models)
    warm_up(models)
    answer = analyze((ROOT / "tests/clip.m4a").read_bytes(), models[Settings().model])
    text = answer.model_dump_json(indent=2)
    text = SMALL.sub(lambda found: f"{{{' '.join(found[1].split())}}}", text)
    (ROOT / "service/example.json").write_text(f"{text}\n")
    _write_block(ROOT / "docs/API.md", text)
    _write_block(ROOT / "README.md", json.dumps(shortened(json.loads(text)), indent=2))


def _write_block(path: Path, text: str) -> None:
    """Replace the first JSON example of a page."""
    block = f"```json\n{text}\n```"
    path.write_text(BLOCK.sub(lambda _: block, path.read_text(), count=1))


if __name__ == "__main__":
    main()
