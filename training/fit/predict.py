"""What networks predict of tracks."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import expit

from training.data.dataset import Dataset
from training.data.takes import TAKES
from training.fit.descriptor_cache import DescriptorCache
from training.models.ensemble import Ensemble, probabilities
from training.types import Flags, Floats, Indices

BATCH = 64


@dataclass(frozen=True)
class Logits:
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

    rows: Indices
    classes: Floats
    emotion: Floats
    own_scale: Floats

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        dataset: Dataset,
        described: DescriptorCache,
        network: Ensemble,
        tracks: Indices,
    ) -> "Logits":
        """Have a network answer to all windows of some tracks."""
        rows = np.concatenate([dataset.rows(take, tracks) for take in ("heard", "phone")])
        each = []
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            log_mel = torch.from_numpy(dataset.spectrograms(some))
            each.append(network.logits(log_mel, torch.from_numpy(described.values[some])))
        classes, emotion = (torch.cat(parts) for parts in zip(*each, strict=True))
        offsets = network.offsets(torch.from_numpy(dataset.origin[dataset.track_of[rows]]))
        scores = [expit(part.double().numpy()) for part in (emotion, emotion + offsets)]
        return cls(rows, classes.double().numpy(), *scores)

    @classmethod
    def joined(cls, parts: list["Logits"]) -> "Logits":
        """Put the answers to disjoint tracks together."""
        names = ("rows", "classes", "emotion", "own_scale")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Predictions:
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

    track: Indices
    phone: Flags
    genres: Floats
    music: Floats
    known: Floats
    emotion: Floats
    own_scale: Floats


def windows(dataset: Dataset, heard: Logits, temperature: float) -> tuple[Floats, Floats, Floats]:
    """Return genre probabilities, `music` and `known` of each row."""
    said = probabilities(
        torch.from_numpy(heard.classes),
        torch.from_numpy(heard.emotion),
        len(dataset.genres),
        temperature,
    )
    return said.genres.numpy(), said.music.numpy(), said.known.numpy()


def clips(dataset: Dataset, heard: Logits, temperature: float) -> Predictions:
    """Average the answers to the windows of each recording and take."""
    genres, music, known = windows(dataset, heard, temperature)
    phone = dataset.take_of[heard.rows] == TAKES.index("phone")
    keys = np.stack([dataset.track_of[heard.rows], phone], axis=1)
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    counts = np.bincount(place)

    def mean(values: Floats) -> Floats:
        sums = np.zeros((len(unique), values.shape[1]))
        np.add.at(sums, place, values)
        return sums / counts[:, None]

    return Predictions(
        track=unique[:, 0],
        phone=unique[:, 1].astype(bool),
        genres=mean(genres),
        music=mean(music[:, None])[:, 0],
        known=mean(known[:, None])[:, 0],
        emotion=mean(heard.emotion),
        own_scale=mean(heard.own_scale),
    )
