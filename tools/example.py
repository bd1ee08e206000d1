"""``python -m tools.example``: write the documented answer again, after a change of the model.

The answer to ``tests/clip.m4a`` is in ``service/example.json``, which the OpenAPI document shows,
and in the README. The clip is nobody's music: ``python -m training synthesise house`` made it.
"""

import re
from pathlib import Path

from service.analysis import analyze, warm_up
from service.model import load_models
from service.settings import Settings

ROOT = Path(__file__).parent.parent
README_BLOCK = re.compile(r"```json\n.*?```", re.DOTALL)
SMALL = re.compile(r'\{\s+("(?:genre|low)": [^{}]*?)\s+\}')


def main() -> None:
    """Ask the shipped model, and write what it answers, each genre and range on one line."""
    models = load_models(Settings().models)
    warm_up(models)
    answer = analyze((ROOT / "tests/clip.m4a").read_bytes(), models[Settings().model])
    text = answer.model_dump_json(indent=2)
    text = SMALL.sub(lambda found: f"{{{' '.join(found[1].split())}}}", text)
    (ROOT / "service/example.json").write_text(f"{text}\n")
    readme = (ROOT / "README.md").read_text()
    block = f"```json\n{text}\n```"
    (ROOT / "README.md").write_text(README_BLOCK.sub(lambda _: block, readme))


if __name__ == "__main__":
    main()
