"""Writes the card of a model as a Markdown page with pictures."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from service.card import Card, Emotion, Figure, Figures, Measured
from service.model import Model
from service.verdict import VERDICTS
from training.data import splits
from training.data.corpus import SUBSETS
from training.data.dataset import Dataset
from training.evaluation.evaluate import (
    Evaluation,
    SourceRow,
    read_evaluation,
    trained_folds,
)
from training.evaluation.held_out import predict_held_out
from training.fit.feature_cache import FeatureCache
from training.fit.run import STUDENT_FILE, load, run_folder
from training.markdown import table
from training.release import pictures

CAPTIONS = {
    "confusion": "Confusion, held-out recordings, one seed",
    "reliability": "Reliability, held-out recordings, one seed: how often the top genre is right, "
    "by its probability; the bars below count the recordings",
    "attention": "Where the network looks: covering the red patches lowers the probability of the "
    "predicted genre most. The first test recording of each genre",
}


def report(dataset: Dataset, runs: Path, model: Path) -> Path:
    """Write ``{name}.md`` and ``{name}-{picture}.png`` beside a model.

    Parameters
    ----------
    dataset : Dataset
    runs : Path
        Evaluated by `training.evaluation.evaluate`.
    model : Path
        Exported from these runs.

    Returns
    -------
    path : Path
        The page.

    Raises
    ------
    RunMismatchError
        If the runs are not those that were evaluated.
    """
    card = Model(model).card
    evaluation = read_evaluation(runs)
    fixed = splits.fixed_split(dataset)
    network, config, _ = load(dataset, run_folder(runs, fixed, card.network.seed))
    measured = trained_folds(dataset, runs) or [fixed]
    cache = FeatureCache(dataset, runs / STUDENT_FILE, config.head.copies, runs)
    held_out = predict_held_out(dataset, cache, runs, measured, card.network.seed)
    drawn = {
        "confusion": pictures.confusion(dataset, held_out.clips),
        "reliability": pictures.reliability(dataset, held_out.clips),
        "attention": pictures.attention(dataset, network, fixed.test),
    }
    files = {name: f"{card.name}-{name}.png" for name in CAPTIONS}
    for name, picture in drawn.items():
        picture.savefig(model.with_name(files[name]), dpi=80)
    page = model.with_suffix(".md")
    captions = [(caption, files[name]) for name, caption in CAPTIONS.items()]
    page.write_text(card_page(card, captions, evaluation), encoding="utf-8")
    return page


def card_page(card: Card, captions: Iterable[tuple[str, str]], evaluation: Evaluation) -> str:
    """Return the page of a card.

    Parameters
    ----------
    card : Card
    captions : iterable of (str, str)
        Caption and file name of each picture.
    evaluation : Evaluation
    """
    sections = [
        f"# {card.name}, version {card.version}",
        "Written by `python -m training report` from measurements; the same card is in the ONNX\n"
        f"file and at `/v1/models/{card.name}`.",
        card.description,
        f"Weights: {card.licence}. {card.data.terms}",
        *_network(card),
        *_data(card),
        *_folds(card.figures),
        *_sources(evaluation.sources),
        *_medians(evaluation.medians),
        "## Measured on the fixed test recordings",
        "By this model, and by others of the same training from other seeds.",
        measured_tables(card.figures.test),
        *_neighbours(card.figures),
        *_fidelity(card.figures),
        *_chosen(card),
        *(f"![{caption}]({name})\n\n{caption}." for caption, name in captions),
        "## Limits",
        "\n".join(f"- {limit}" for limit in card.limits),
    ]
    return "\n\n".join(sections) + "\n"


def _network(card: Card) -> list[str]:
    network = card.network
    options = ", ".join(f"{name} {value}" for name, value in network.config.items())
    return [
        "## Network",
        f"`{network.name}`: {network.members} members, {network.parameters:,} parameters; seed\n"
        f"{network.seed}. Trained by `{network.command}`, with\n{options}.",
    ]


def _data(card: Card) -> list[str]:
    data = card.data
    counts = [
        *([name, *counts.values()] for name, counts in data.genres.items()),
        ["all, with and without a genre", *data.tracks.values()],
        ["15 s windows", *data.windows.values()],
    ]
    synthetic = ", ".join(f"{count} of {name}" for name, count in data.made.items())
    return [
        "## Data",
        data.description,
        data.split,
        table(["recordings", *SUBSETS], counts),
        f"Synthetic tracks: {synthetic}. Synthetic music is for training only; it is not in the "
        "table.",
    ]


def _folds(figures: Figures) -> list[str]:
    if figures.folds == figures.test:  # the cross-validation was not trained
        return []
    return [
        "## Measured over folds grouped by artist",
        "Every recording is predicted once, by a model that was trained on the other folds in the\n"
        "same way as this one. The student that all folds share was trained on the audio of these\n"
        "recordings, without their labels; it was not trained on those of the test below.",
        measured_tables(figures.folds),
    ]


def _neighbours(figures: Figures) -> list[str]:
    """Return the table of the embedding."""
    if not figures.neighbours:
        return []
    rows = [
        [
            row.vectors,
            row.recordings,
            row.clips,
            f"{row.nearest_genre:.3f}",
            f"{row.genre_precision:.3f}",
            "" if row.artist_precision is None else f"{row.artist_precision:.3f}",
        ]
        for row in figures.neighbours
    ]
    return [
        "## Embedding",
        "The nearest recordings by cosine, among recordings with a genre. For genre, only\n"
        "recordings of other artists count; precision at 10 is the share of the ten nearest. The\n"
        "network learned from no label, and heard nothing of the recordings in test. MFCC means\n"
        "are what a program has without learning; chance is a random order.",
        table(
            [
                "vectors",
                "among",
                "recordings",
                "nearest has the same genre",
                "precision at 10, genre",
                "precision at 10, artist",
            ],
            rows,
        ),
    ]


def _fidelity(figures: Figures) -> list[str]:
    """Return the table of the audio-features that another network taught."""
    if not figures.features:
        return []
    rows = [
        [row.feature, row.clips, f"{row.spearman:.3f}", f"{row.absolute_error:.3f}"]
        for row in figures.features
    ]
    return [
        "## Fidelity to the teacher",
        "Nobody measured true values of these audio-features. Another network taught them; the\n"
        "table compares this one with it on the test recordings. It does not say how right they\n"
        "are.",
        table(["audio-feature", "recordings", "Spearman", "absolute difference"], rows),
    ]


def _chosen(card: Card) -> list[str]:
    """Return the tables of the values that were chosen on validation."""
    thresholds = [[name, f"{value:.3f}"] for name, value in card.thresholds]
    widths = [[name, f"± {width:.3f}"] for name, width in card.intervals.items()]
    return [
        "## Chosen on validation",
        table(["threshold of the verdict", "value"], thresholds),
        table(["80 % interval", "width"], widths),
    ]


def _sources(sources: Sequence[SourceRow]) -> list[str]:
    if not sources:
        return []
    rows = [
        [
            row.source,
            row.clips,
            *(f"{each.accuracy:.3f}" for each in (row.in_training, row.left_out)),
            *(f"{each.macro_f1:.3f}" for each in (row.in_training, row.left_out)),
            f"{row.left_out.calibration_error:.3f}",
            f"{row.left_out.calibration_by_chance:.3f}",
            "" if row.left_out.coverage is None else f"{row.left_out.coverage:.3f}",
        ]
        for row in sources
    ]
    return [
        "### Across sources",
        "Bandwidth and sound depend on the source of a recording in this corpus. A model that\n"
        "recognises the source instead of the genre fails on a source that is not in its training\n"
        "data. Whole recordings of one source, with the source in the training of the heads and\n"
        "without it; macro F1 over the genres that the source has. A calibration error is a sum\n"
        "of absolute values, so exactly right probabilities have one, too, by chance: the fewer\n"
        "recordings, the larger it is. *Together* are the recordings of all these sources, each\n"
        "predicted without its own source:",
        table(
            [
                "source",
                "recordings",
                "accuracy",
                "without it",
                "macro F1",
                "without it",
                "calibration error without it",
                "by chance",
                "in the 80 % intervals without it",
            ],
            rows,
        ),
    ]


def _medians(medians: dict[str, dict[Emotion, float]]) -> list[str]:
    """Return the table of the emotions of each genre."""
    emotions = list(next(iter(medians.values()), {}))
    if not emotions:
        return []
    rows = [[genre, *(f"{row[name]:.2f}" for name in emotions)] for genre, row in medians.items()]
    return [
        "### Emotions by genre",
        "Medians over held-out recordings.",
        table(["genre", *emotions], rows),
    ]


def measured_tables(measured: Measured) -> str:
    """Return the tables of one measurement."""
    emotion = [
        [
            row.emotion,
            row.origin,
            row.clips,
            figure_cell(row.spearman),
            figure_cell(row.absolute_error),
            figure_cell(row.coverage),
        ]
        for row in measured.emotion
    ]
    excerpts = measured.genre.accuracy_by_seconds.items()
    tables = [
        _overall(measured),
        _per_genre(measured),
        table(
            ["seconds of audio", "accuracy"], [[each, f"{value:.3f}"] for each, value in excerpts]
        ),
        table(
            ["scale", "labels", "recordings", "Spearman", "absolute error", "in the interval"],
            emotion,
        ),
        *_mood(measured),
        _verdicts(measured),
    ]
    return "\n\n".join(tables)


def _overall(measured: Measured) -> str:
    genre = measured.genre
    figures = {
        "accuracy, one window": genre.window_accuracy,
        "macro F1, one window": genre.window_macro_f1,
        "accuracy, whole recording": genre.clip_accuracy,
        "macro F1, whole recording": genre.clip_macro_f1,
        "accuracy, whole recording by a simulated phone": genre.phone_accuracy,
        "expected calibration error, 15 bins, one window": genre.calibration_error,
        "expected calibration error, 15 bins, whole recording": genre.clip_calibration_error,
        "the genres against other music, AUROC": genre.unknown_auroc,
        "music against other sounds, AUROC": genre.music_auroc,
    }
    legend = "mean ± spread (seeds)"
    if genre.clip_accuracy.value is not None:
        legend = f"this model; {legend}"
    return table(["figure", legend], [[name, figure_cell(each)] for name, each in figures.items()])


def _per_genre(measured: Measured) -> str:
    rows = [
        [row.genre, row.clips, row.artists]
        + [f"{share:.2f}" for share in (row.precision, row.recall, row.f1)]
        for row in measured.genre.per_genre
    ]
    return table(["genre", "recordings", "artists", "precision", "recall", "F1"], rows)


def _mood(measured: Measured) -> list[str]:
    if not measured.mood:
        return []
    rows = [
        [row.origin, row.clips, figure_cell(row.accuracy), f"{row.commonest:.3f}"]
        for row in measured.mood
    ]
    return [table(["labels", "recordings", "mood is right", "most frequent mood"], rows)]


def _verdicts(measured: Measured) -> str:
    rows = [
        [
            row.kind,
            row.clips,
            *(f"{100 * row.verdicts[name]:.0f} %" for name in VERDICTS),
            "" if row.confident_accuracy is None else f"{row.confident_accuracy:.3f}",
        ]
        for row in measured.verdicts
    ]
    verdicts = [f"`{name}`" for name in VERDICTS]
    return table(["recordings of", "count", *verdicts, "right when confident"], rows)


def figure_cell(figure: Figure | None) -> str:
    """Return a figure with its spread as text."""
    if figure is None:
        return ""
    value = "" if figure.value is None else f"{figure.value:.3f}; "
    spread = "" if figure.spread is None else f" ± {figure.spread:.3f}"
    return f"{value}{figure.mean:.3f}{spread} ({figure.seeds})"
