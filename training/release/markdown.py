"""A card as a page of Markdown."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from service.card import EMOTIONS, Card, Figure, Figures, Measured
from service.verdict import VERDICTS
from training.data.corpus import REFERENCE, SUBSETS


def markdown(card: Card, pictures: Sequence[tuple[str, str]], sources: list[dict[str, Any]]) -> str:
    """Print a card as a page of Markdown.

    Parameters
    ----------
    card : Card
    pictures : sequence of (str, str)
        A caption and a file name for each.
    sources : list of dict
        As `evaluate.across_sources` returns them.
    """
    return "\n".join(
        [
            f"# {card.name}, version {card.version}",
            "",
            "Written by `python -m training report` from what was measured; the same card is in",
            f"the ONNX file and at `/v1/models/{card.name}`.",
            "",
            card.description,
            "",
            f"Weights: {card.licence}. {card.data.terms}",
            "",
            *_network_and_data(card),
            "",
            *_over_folds(card.figures),
            *_across_sources(sources),
            "## Measured on the fixed test recordings",
            "",
            "By this very model, and by others of the same training from other seeds.",
            "",
            markdown_measured(card.figures.test),
            "",
            *_chosen(card),
            "",
            *(f"![{caption}]({name})\n\n{caption}.\n" for caption, name in pictures),
            "## Limits",
            "",
            *(f"- {limit}" for limit in card.limits),
            "",
        ]
    )


def _network_and_data(card: Card) -> list[str]:
    network, data = card.network, card.data
    counts = [
        *([name, *counts.values()] for name, counts in data.genres.items()),
        ["all, with and without a genre", *data.tracks.values()],
        ["15 s windows", *data.windows.values()],
    ]
    synthetic = ", ".join(f"{count} of {name}" for name, count in data.made.items())
    return [
        "## Network",
        "",
        f"`{network.name}`: {network.members} members, {network.parameters:,} parameters; seed",
        f"{network.seed}. Trained by `{network.command}`, with",
        f"{', '.join(f'{name} {value}' for name, value in network.config.items())}.",
        "",
        "## Data",
        "",
        data.description,
        "",
        data.split,
        "",
        *_table(["recordings", *SUBSETS], counts),
        "",
        f"Made, not recorded: {synthetic}. Synthesised music trains only; it is not in the table.",
    ]


def _over_folds(figures: Figures) -> list[str]:
    if figures.folds == figures.test:  # no folds were trained
        return []
    return [
        "## Measured over folds grouped by artist",
        "",
        "Every recording is answered once, by models trained on the other folds in the same",
        "way as this one: the figures to go by.",
        "",
        markdown_measured(figures.folds),
        "",
    ]


def _chosen(card: Card) -> list[str]:
    """Print what was chosen on validation."""
    thresholds = [[name, f"{value:.3f}"] for name, value in card.thresholds]
    widths = [[name, f"± {width:.3f}"] for name, width in card.intervals.items()]
    return [
        "## Chosen on validation",
        "",
        *_table(["threshold of the verdict", "value"], thresholds),
        "",
        *_table(["80 % interval", "width"], widths),
    ]


def _across_sources(sources: list[dict[str, Any]]) -> list[str]:
    if not sources:
        return []
    rows = [
        [row["source"], row["clips"], f"{row['with']:.3f}", f"{row['without']:.3f}"]
        for row in sources
    ]
    return [
        "### Across sources",
        "",
        "Bandwidth and sound follow the source of a recording in this corpus. A model that learnt",
        "the source in place of the genre fails on a source that it never met. Accuracy, whole",
        "recordings of one source:",
        "",
        *_table(["source", "recordings", "source in training", "source left out"], rows),
        "",
    ]


def markdown_measured(measured: Measured) -> str:
    """Print what was measured as Markdown tables."""
    genre = measured.genre
    overall = {
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
    per_genre = [
        [
            row.genre,
            row.clips,
            row.artists,
            *(f"{share:.2f}" for share in (row.precision, row.recall, row.f1)),
        ]
        for row in genre.per_genre
    ]
    heard = [[seconds, f"{share:.3f}"] for seconds, share in genre.accuracy_by_seconds.items()]
    emotion = [
        [row.emotion, row.origin, row.clips, _cell(row.spearman), _cell(row.coverage)]
        for row in measured.emotion
    ]
    head = ["scale", "labels", "recordings", "Spearman", "in the interval"]
    return "\n".join(
        [
            *_table(["figure", _legend(measured)], [[k, _cell(v)] for k, v in overall.items()]),
            "",
            *_table(["genre", "recordings", "artists", "precision", "recall", "F1"], per_genre),
            "",
            *_table(["seconds heard", "accuracy"], heard),
            "",
            *_table(head, emotion),
            "",
            *_means_over_origins(measured),
            "",
            *_mood(measured),
            *_verdicts(measured),
        ]
    )


def _means_over_origins(measured: Measured) -> list[str]:
    """Print what the origins of labels that training sees come to together.

    The mean of the rank correlations counts each origin once, the share inside the interval each
    recording.
    """
    rows = []
    for emotion in EMOTIONS:
        of_origins = [
            row for row in measured.emotion if row.emotion == emotion and row.origin != REFERENCE
        ]
        if not of_origins:
            continue
        ranks = np.mean([row.spearman.mean for row in of_origins])
        covered = [(row.coverage.mean, row.clips) for row in of_origins if row.coverage]
        shares, clips = zip(*covered, strict=True)
        inside = np.average(shares, weights=clips)
        rows.append([emotion, len(of_origins), f"{ranks:.3f}", f"{inside:.3f}"])
    head = ["scale", "origins of labels", "mean of their Spearman", "of all in the interval"]
    return _table(head, rows)


def _mood(measured: Measured) -> list[str]:
    if not measured.mood:
        return []
    rows = [
        [row.origin, row.clips, _cell(row.accuracy), f"{row.commonest:.3f}"]
        for row in measured.mood
    ]
    return [*_table(["labels", "recordings", "mood is right", "the commonest mood"], rows), ""]


def _verdicts(measured: Measured) -> list[str]:
    rows = [
        [
            row.kind,
            row.clips,
            *(f"{100 * row.verdicts[name]:.0f} %" for name in VERDICTS),
            "" if row.confident_accuracy is None else f"{row.confident_accuracy:.3f}",
        ]
        for row in measured.verdicts
    ]
    head = ["recordings of", "count", *(f"`{name}`" for name in VERDICTS), "right when confident"]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    value = "" if figure.value is None else f"{figure.value:.3f}; "
    spread = "" if figure.spread is None else f" ± {figure.spread:.3f}"
    return f"{value}{figure.mean:.3f}{spread} ({figure.seeds})"


def _legend(measured: Measured) -> str:
    """Say what `_cell` prints."""
    seeds = "mean ± spread (seeds)"
    return seeds if measured.genre.clip_accuracy.value is None else f"this model; {seeds}"
