"""Chooses, on validation, what turns logits into honest answers.

* The temperature has the lowest negative log-likelihood of the genre, by window.
* The thresholds of the verdict: `music` and `known` where true positive rate less false positive
  rate is highest (Youden, 1950), `margin` where confident answers are right nine times in ten.
* The intervals of the emotions hold 80 % of the labels: split conformal prediction (Vovk et al.,
  2005), one width for each emotion, on the scale of each label's origin.

Validation means recordings that a model learnt from, answered by a member of each kind that did
not, both as they are and as a phone would have recorded them.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import log_loss, roc_curve

from service.card import EMOTIONS, Emotion, Thresholds
from service.verdict import margins
from training.data.dataset import Dataset
from training.fit.predict import Logits, Predictions, clips
from training.types import Flags, Floats

SILENCE_DBFS = -60.0  # peak; a phone's own noise lies above, so this is a muted microphone
COVERAGE = 0.8
CONFIDENT_ACCURACY = 0.9
TEMPERATURES = (0.2, 5.0)


@dataclass(frozen=True)
class Calibration:
    """What was chosen on validation."""

    temperature: float
    thresholds: Thresholds
    intervals: dict[Emotion, float]

    def to_json(self) -> str:
        """Return it as a run keeps it."""
        return json.dumps(asdict(self) | {"thresholds": self.thresholds.model_dump()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Read it back."""
        said = json.loads(text)
        return cls(said["temperature"], Thresholds(**said["thresholds"]), said["intervals"])


def calibrate(dataset: Dataset, heard: Logits) -> Calibration:
    """Choose temperature, thresholds and intervals.

    Parameters
    ----------
    prepared : Prepared
    heard : Heard
        Answers to validation tracks.
    """
    temperature = _temperature(dataset, heard)
    answers = clips(dataset, heard, temperature)
    return Calibration(temperature, _thresholds(dataset, answers), _intervals(dataset, answers))


def validation(
    dataset: Dataset, heard: Logits, calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Measure validation tracks, to choose between configurations.

    Returns
    -------
    figures : dict
        For the takes ``heard`` and ``phone``, over recordings that have a genre: ``accuracy`` and
        ``negative_log_likelihood``, a mean.
    """
    answers = clips(dataset, heard, calibration.temperature)
    figures = {}
    for take, phone in (("heard", False), ("phone", True)):
        chosen = dataset.is_genre[answers.track] & (answers.phone == phone)
        genres, labels = answers.genres[chosen], dataset.label[answers.track][chosen]
        figures[take] = {
            "accuracy": float((genres.argmax(axis=1) == labels).mean()),
            "negative_log_likelihood": float(
                log_loss(labels, genres, labels=range(len(dataset.genres)))
            ),
        }
    return figures


def _temperature(dataset: Dataset, heard: Logits) -> float:
    """Return the temperature of the highest likelihood of the genres' windows."""
    n_genres = len(dataset.genres)
    labels = dataset.label[dataset.track_of[heard.rows]]
    chosen = (labels >= 0) & (labels < n_genres)
    logits, labels = heard.classes[chosen, :n_genres], labels[chosen]

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def _thresholds(dataset: Dataset, answers: Predictions) -> Thresholds:
    genre = dataset.is_genre[answers.track]
    music = dataset.is_music[answers.track]
    other = music & (dataset.label[answers.track] >= len(dataset.genres))
    right = answers.genres.argmax(axis=1) == dataset.label[answers.track]
    return Thresholds(
        silence_dbfs=SILENCE_DBFS,
        music=_youden(answers.music[music], answers.music[~music]),
        known=_youden(answers.known[genre], answers.known[other]),
        margin=_margin(margins(answers.genres[genre]), right[genre]),
    )


def _youden(positive: Floats, negative: Floats) -> float:
    """Return the least score to accept; 0 where there is nothing to refuse."""
    if not len(negative) or not len(positive):
        return 0.0
    is_positive = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    false, true, threshold = roc_curve(
        is_positive, np.r_[positive, negative], drop_intermediate=False
    )
    best = 1 + np.argmax((true - false)[1:])  # the first point accepts nothing at all
    return float(np.clip(threshold[best], 0, 1))


def _margin(leads: Floats, right: Flags) -> float:
    """Return the least lead from which on answers are right often enough."""
    order = np.argsort(-leads, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(accuracy >= CONFIDENT_ACCURACY)
    return float(leads[order][enough[-1]]) if len(enough) else 1.0


def _intervals(dataset: Dataset, answers: Predictions) -> dict[Emotion, float]:
    widths: dict[Emotion, float] = {}
    for column, emotion in enumerate(EMOTIONS):
        label = dataset.emotion[answers.track, column]
        known = ~np.isnan(label) & ~answers.phone
        if known.any():
            distance = np.sort(np.abs(label - answers.own_scale[:, column])[known])
            place = int(np.ceil((len(distance) + 1) * COVERAGE)) - 1
            widths[emotion] = float(min(distance[min(place, len(distance) - 1)], 1))
    return widths
