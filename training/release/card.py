"""Builds a model's card from what was measured, and prints its tables for a person."""

import json
import tomllib
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service import audio
from service.card import EMOTIONS, Card, Data, Figures, Network
from training.data.corpus import SUBSETS
from training.data.dataset import Dataset
from training.data.synthetic import SYNTHETIC
from training.evaluation.evaluate import FIGURES_FILE, PERCENTILES_FILE
from training.fit.run import load
from training.types import Floats

NETWORK = "perceptrons-and-convolutions"
DESCRIBED = (
    "name", "version", "description", "licence", "command", "data", "terms", "split", "limits",
)  # fmt: skip


class DescriptionError(ValueError):
    """A model's description cannot be used. The message says what is wrong with it."""


def build_card(
    dataset: Dataset, runs: Path, run: Path, config: Path, probabilities: Floats
) -> Card:
    """Put a card together.

    Parameters
    ----------
    prepared : Prepared
    runs : Path
        Evaluated, as `training.evaluation.evaluate` leaves it.
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
        return _card(dataset, runs, run, said, probabilities)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise DescriptionError(f"{config}, table card, {name}: {first['msg']}.") from error


def _card(
    dataset: Dataset, runs: Path, run: Path, said: dict[str, Any], probabilities: Floats
) -> Card:
    model, trained, calibration = load(dataset, run)
    numbers = _numbers(asdict(trained))
    return Card(
        name=said["name"],
        version=said["version"],
        description=said["description"],
        licence=said["licence"],
        genres=dataset.genres,
        emotions=[EMOTIONS[place] for place in dataset.learned],
        network=Network(
            name=NETWORK,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            members=len(model.mlps) + len(model.cnns),
            seed=int(numbers.pop("seed")),
            config=numbers,
            command=said["command"],
        ),
        data=_data(dataset, said),
        figures=Figures.model_validate_json((runs / FIGURES_FILE).read_text()),
        thresholds=calibration.thresholds,
        intervals=calibration.intervals,
        percentiles=json.loads((runs / PERCENTILES_FILE).read_text()),
        limits=said["limits"],
        front_end=audio.front_end(),
        signature=[round(float(level), 4) for level in audio.signature()],
        reference_answer=[round(float(value), 6) for value in probabilities],
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


def _data(dataset: Dataset, said: dict[str, Any]) -> Data:
    real = [track for track in dataset.tracks if track.source != SYNTHETIC]
    split_of = {track.id: track.subset for track in real}
    heard = dataset.rows("heard")
    windows = Counter(split_of.get(dataset.tracks[i].id) for i in dataset.track_of[heard])
    tracks = Counter(track.subset for track in real)
    counts = Counter((track.genre, track.subset) for track in real)
    return Data(
        description=said["data"],
        terms=said["terms"],
        tracks={split: tracks[split] for split in SUBSETS},
        windows={split: windows[split] for split in SUBSETS},
        genres={
            genre: {split: counts[genre, split] for split in SUBSETS} for genre in dataset.genres
        },
        made=dict(
            Counter(t.genre or t.other or "" for t in dataset.tracks if t.source == SYNTHETIC)
        ),
        split=said["split"],
    )
