"""Builds the card of a model from its evaluation and its recipe."""

from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service import audio
from service.card import EMOTIONS, Card, Data, EmbeddingSpace, Network
from training.data.corpus import SUBSETS
from training.data.dataset import Dataset
from training.data.synthetic import SYNTHETIC
from training.evaluation.evaluate import Evaluation
from training.fit.calibrate import Calibration
from training.fit.config import CardText, Config, ConfigError, read_recipe
from training.models.ensemble import Ensemble
from training.types import Floats

NETWORK = "student-heads"


def read_card_text(recipe: Path) -> CardText:
    """Read the table ``card`` of a recipe.

    Raises
    ------
    ConfigError
        If the recipe cannot be used, or has no such table.
    """
    text = read_recipe(recipe).card
    if text is None:
        raise ConfigError(f"{recipe}: the table card is missing.")
    return text


def build_card(
    dataset: Dataset,
    model: tuple[Ensemble, Config, Calibration],
    evaluation: Evaluation,
    text: CardText,
    answer: Floats,
) -> Card:
    """Build a card.

    Parameters
    ----------
    dataset : Dataset
    model : tuple
        The exported model, as `fit.run.load` returns it.
    evaluation : Evaluation
    text : CardText
    answer : float64 [shape=(n,)]
        Output of the model for `audio.reference_windows`, in one row.

    Raises
    ------
    ConfigError
        If `text` has a value that a card does not allow.
    """
    network, config, calibration = model
    options = _flatten(config.model_dump())
    try:
        return Card(
            name=text.name,
            version=text.version,
            description=text.description,
            licence=text.licence,
            genres=dataset.genres,
            emotions=[EMOTIONS[place] for place in network.emotions],
            features=network.features,
            embedding=_embedding(network, text),
            network=Network(
                name=NETWORK,
                parameters=_parameters_in_file(network),
                members=len(network.heads),
                seed=int(options.pop("seed")),
                config=options,
                command=text.command,
            ),
            data=_data(dataset, text),
            figures=evaluation.figures,
            corpus=dataset.corpus_digest,
            thresholds=calibration.thresholds,
            intervals=calibration.intervals,
            percentiles=evaluation.percentiles,
            limits=text.limits,
            front_end=audio.front_end(),
            signature=[round(float(level), 4) for level in audio.signature()],
            reference_answer=[round(float(value), 6) for value in answer],
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ConfigError(f"The table card, {name}: {first['msg']}.") from error


def _parameters_in_file(network: Ensemble) -> int:
    """Return the number of parameters without the student's outputs that are not exported."""
    unused = {
        f"student.to_targets.{name}" for name, _ in network.student.to_targets.named_parameters()
    }
    count = sum(each.numel() for name, each in network.named_parameters() if name not in unused)
    if network.audio_features:  # copies of some of them
        count += network.audio_features.weight.numel() + network.audio_features.bias.numel()
    return count


def _embedding(network: Ensemble, text: CardText) -> EmbeddingSpace | None:
    """Return the space of the embedding, which is another one for every version."""
    if network.embedding is None:
        return None
    return EmbeddingSpace(
        space=f"{text.name}-{text.version}", dimensions=network.embedding.dimensions
    )


def _flatten(config: dict[str, Any], prefix: str = "") -> dict[str, float | int | str]:
    """Return all values of a configuration, named as in a recipe."""
    values: dict[str, float | int | str] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            values |= _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            values[prefix + name] = ", ".join(map(str, value))
        else:
            values[prefix + name] = value
    return values


def _data(dataset: Dataset, text: CardText) -> Data:
    recorded = [track for track in dataset.tracks if track.source != SYNTHETIC]
    synthetic = [track for track in dataset.tracks if track.source == SYNTHETIC]
    subset_of = {track.id: track.subset for track in recorded}
    raw = dataset.rows("raw")
    windows = Counter(subset_of.get(dataset.tracks[i].id) for i in dataset.track_of[raw])
    tracks = Counter(track.subset for track in recorded)
    counts = Counter((track.genre, track.subset) for track in recorded)
    return Data(
        description=text.data,
        terms=text.terms,
        tracks={subset: tracks[subset] for subset in SUBSETS},
        windows={subset: windows[subset] for subset in SUBSETS},
        genres={
            genre: {subset: counts[genre, subset] for subset in SUBSETS} for genre in dataset.genres
        },
        made=dict(Counter(track.genre or track.other or "" for track in synthetic)),
        split=text.split,
    )
