"""Calibrates a model on validation data.

* The temperature minimises the negative log-likelihood of the genre, by window.
* The thresholds of the verdict: `music` and `known` maximise true positive rate minus false
  positive rate (Youden, 1950); above `margin`, nine of ten predictions are right.
* The intervals of the emotions contain 80 % of the true values: split conformal prediction (Vovk et
  al., 2005), one width for each emotion.

Validation data are tracks that are predicted by heads that were not trained on them, in the takes
``raw`` and ``phone``.
"""

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import spearmanr
from sklearn.metrics import log_loss, roc_curve

from service.card import EMOTIONS, Emotion, Thresholds
from service.verdict import margins
from training.data.dataset import Dataset
from training.fit.predict import Predictions, Uncalibrated, by_clip, by_window
from training.types import AnyFloats, Flags, Floats

SILENCE_DBFS = -60.0  # peak; the noise of a phone is louder, so this is a muted microphone
COVERAGE = 0.8
CONFIDENT_ACCURACY = 0.9
TEMPERATURES = (0.2, 5.0)


class Calibration(BaseModel):
    """The values that were chosen on validation data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float
    thresholds: Thresholds
    intervals: dict[Emotion, float]


def calibrate(
    dataset: Dataset, predicted: Uncalibrated, of_student: dict[Emotion, float]
) -> Calibration:
    """Choose temperature, thresholds and intervals.

    Parameters
    ----------
    dataset : Dataset
    predicted : Uncalibrated
        Predictions for validation tracks.
    of_student : dict of str to float
        Widths for emotions of which the dataset has no true values.
    """
    temperature = _temperature(dataset, predicted)
    clips = by_clip(by_window(dataset, predicted, temperature))
    return Calibration(
        temperature=temperature,
        thresholds=_thresholds(dataset, clips),
        intervals=_intervals(dataset, clips, of_student),
    )


def validation_figures(
    dataset: Dataset, predicted: Uncalibrated, calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Measure validation tracks, for the choice between configurations.

    Returns
    -------
    figures : dict
        For the takes ``raw`` and ``phone``, over tracks with a genre: ``accuracy`` and
        ``negative_log_likelihood``, a mean.
    """
    clips = by_clip(by_window(dataset, predicted, calibration.temperature))
    figures = {}
    for take, phone in (("raw", False), ("phone", True)):
        chosen = dataset.is_genre[clips.track] & (clips.phone == phone)
        genres, labels = clips.genres[chosen], dataset.label[clips.track][chosen]
        figures[take] = {
            "accuracy": float((genres.argmax(axis=1) == labels).mean()),
            "negative_log_likelihood": float(
                log_loss(labels, genres, labels=range(len(dataset.genres)))
            ),
        }
    return figures


def _temperature(dataset: Dataset, predicted: Uncalibrated) -> float:
    """Return the temperature with the highest likelihood of the genres of windows."""
    n_genres = len(dataset.genres)
    labels = dataset.label[dataset.track_of[predicted.rows]]
    chosen = (labels >= 0) & (labels < n_genres)
    logits, labels = predicted.classes[chosen, :n_genres], labels[chosen]

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def _thresholds(dataset: Dataset, clips: Predictions) -> Thresholds:
    genre = dataset.is_genre[clips.track]
    music = dataset.is_music[clips.track]
    other = music & (dataset.label[clips.track] >= len(dataset.genres))
    right = clips.genres.argmax(axis=1) == dataset.label[clips.track]
    return Thresholds(
        silence_dbfs=SILENCE_DBFS,
        music=youden_threshold(clips.music[music], clips.music[~music]),
        known=youden_threshold(clips.known[genre], clips.known[other]),
        margin=margin_threshold(margins(clips.genres[genre]), right[genre]),
    )


def youden_threshold(positive: Floats, negative: Floats) -> float:
    """Return the lowest score to accept; 0 if one of the classes is empty."""
    if not len(negative) or not len(positive):
        return 0.0
    is_positive = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    false, true, threshold = roc_curve(
        is_positive, np.r_[positive, negative], drop_intermediate=False
    )
    best = 1 + np.argmax((true - false)[1:])  # the first point accepts nothing at all
    return float(np.clip(threshold[best], 0, 1))


def margin_threshold(leads: Floats, right: Flags) -> float:
    """Return the lowest lead above which `CONFIDENT_ACCURACY` of the predictions are right."""
    order = np.argsort(-leads, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(accuracy >= CONFIDENT_ACCURACY)
    return float(leads[order][enough[-1]]) if len(enough) else 1.0


def _intervals(
    dataset: Dataset, clips: Predictions, of_student: dict[Emotion, float]
) -> dict[Emotion, float]:
    widths = dict(of_student)
    for column, emotion in enumerate(EMOTIONS):
        value = dataset.emotion[clips.track, column]
        known = ~np.isnan(value) & ~clips.phone
        if known.any():
            widths[emotion] = interval_width(np.abs(value - clips.emotion[:, column])[known])
    return widths


def interval_width(errors: AnyFloats) -> float:
    """Return half the width of an interval that contains `COVERAGE` of new values.

    Parameters
    ----------
    errors : float [shape=(n,)]
        Absolute errors for values that were not trained on.
    """
    place = int(np.ceil((len(errors) + 1) * COVERAGE)) - 1
    return float(min(np.sort(errors)[min(place, len(errors) - 1)], 1))


def rank_correlation(one: AnyFloats, other: AnyFloats) -> float:
    """Return Spearman's correlation where both are known; 0 if either of them is constant."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return 0.0
    return float(spearmanr(one[both], other[both])[0])
