"""Builds a model's card from what was measured, and prints it for a person."""

import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service import audio
from service.card import Card, Data, Figure, Figures, Network
from training.corpus import SPLITS
from training.evaluate import FIGURES_FILE, Floats
from training.prepared import Prepared
from training.train import HISTORY_FILE, Epoch, best_epoch, load

DESCRIBED = (
    "name", "version", "description", "licence", "network", "command", "data", "terms", "split",
    "limits",
)  # fmt: skip


class DescriptionError(ValueError):
    """A model's description cannot be used. The message says what is wrong with it."""


def build_card(
    prepared: Prepared, runs: Path, run: Path, description: Path, answer: Floats
) -> Card:
    """Put a card together.

    Parameters
    ----------
    prepared : Prepared
    runs : Path
        Evaluated, as `training.evaluate` leaves it.
    run : Path
        The run that ships.
    description : Path
        TOML with what only a person can say, the members `DESCRIBED`.
    answer : float64 [shape=(n_genres + n_emotions,)]
        What the model answers to `audio.reference_windows`.
    """
    said = read_description(description)
    model, config = load(prepared, run)
    histories = json.loads((run / HISTORY_FILE).read_text())
    return Card(
        name=said["name"],
        version=said["version"],
        description=said["description"],
        licence=said["licence"],
        genres=prepared.genres,
        emotions=model.emotions,
        network=Network(
            name=said["network"],
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            sharing=config.sharing,
            seed=config.seed,
            epochs={
                tasks: best_epoch([Epoch(**entry) for entry in history]).epoch
                for tasks, history in histories.items()
            },
            command=said["command"],
        ),
        data=_data(prepared, said),
        figures=Figures.model_validate_json((runs / FIGURES_FILE.format(split="test")).read_text()),
        limits=said["limits"],
        front_end=audio.front_end(),
        signature=[round(float(level), 4) for level in audio.signature()],
        reference_answer=[round(float(value), 6) for value in answer],
    )


def read_description(path: Path) -> dict[str, Any]:
    """Read what only a person can say of a model.

    Raises
    ------
    DescriptionError
        If the file is no TOML, or a member is missing.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"{path}: {error}.") from error
    if missing := [name for name in DESCRIBED if name not in said]:
        raise DescriptionError(f"{path} does not say: {', '.join(missing)}.")
    return said


def _data(prepared: Prepared, said: dict[str, str]) -> Data:
    split_of_rows = Counter(prepared.tracks[i].split for i in prepared.track_of)
    used = [prepared.tracks[i] for i in np.unique(prepared.track_of)]
    split_of_tracks = Counter(track.split for track in used)
    counts = Counter((track.genre, track.split) for track in used)
    return Data(
        description=said["data"],
        terms=said["terms"],
        tracks={split: split_of_tracks[split] for split in SPLITS},
        windows={split: split_of_rows[split] for split in SPLITS},
        genres={
            genre: {split: counts[genre, split] for split in SPLITS} for genre in prepared.genres
        },
        split=said["split"],
    )


def markdown(card: Card) -> str:
    """Print a card as a page of Markdown."""
    return "\n".join(
        [
            f"# {card.name}, version {card.version}",
            "",
            "Written by `python -m training export` from what was measured; the same card is in",
            f"the ONNX file and at `/v1/models/{card.name}`.",
            "",
            card.description,
            "",
            f"Weights: {card.licence}. {card.data.terms}",
            "",
            *_network_and_data(card),
            "",
            "Measured on the test recordings.",
            "",
            markdown_figures(card.figures),
            "",
            f"![Confusion matrix of the test recordings]({card.name}.png)",
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in card.limits),
            "",
        ]
    )


def _network_and_data(card: Card) -> list[str]:
    network, data = card.network, card.data
    epochs = ", ".join(f"{tasks} {epoch}" for tasks, epoch in network.epochs.items())
    counts = [
        *([name, *counts.values()] for name, counts in data.genres.items()),
        ["all, with and without a genre", *data.tracks.values()],
        ["15 s windows", *data.windows.values()],
    ]
    return [
        "## Network",
        "",
        f"`{network.name}`, {network.parameters:,} parameters; trunks shared: {network.sharing};",
        f"seed {network.seed}; best epoch on validation: {epochs}. Trained by",
        f"`{network.command}`.",
        "",
        "## Data",
        "",
        data.description,
        "",
        data.split,
        "",
        *_table(["recordings", *SPLITS], counts),
    ]


def markdown_figures(figures: Figures) -> str:
    """Print what was measured as Markdown tables."""
    genre = figures.genre
    overall = [
        ["accuracy, one window", *_cells(genre.window_accuracy)],
        ["macro F1, one window", *_cells(genre.window_macro_f1)],
        ["accuracy, whole recording", *_cells(genre.clip_accuracy)],
        ["macro F1, whole recording", *_cells(genre.clip_macro_f1)],
    ]
    per_genre = [
        [row.genre, row.clips, *(f"{share:.2f}" for share in (row.precision, row.recall, row.f1))]
        for row in genre.per_genre
    ]
    heard = [[seconds, f"{share:.3f}"] for seconds, share in genre.accuracy_by_seconds.items()]
    emotion = [
        [row.emotion, row.origin, row.clips, *_cells(row.spearman), *_cells(row.r2)]
        for row in figures.emotion
    ]
    seeds = "mean ± spread over the seeds"
    return "\n".join(
        [
            "## Genre",
            "",
            *_table(["figure", "this model", seeds], overall),
            "",
            *_table(["genre", "recordings", "precision", "recall", "F1"], per_genre),
            "",
            *_table(["seconds heard", "accuracy"], heard),
            "",
            "## Emotion",
            "",
            *_table(["scale", "labels", "recordings", "Spearman", seeds, "R2", seeds], emotion),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]


def _cells(figure: Figure) -> tuple[str, str]:
    spread = "" if figure.spread is None else f" ± {figure.spread:.3f}"
    return f"{figure.value:.3f}", f"{figure.mean:.3f}{spread} ({figure.seeds})"
