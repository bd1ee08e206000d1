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
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax
from sklearn.metrics import log_loss, roc_curve

from service.card import EMOTIONS, Emotion, Thresholds
from service.verdict import margins
from training.described import Described
from training.networks import FifteenNetwork, answer
from training.prepare import TAKES
from training.prepared import Prepared, Rows

Floats = NDArray[np.float64]

SILENCE_DBFS = -60.0  # peak; a phone's own noise lies above, so this is a muted microphone
COVERAGE = 0.8
CONFIDENT_ACCURACY = 0.9
TEMPERATURES = (0.2, 5.0)
BATCH = 64


@dataclass(frozen=True)
class Heard:
    """What networks say of rows, before calibration.

    Attributes
    ----------
    rows : int64 [shape=(n,)]
        Of the prepared folder; takes ``heard`` and ``phone``.
    classes : float64 [shape=(n, n_classes)]
        Logits.
    emotion : float64 [shape=(n, 3)]
        Scores on the common scale.
    own_scale : float64 [shape=(n, 3)]
        Scores on the scale of each label's origin.
    """

    rows: Rows
    classes: Floats
    emotion: Floats
    own_scale: Floats

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        prepared: Prepared,
        described: Described,
        network: FifteenNetwork,
        tracks: Rows,
    ) -> "Heard":
        """Have a network answer to all windows of some tracks."""
        rows = np.concatenate([prepared.rows(take, tracks) for take in ("heard", "phone")])
        each = []
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            log_mel = torch.from_numpy(prepared.spectrograms(some))
            each.append(network.logits(log_mel, torch.from_numpy(described.values[some])))
        classes, emotion = (torch.cat(parts) for parts in zip(*each, strict=True))
        offsets = network.offsets(torch.from_numpy(prepared.origin[prepared.track_of[rows]]))
        scores = [expit(part.double().numpy()) for part in (emotion, emotion + offsets)]
        return cls(rows, classes.double().numpy(), *scores)

    @classmethod
    def joined(cls, parts: list["Heard"]) -> "Heard":
        """Put the answers to disjoint tracks together."""
        names = ("rows", "classes", "emotion", "own_scale")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


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


@dataclass(frozen=True)
class Clips:
    """Calibrated answers by recording and take: the mean over its windows, as in the service.

    Attributes
    ----------
    track : int64 [shape=(n,)]
    phone : bool [shape=(n,)]
        Whether it is the take of a phone.
    genres : float64 [shape=(n, n_genres)]
    music, known : float64 [shape=(n,)]
    emotion, own_scale : float64 [shape=(n, 3)]
    """

    track: Rows
    phone: NDArray[np.bool_]
    genres: Floats
    music: Floats
    known: Floats
    emotion: Floats
    own_scale: Floats


def windows(prepared: Prepared, heard: Heard, temperature: float) -> tuple[Floats, Floats, Floats]:
    """Return genre probabilities, `music` and `known` of each row."""
    said = answer(
        torch.from_numpy(heard.classes),
        torch.from_numpy(heard.emotion),
        len(prepared.genres),
        temperature,
    )
    return said.genres.numpy(), said.music.numpy(), said.known.numpy()


def clips(prepared: Prepared, heard: Heard, temperature: float) -> Clips:
    """Average the answers to the windows of each recording and take."""
    genres, music, known = windows(prepared, heard, temperature)
    phone = prepared.take_of[heard.rows] == TAKES.index("phone")
    keys = np.stack([prepared.track_of[heard.rows], phone], axis=1)
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    counts = np.bincount(place)

    def mean(values: Floats) -> Floats:
        sums = np.zeros((len(unique), values.shape[1]))
        np.add.at(sums, place, values)
        return sums / counts[:, None]

    return Clips(
        track=unique[:, 0],
        phone=unique[:, 1].astype(bool),
        genres=mean(genres),
        music=mean(music[:, None])[:, 0],
        known=mean(known[:, None])[:, 0],
        emotion=mean(heard.emotion),
        own_scale=mean(heard.own_scale),
    )


def calibrate(prepared: Prepared, heard: Heard) -> Calibration:
    """Choose temperature, thresholds and intervals.

    Parameters
    ----------
    prepared : Prepared
    heard : Heard
        Answers to validation tracks.
    """
    temperature = _temperature(prepared, heard)
    answers = clips(prepared, heard, temperature)
    return Calibration(temperature, _thresholds(prepared, answers), _intervals(prepared, answers))


def validation(
    prepared: Prepared, heard: Heard, calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Measure validation tracks, to choose between configurations.

    Returns
    -------
    figures : dict
        For the takes ``heard`` and ``phone``, over recordings that have a genre: ``accuracy`` and
        ``negative_log_likelihood``, a mean.
    """
    answers = clips(prepared, heard, calibration.temperature)
    figures = {}
    for take, phone in (("heard", False), ("phone", True)):
        chosen = prepared.is_genre[answers.track] & (answers.phone == phone)
        genres, labels = answers.genres[chosen], prepared.label[answers.track][chosen]
        figures[take] = {
            "accuracy": float((genres.argmax(axis=1) == labels).mean()),
            "negative_log_likelihood": float(
                log_loss(labels, genres, labels=range(len(prepared.genres)))
            ),
        }
    return figures


def _temperature(prepared: Prepared, heard: Heard) -> float:
    """Return the temperature of the highest likelihood of the genres' windows."""
    n_genres = len(prepared.genres)
    labels = prepared.label[prepared.track_of[heard.rows]]
    chosen = (labels >= 0) & (labels < n_genres)
    logits, labels = heard.classes[chosen, :n_genres], labels[chosen]

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def _thresholds(prepared: Prepared, answers: Clips) -> Thresholds:
    genre = prepared.is_genre[answers.track]
    music = prepared.is_music[answers.track]
    other = music & (prepared.label[answers.track] >= len(prepared.genres))
    right = answers.genres.argmax(axis=1) == prepared.label[answers.track]
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


def _margin(leads: Floats, right: NDArray[np.bool_]) -> float:
    """Return the least lead from which on answers are right often enough."""
    order = np.argsort(-leads, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(accuracy >= CONFIDENT_ACCURACY)
    return float(leads[order][enough[-1]]) if len(enough) else 1.0


def _intervals(prepared: Prepared, answers: Clips) -> dict[Emotion, float]:
    widths: dict[Emotion, float] = {}
    for column, emotion in enumerate(EMOTIONS):
        label = prepared.emotion[answers.track, column]
        known = ~np.isnan(label) & ~answers.phone
        if known.any():
            distance = np.sort(np.abs(label - answers.own_scale[:, column])[known])
            place = int(np.ceil((len(distance) + 1) * COVERAGE)) - 1
            widths[emotion] = float(min(distance[min(place, len(distance) - 1)], 1))
    return widths
