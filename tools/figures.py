"""``python -m tools.figures``: write the README's figures, after a change of the model or its cost.

Accuracy comes from the card in the shipped model file. Cost and memory come from
docs/PERFORMANCE.md, which ``make benchmark`` writes.
"""

import re
from pathlib import Path
from textwrap import fill

from service.card import Card, Figure
from service.model import load_models
from service.settings import Settings

ROOT = Path(__file__).parent.parent
WIDTH = 105  # characters of a line in the pages
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- /figures -->)", re.DOTALL)

OUTSIDE = {
    "4": "Version 3 claimed accuracy 0.82 and macro F1 0.72. Outsiders found 0.69 and 0.63, on 201 "
    "clips by artists that the corpus does not have. They have not measured version 4 yet."
}
"""Measurements by others, by version of the model; no command here can repeat them."""


def figures() -> str:
    """Return the README's figures as Markdown, for the shipped model."""
    model = load_models(Settings().models)[Settings().model]
    path = Settings().models / f"{model.card.name}.onnx"
    page = (ROOT / "docs/PERFORMANCE.md").read_text()
    return markdown(model.card, path.stat().st_size, page)


def markdown(card: Card, size_bytes: int, performance: str) -> str:
    """Return a card's main figures as Markdown.

    Parameters
    ----------
    card : Card
    size_bytes : int
        Size of the model file.
    performance : str
        The text of docs/PERFORMANCE.md.
    """
    measured = card.figures.folds
    genre, tested = measured.genre, card.figures.test.genre
    (verdicts,) = [row for row in measured.verdicts if row.kind == "genres"]
    milliseconds = request_milliseconds(performance)
    version = _one(r"Version (\S+)\s+of the shipped", performance)
    cost = "" if version == card.version else f" (version {version})"
    ready = _one(r"(?:ready|idle)\b[^.|]*?\b(\d+) MB", performance)
    loaded = _one(r"^\|[^|]*memory[^|]*load[^|]*\| (\d+) MB", performance)
    rows = {
        "accuracy, whole recordings by artists whose labels no training used": _two(
            genre.clip_accuracy
        ),
        "macro F1, the same recordings": _two(genre.clip_macro_f1),
        "accuracy, the same recordings by a simulated phone": _two(genre.phone_accuracy),
        "accuracy and macro F1, the test recordings, on which no part of the model was trained": (
            f"{_two(tested.clip_accuracy)} and {_two(tested.clip_macro_f1)}"
        ),
        "accuracy where the verdict is `confident`": f"{verdicts.confident_accuracy:.2f} "
        f"({100 * verdicts.verdicts['confident']:.0f} % of the recordings)",
        f"processor time for a clip of 15 s, decoding and HTTP included{cost}": (
            f"{min(milliseconds):.0f} to {max(milliseconds):.0f} ms"
        ),
        f"memory of the process when ready, and under a load of such clips{cost}": (
            f"{ready} MB and {loaded} MB"
        ),
    }
    if mixed := re.search(r"^\|[^|]*mixed requests[^|]*\| (\d+) MB", performance, re.MULTILINE):
        rows[f"memory at rest{cost}, after recordings of up to ten minutes"] = f"{mixed[1]} MB"
    rows["model file"] = f"{size_bytes / 1e6:.1f} MB"
    weakest = min(genre.per_genre, key=lambda row: row.f1)
    caveats = (
        f"Measured on {verdicts.clips:,} recordings, in folds grouped by artist. The weakest genre "
        f"is {weakest.genre}: F1 {weakest.f1:.2f}, with {weakest.clips} recordings by "
        f"{weakest.artists} artists. **Expect less on your own music**: with other artists and "
        f"other sources, accuracy is lower. {OUTSIDE.get(card.version, '')}"
    )
    table = "".join(f"| {name} | {value} |\n" for name, value in rows.items())
    return (
        f"| figure | version {card.version} |\n| --- | --- |\n{table}\n"
        f"{fill(caveats, WIDTH, break_on_hyphens=False)}\n"
    )


def request_milliseconds(performance: str) -> list[float]:
    """Return the processor time of one request for each format, from docs/PERFORMANCE.md."""
    table = _one(r"^(\| format \|.*?)(?:\n\n|\Z)", performance)
    head, _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return [float(row[head.index("request")]) for row in rows]


def _two(figure: Figure) -> str:
    return f"{figure.mean:.2f}"


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"docs/PERFORMANCE.md has nothing like {pattern}")
    return found[1]


def main() -> None:
    """Write the figures into the README."""
    path = ROOT / "README.md"
    path.write_text(BLOCK.sub(lambda _: figures(), path.read_text()))


if __name__ == "__main__":
    main()
