"""Writes docs/COMPARISON.md and its pictures from the rows' results."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from sklearn.metrics import ConfusionMatrixDisplay

from service.card import Card, Measured
from service.model import Model
from training.studies.compare import results
from training.studies.compare.clips import Clip
from training.studies.compare.features import FEATURES
from training.studies.compare.results import Result
from training.studies.compare.rows import FEELINGS, GENRES, ROWS, SECTIONS, Row

PAGE = "COMPARISON.md"
SHIPPED = Path(__file__).parents[3] / "service" / "models" / "fifteen.onnx"
LEARNT = "## What was learnt"
UNWRITTEN = "Nobody has written this yet."
COLUMNS = 6  # of a grid of pictures
PICTURES = {
    "curves": "Loss by epoch, dashed on train, solid on validation; first seed, and of a row with "
    "several networks the last",
    "confusion": "Confusion by window, first seed; of each section the row on genres or feelings "
    "whose macro F1 is highest",
    "elbow": "Squared distances that are left by so many kinds of music, on train",
}
HEAD = """# Compared with every system it descends from

*Written by `python -m training compare CORPUS WORK`; run it again rather than edit. What stands
under the last heading is written by a person, and kept.*

The systems of five earlier works, rebuilt on one corpus and its split by artist. Every row learns
from the train side; networks stop by validation; test is for reporting. Networks here are small
and train for minutes, said as time of one processor. Mean ± spread over the seeds, if several.

* Accuracy and macro F1 are by 15 s window, Spearman's rank correlation is by recording.
* Valence and energy are proxies of the commonest origin of labels; danceability is a measurement.
* The dominant feeling is the one that most listeners ticked; songs whose first place is shared, and
  feelings too rare for five folds, are left out. Songs of an artist stay in one fold, which is
  stricter than keeping the windows of a song together; a row that only does the latter says so.
* The three kinds of music are nearest means of the attributes themselves, fitted on train: proxies,
  which those attributes can tell by construction. Spotify's own attributes are known of too few
  recordings, so attributes are measured.
* Embeddings are by this project's convolutional network, trained here on the train side, one for
  each 0.97 s; a model of the classical kind takes their mean over time. Those of the rows about
  feelings come from a training without any artist whom listeners voted on.
* The linear and the logarithmic spectrogram differ in their axis of frequency.
* Genres merge by the table `MERGED` of `training/studies/compare/labels.py`.
"""
ADDING = """## To add a row

Write it into `ROWS` of `training/studies/compare/rows.py`: section, features, model, task. A classifier of
scikit-learn's kind is named there and nothing else; a new feature is a function from windows to an
array in `training/studies/compare/features.py`, and a line in its `FEATURES`. The next run computes what is
missing, and leaves all else as it is.
"""

Done = Sequence[tuple[Row, Result]]
Draw = Callable[[Axes, Result], None]


def write_page(clips: Sequence[Clip], work: Path, docs: Path) -> Path:
    """Write the page and its pictures; what a person wrote under `LEARNT` stays.

    Parameters
    ----------
    clips : sequence of Clip
        Those that were compared on.
    work : Path
        With the results.
    docs : Path

    Returns
    -------
    page : Path
    """
    docs.mkdir(parents=True, exist_ok=True)
    found = [(row, results.read(row, work)) for row in ROWS]
    done = [(row, result) for row, result in found if result is not None]
    for name, picture in _pictures(done):
        picture.savefig(docs / f"comparison-{name}.png", dpi=70)
    page = docs / PAGE
    before = page.read_text() if page.exists() else ""
    learned = before.partition(LEARNT)[2].strip() or UNWRITTEN
    lines = _lines(done, Model(SHIPPED).card, clips)
    page.write_text("\n".join([HEAD, *lines, f"\n{LEARNT}\n\n{learned}\n"]))
    return page


def _lines(done: Done, shipped: Card, clips: Sequence[Clip]) -> Iterator[str]:
    """Yield the lines of the table, of what it needs said, and of the pictures."""
    head = ["features", "model", "asked", "accuracy", "macro F1, or Spearman", "training", "seeds"]
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for number, section in enumerate(SECTIONS, 1):
        yield f"| **{number}. {section}** |{' |' * (len(head) - 1)}"
        for row, result in done:
            if row.section == number:
                yield f"| {' | '.join(_cells(row, result))} |"
    yield f"| **What ships** |{' |' * (len(head) - 1)}"
    yield f"| {' | '.join(_shipped(shipped, clips))} |"
    yield ""
    for row, result in done:
        for note in result.notes:
            yield f"{', '.join(row.features)}, {row.name}: {note}.\n"
    for name, caption in PICTURES.items():
        yield f"![{caption}](comparison-{name}.png)\n\n*{caption}.*\n"
    yield "## Features\n"
    for name, feature in FEATURES.items():
        yield f"* `{name}`: {feature.about}."
    yield f"\n{ADDING.rstrip()}"


def _cells(row: Row, result: Result) -> list[str]:
    names = [" + ".join(row.features), row.name, row.task.name]
    if result.reason:
        return [*names, "", f"the corpus cannot carry it: {result.reason}", "", ""]
    scales = [f"{scale} {spread(values)}" for scale, values in result.spearman.items()]
    second = [*([spread(result.macro_f1)] if result.macro_f1 else []), *scales]
    seconds = float(np.mean(result.seconds))
    return [
        *names,
        spread(result.accuracy),
        "; ".join(second) or "see below",
        f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s",
        str(len(result.seconds)),
    ]


def spread(values: Sequence[float]) -> str:
    """Print a mean and a spread (n - 1) over seeds, as many as there are."""
    if not values:
        return ""
    mean = f"{np.mean(values):.2f}"
    return f"{mean} ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else mean


def _shipped(card: Card, clips: Sequence[Clip]) -> list[str]:
    """Return the row of the shipped model, whose figures hold for the corpus of its card alone."""
    names = ["log-mel", f"{card.name} {card.version}, as shipped"]
    counts = Counter((clip.genre, clip.subset) for clip in clips if clip.genre)
    said = Counter(
        {(genre, side): n for genre, sides in card.data.genres.items() for side, n in sides.items()}
    )
    if +counts != +said:
        return [*names, "genres", "", "its card was measured on another corpus", "", ""]
    measured = card.figures.test
    genre = measured.genre.window_accuracy, measured.genre.window_macro_f1
    accuracy, macro_f1 = (figure(each.mean, each.spread) for each in genre)
    asked = "genres; valence, energy, danceability"
    second = "; ".join([macro_f1, *_shipped_scales(measured)])
    return [*names, asked, accuracy, second, "", str(genre[0].seeds)]


def _shipped_scales(measured: Measured) -> Iterator[str]:
    """Yield the rank correlation of each scale with the labels of the origin that has most."""
    for scale in dict.fromkeys(each.emotion for each in measured.emotion):
        origins = [each for each in measured.emotion if each.emotion == scale]
        first = max(origins, key=lambda each: each.clips)
        yield f"{scale} {figure(first.spearman.mean, first.spearman.spread)}"


def figure(mean: float, deviation: float | None) -> str:
    """Print a figure of a card as `spread` prints those of rows."""
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def _pictures(done: Done) -> Iterator[tuple[str, Picture]]:
    """Yield each picture that there is something for."""
    learning = [(row, result) for row, result in done if result.history]
    bent = [(row, result) for row, result in done if result.elbow]
    best = list(_best(done))
    if learning:
        yield "curves", _grid(learning, _curve, 2.8)
    if best:
        yield "confusion", _grid(best, _confusion, 5, columns=2)
    if bent:
        yield "elbow", _grid(bent, _elbow, 4, columns=1)


def _best(done: Done) -> Iterator[tuple[Row, Result]]:
    """Yield, of each section, the best row on what people labelled, artists kept apart."""
    for number in range(1, len(SECTIONS) + 1):
        asked = [pair for pair in done if pair[0].task in (GENRES, FEELINGS)]
        measured = [pair for pair in asked if pair[0].section == number and pair[1].macro_f1]
        if measured:
            yield max(measured, key=lambda pair: float(np.mean(pair[1].macro_f1)))


def _grid(done: Done, draw: Draw, inches: float, columns: int = COLUMNS) -> Picture:
    """Draw one result beside the other."""
    n_rows = -(-len(done) // columns)
    picture = Picture(figsize=(inches * columns, 0.9 * inches * n_rows), layout="constrained")
    panels = picture.subplots(n_rows, columns, squeeze=False).ravel()
    for axes, (row, result) in zip(panels, done, strict=False):
        title = " + ".join(row.features), row.name, row.task.name
        axes.set_title("\n".join(title), fontsize=7)
        axes.tick_params(labelsize=7)
        draw(axes, result)
    for axes in panels[len(done) :]:
        axes.set_axis_off()
    return picture


def _curve(axes: Axes, result: Result) -> None:
    epochs = range(1, len(result.history) + 1)
    axes.plot(epochs, [epoch.train_loss for epoch in result.history], ".--")
    axes.plot(epochs, [epoch.valid_loss for epoch in result.history], ".-")


def _confusion(axes: Axes, result: Result) -> None:
    shown = ConfusionMatrixDisplay(np.array(result.confusion), display_labels=result.classes)
    shown.plot(ax=axes, xticks_rotation="vertical", cmap="Blues", colorbar=False)


def _elbow(axes: Axes, result: Result) -> None:
    axes.plot(range(1, len(result.elbow) + 1), result.elbow, "o-")
    axes.set(xlabel="kinds", ylabel="squared distance")
