"""Builds a model's card from what was measured, and prints its tables for a person."""

import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from service import audio
from service.card import EMOTIONS, Card, Data, Figure, Figures, Measured, Network
from service.verdict import VERDICTS
from training.calibrate import Floats
from training.corpus import REFERENCE, SPLITS
from training.evaluate import FIGURES_FILE, PERCENTILES_FILE
from training.made import MADE
from training.prepared import Prepared
from training.runs import load

NETWORK = "perceptrons-and-convolutions"
DESCRIBED = (
    "name", "version", "description", "licence", "command", "data", "terms", "split", "limits",
)  # fmt: skip


class DescriptionError(ValueError):
    """A model's description cannot be used. The message says what is wrong with it."""


def build_card(prepared: Prepared, runs: Path, run: Path, config: Path, answer: Floats) -> Card:
    """Put a card together.

    Parameters
    ----------
    prepared : Prepared
    runs : Path
        Evaluated, as `training.evaluate` leaves it.
    run : Path
        The run that ships.
    config : Path
        TOML; its table ``card`` has what only a person can say, the members `DESCRIBED`.
    answer : float64 [shape=(n_genres + n_emotions + 2,)]
        What the model answers to `audio.reference_windows`.

    Raises
    ------
    DescriptionError
        If the description lacks something, or cannot be a card's.
    """
    said = read_description(config)
    try:
        return _card(prepared, runs, run, said, answer)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise DescriptionError(f"{config}, table card, {name}: {first['msg']}.") from error


def _card(prepared: Prepared, runs: Path, run: Path, said: dict[str, Any], answer: Floats) -> Card:
    model, trained, calibration = load(prepared, run)
    numbers = _numbers(asdict(trained))
    return Card(
        name=said["name"],
        version=said["version"],
        description=said["description"],
        licence=said["licence"],
        genres=prepared.genres,
        emotions=[EMOTIONS[place] for place in prepared.learnt],
        network=Network(
            name=NETWORK,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            members=len(model.perceptrons) + len(model.convolutionals),
            seed=int(numbers.pop("seed")),
            config=numbers,
            command=said["command"],
        ),
        data=_data(prepared, said),
        figures=Figures.model_validate_json((runs / FIGURES_FILE).read_text()),
        thresholds=calibration.thresholds,
        intervals=calibration.intervals,
        percentiles=json.loads((runs / PERCENTILES_FILE).read_text()),
        limits=said["limits"],
        front_end=audio.front_end(),
        signature=[round(float(level), 4) for level in audio.signature()],
        reference_answer=[round(float(value), 6) for value in answer],
    )


def _numbers(config: dict[str, Any], prefix: str = "") -> dict[str, float | int | str]:
    """Return all numbers of a configuration, named as in its file."""
    numbers: dict[str, float | int | str] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            numbers |= _numbers(value, f"{prefix}{name}.")
        else:
            numbers[prefix + name] = value
    return numbers


def read_description(path: Path) -> dict[str, Any]:
    """Read what only a person can say of a model.

    Raises
    ------
    DescriptionError
        If the file is no TOML, or a member is missing.
    """
    try:
        said: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("card", {})
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"{path}: {error}.") from error
    if missing := [name for name in DESCRIBED if name not in said]:
        raise DescriptionError(f"{path}, table card, does not say: {', '.join(missing)}.")
    return said


def _data(prepared: Prepared, said: dict[str, Any]) -> Data:
    real = [track for track in prepared.tracks if track.source != MADE]
    split_of = {track.id: track.split for track in real}
    heard = prepared.rows("heard")
    windows = Counter(split_of.get(prepared.tracks[i].id) for i in prepared.track_of[heard])
    tracks = Counter(track.split for track in real)
    counts = Counter((track.genre, track.split) for track in real)
    return Data(
        description=said["data"],
        terms=said["terms"],
        tracks={split: tracks[split] for split in SPLITS},
        windows={split: windows[split] for split in SPLITS},
        genres={
            genre: {split: counts[genre, split] for split in SPLITS} for genre in prepared.genres
        },
        made=dict(Counter(t.genre or t.other or "" for t in prepared.tracks if t.source == MADE)),
        split=said["split"],
    )


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
    made = ", ".join(f"{count} of {name}" for name, count in data.made.items())
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
        *_table(["recordings", *SPLITS], counts),
        "",
        f"Made, not recorded: {made}. Synthesised music trains only; it is not in the table.",
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
