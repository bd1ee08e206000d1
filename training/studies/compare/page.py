"""Writes docs/COMPARISON.md and its pictures from the results of the rows."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from sklearn.metrics import ConfusionMatrixDisplay

from service.card import Card, Measured
from service.model import Model
from training.data.corpus import SPOTIFY
from training.studies.compare import results
from training.studies.compare.clips import Clip
from training.studies.compare.elsewhere import ELSEWHERE
from training.studies.compare.features import FEATURES
from training.studies.compare.results import Result
from training.studies.compare.rows import FEELINGS, GENRES, ROWS, SECTIONS, Row

PAGE = "COMPARISON.md"
SHIPPED = Path(__file__).parents[3] / "service" / "models" / "fifteen.onnx"
CONCLUSIONS = "## Results"
UNWRITTEN = "Not written yet."
COLUMNS = 6  # of a grid of pictures
PICTURES = {
    "curves": "Loss by epoch, dashed on train, solid on validation; first seed, and the last "
    "network of rows that have several",
    "confusion": "Confusion by window, first seed; for each section the row on genres or feelings "
    "whose macro F1 is highest",
    "elbow": "Sum of squared distances to the nearest cluster, by number of clusters, on train",
}
HEAD = """# Compared with the systems that preceded it

*Written by `python -m training compare CORPUS WORK --teachers TEACHERS`; run it again rather than
edit. The text under the last heading is written by a person, and is preserved.*

The systems of five earlier works, rebuilt on one corpus and its split by artist, beside networks
that were trained elsewhere. Every row is trained on train; networks stop early by their validation
loss; test is for reporting. The networks are small and train for minutes; the table has the time of
one processor. Mean ± spread over the seeds, if there are several.

* Accuracy and macro F1 are by 15 s window, Spearman's rank correlation is by recording.
* Valence, energy and danceability are Spotify's own values, which a fifth of the recordings have.
* The dominant feeling is the one that most listeners chose; songs with two dominant feelings, and
  feelings too rare for five folds, are left out. All songs of an artist are in the same fold, which
  is stricter than the same for the windows of a song; the rows with only the latter are marked.
* The three kinds of music are k-means clusters of the attributes, fitted on train: proxies, which
  those attributes determine by construction. Spotify's other attributes are not known, so
  attributes are measured.
* Embeddings are features of this project's convolutional network, trained here on train, one for
  each 0.97 s; classical models take their mean over time. For the rows about feelings, the network
  was trained without the artists that listeners voted on.
* Networks trained elsewhere may have heard recordings of test, under other labels.
* The linear and the logarithmic spectrogram differ in their frequency axis.
* Genres are merged by the table `MERGED` of `training/studies/compare/labels.py`.
"""
ADDING = """## To add a row

Add it to `ROWS` of `training/studies/compare/rows.py`: section, features, model, task. A classifier
with scikit-learn's interface needs nothing else. A new feature is a function from windows to an
array in `training/studies/compare/features.py`, and a line in its `FEATURES`. The next run computes
what is missing, and changes nothing else.

The rows of section 6 need `--teachers`: a folder with the weights of mn04, `mn04_as_mAP_432.pt` of
EfficientAT, and with outputs of VibeNet, a file as [TRAINING](TRAINING.md) describes it.
"""

Done = Sequence[tuple[Row, Result]]
Draw = Callable[[Axes, Result], None]


def write_page(clips: Sequence[Clip], work: Path, docs: Path) -> Path:
    """Write the page and its pictures; the text under `CONCLUSIONS` is preserved.

    Parameters
    ----------
    clips : sequence of Clip
        The clips of the comparison.
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
    learned = before.partition(CONCLUSIONS)[2].strip() or UNWRITTEN
    lines = _lines(done, Model(SHIPPED).card, clips)
    page.write_text("\n".join([HEAD, *lines, f"\n{CONCLUSIONS}\n\n{learned}\n"]))
    return page


def _lines(done: Done, shipped: Card, clips: Sequence[Clip]) -> Iterator[str]:
    """Yield the parts of the page: table, notes, pictures, features."""
    head = ["features", "model", "task", "accuracy", "macro F1, or Spearman", "training", "seeds"]
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for number, section in enumerate(SECTIONS, 1):
        yield f"| **{number}. {section}** |{' |' * (len(head) - 1)}"
        for row, result in done:
            if row.section == number:
                yield f"| {' | '.join(_cells(row, result))} |"
    yield f"| **The shipped model** |{' |' * (len(head) - 1)}"
    yield f"| {' | '.join(shipped_row(shipped, clips))} |"
    yield ""
    for row, result in done:
        for note in result.notes:
            yield f"{', '.join(row.features)}, {row.name}: {note}.\n"
    for name, caption in PICTURES.items():
        yield f"![{caption}](comparison-{name}.png)\n\n*{caption}.*\n"
    yield "## Features\n"
    about = {name: feature.about for name, feature in FEATURES.items()}
    for name, text in (about | ELSEWHERE).items():
        yield f"* `{name}`: {text}."
    yield f"\n{ADDING.rstrip()}"


def _cells(row: Row, result: Result) -> list[str]:
    names = [" + ".join(row.features), row.name, row.task.name]
    if result.reason:
        return [*names, "", f"not measured: {result.reason}", "", ""]
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
    """Return mean and spread (n - 1) over seeds as text."""
    if not values:
        return ""
    mean = f"{np.mean(values):.2f}"
    return f"{mean} ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else mean


def shipped_row(card: Card, clips: Sequence[Clip]) -> list[str]:
    """Return the row of the shipped model, which is valid only for the corpus of its card."""
    names = ["log-mel", f"{card.name} {card.version}, as shipped"]
    counts = Counter((clip.genre, clip.subset) for clip in clips if clip.genre)
    on_card = Counter(
        {(genre, side): n for genre, sides in card.data.genres.items() for side, n in sides.items()}
    )
    if +counts != +on_card:
        return [*names, "genres", "", "its card was measured on another corpus", "", ""]
    measured = card.figures.test
    genre = measured.genre.window_accuracy, measured.genre.window_macro_f1
    accuracy, macro_f1 = (figure(each.mean, each.spread) for each in genre)
    task = "genres; valence, energy, danceability"
    second = "; ".join([macro_f1, *_shipped_scales(measured)])
    return [*names, task, accuracy, second, "", str(genre[0].seeds)]


def _shipped_scales(measured: Measured) -> Iterator[str]:
    """Yield the rank correlation of each scale with Spotify's values."""
    for each in measured.emotion:
        if each.origin == SPOTIFY:
            yield f"{each.emotion} {figure(each.spearman.mean, each.spearman.spread)}"


def figure(mean: float, deviation: float | None) -> str:
    """Return a figure of a card as text, like `spread`."""
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def _pictures(done: Done) -> Iterator[tuple[str, Picture]]:
    """Yield each picture that has data."""
    learning = [(row, result) for row, result in done if result.history]
    bent = [(row, result) for row, result in done if result.elbow]
    best = list(best_rows(done))
    if learning:
        yield "curves", _grid(learning, _curve, 2.8)
    if best:
        yield "confusion", _grid(best, _confusion, 5, columns=2)
    if bent:
        yield "elbow", _grid(bent, _elbow, 4, columns=1)


def best_rows(done: Done) -> Iterator[tuple[Row, Result]]:
    """Yield the best row of each section on genres or feelings with separate artists."""
    for number in range(1, len(SECTIONS) + 1):
        labelled = [pair for pair in done if pair[0].task in (GENRES, FEELINGS)]
        measured = [pair for pair in labelled if pair[0].section == number and pair[1].macro_f1]
        if measured:
            yield max(measured, key=lambda pair: float(np.mean(pair[1].macro_f1)))


def _grid(done: Done, draw: Draw, inches: float, columns: int = COLUMNS) -> Picture:
    """Draw one panel per result."""
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
