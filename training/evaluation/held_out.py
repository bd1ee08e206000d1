"""Predictions of trained models for tracks that they were not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.card import EMOTIONS
from service.verdict import decide_all
from training.data.dataset import Dataset
from training.data.splits import Split
from training.data.takes import TAKES
from training.fit.calibrate import Calibration
from training.fit.feature_cache import FeatureCache
from training.fit.predict import (
    Predictions,
    Uncalibrated,
    by_clip,
    by_window,
    concatenate,
    predict,
)
from training.fit.run import load, run_folder
from training.types import Flags, Indices

AUDIBLE_DBFS = 0.0  # no recording of a corpus is silent


@dataclass(frozen=True)
class HeldOut:
    """Predictions of the models of one seed for held-out tracks.

    Attributes
    ----------
    windows : Predictions
        Of the take ``raw``.
    clips : Predictions
        Of the takes ``raw`` and ``phone``.
    verdicts : int64 [shape=(n_clips,)]
        Indices into `verdict.VERDICTS`.
    inside : bool [shape=(n_clips, 3)]
        Whether the true value is in the emotion's interval.
    """

    windows: Predictions
    clips: Predictions
    verdicts: Indices
    inside: Flags


def predict_held_out(
    dataset: Dataset, cache: FeatureCache, runs: Path, splits: Sequence[Split], seed: int
) -> HeldOut:
    """Return the predictions for the test parts of some splits, each by the split's own model."""
    parts = []
    for split in splits:
        network, _, calibration = load(dataset, run_folder(runs, split, seed))
        predicted = predict(dataset, cache, network, split.test)
        parts.append(_held_out(dataset, predicted, calibration))
    return concatenate(parts)


def _held_out(dataset: Dataset, predicted: Uncalibrated, calibration: Calibration) -> HeldOut:
    is_raw = dataset.take_of[predicted.rows] == TAKES.index("raw")
    raw = Uncalibrated(
        predicted.rows[is_raw],
        predicted.classes[is_raw],
        predicted.emotion[is_raw],
    )
    clips = by_clip(by_window(dataset, predicted, calibration.temperature))
    widths = np.array([calibration.intervals.get(emotion, np.nan) for emotion in EMOTIONS])
    return HeldOut(
        windows=by_window(dataset, raw, calibration.temperature),
        clips=clips,
        verdicts=decide_all(
            AUDIBLE_DBFS, clips.music, clips.known, clips.genres, calibration.thresholds
        ),
        inside=np.abs(dataset.emotion[clips.track] - clips.emotion) <= widths,
    )
