"""Predictions of an ensemble for the windows of tracks, and for whole clips."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from scipy.special import expit

from training.data.dataset import Dataset
from training.data.takes import MEASURED_TAKES, TAKES
from training.fit.feature_cache import FeatureCache
from training.models.ensemble import Ensemble, probabilities
from training.types import Flags, Floats, Indices

BATCH = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Uncalibrated:
    """Predictions for windows, before calibration.

    Attributes
    ----------
    rows : int64 [shape=(n,)]
        Rows of the dataset; `MEASURED_TAKES`.
    classes : float64 [shape=(n, n_classes)]
        Logits.
    emotion : float64 [shape=(n, 3)]
        Scores.
    """

    rows: Indices
    classes: Floats
    emotion: Floats


@dataclass(frozen=True)
class Predictions:
    """Calibrated predictions for windows or clips.

    Attributes
    ----------
    track : int64 [shape=(n,)]
    phone : bool [shape=(n,)]
        Whether the take is ``phone``; otherwise it is ``raw``.
    genres : float64 [shape=(n, n_genres)]
    music, known : float64 [shape=(n,)]
    emotion : float64 [shape=(n, 3)]
        Scores.
    """

    track: Indices
    phone: Flags
    genres: Floats
    music: Floats
    known: Floats
    emotion: Floats

    def of(self, tracks: Indices) -> "Predictions":
        """Return the predictions for some tracks."""
        chosen = np.isin(self.track, tracks)
        return Predictions(*(getattr(self, part.name)[chosen] for part in fields(self)))


def concatenate(parts: Sequence[T]) -> T:
    """Concatenate arrays, or dataclasses of arrays field by field."""
    first: Any = parts[0]
    if not is_dataclass(first):
        return np.concatenate(parts)  # type: ignore[return-value, arg-type]
    names = [field.name for field in fields(first)]
    make: Any = type(first)
    return make(*(concatenate([getattr(part, name) for part in parts]) for name in names))  # type: ignore[no-any-return]


@torch.no_grad()
def predict(
    dataset: Dataset, cache: FeatureCache, network: Ensemble, tracks: Indices
) -> Uncalibrated:
    """Return the predictions for all windows of some tracks."""
    rows = np.concatenate([dataset.rows(take, tracks) for take in MEASURED_TAKES])
    batches = []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        batches.append(network.logits(cache.inputs(some)))
    classes, emotion = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return Uncalibrated(rows, classes.double().numpy(), expit(emotion.double().numpy()))


def by_window(dataset: Dataset, predicted: Uncalibrated, temperature: float) -> Predictions:
    """Return calibrated predictions for each window."""
    classes = torch.from_numpy(predicted.classes)
    no_emotion = torch.empty(len(classes), 0)
    outputs = probabilities(classes, no_emotion, len(dataset.genres), temperature)
    return Predictions(
        track=dataset.track_of[predicted.rows],
        phone=dataset.take_of[predicted.rows] == TAKES.index("phone"),
        genres=outputs.genres.numpy(),
        music=outputs.music.numpy(),
        known=outputs.known.numpy(),
        emotion=predicted.emotion,
    )


def by_clip(windows: Predictions) -> Predictions:
    """Return the mean over the windows of each track and take, as the service computes it."""
    keys = np.stack([windows.track, windows.phone], axis=1)
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    counts = np.bincount(place)

    def mean(values: Floats) -> Floats:
        sums = np.zeros((len(unique), *values.shape[1:]))
        np.add.at(sums, place, values)
        return np.asarray((sums.T / counts).T)

    return Predictions(
        track=unique[:, 0],
        phone=unique[:, 1].astype(bool),
        genres=mean(windows.genres),
        music=mean(windows.music),
        known=mean(windows.known),
        emotion=mean(windows.emotion),
    )
