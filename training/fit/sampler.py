"""Draws what a batch is made of."""

import numpy as np
import torch
from torch import Tensor

from training.types import Floats, Indices

SMALLEST_CLASS = 5  # tracks; a rarer class is drawn as if it had so many


class Sampler:
    """Draws tracks by class, some window of each, and whom to blend each with.

    Parameters
    ----------
    track_of : int64 [shape=(n_entries,)]
        Track of each entry that may be drawn.
    label : int64 [shape=(n_tracks,)]
        Class of each track, -1 where it is not known.
    balance, mixup, mixup_alpha : float
        As in `runs.Config`.
    seed : int
    """

    def __init__(
        self,
        track_of: Indices,
        label: Indices,
        *,
        balance: float,
        mixup: float,
        mixup_alpha: float,
        seed: int,
    ) -> None:
        self._order = np.argsort(track_of, kind="stable")
        self.tracks, self._first, self._count = np.unique(
            track_of[self._order], return_index=True, return_counts=True
        )
        self._shares = sampling_probabilities(label[self.tracks], balance)
        self._mixup, self._mixup_alpha = mixup, mixup_alpha
        self.rng = np.random.default_rng(seed)

    def draw(self, n: int) -> tuple[Indices, Indices]:
        """Return entries, and their tracks.

        Returns
        -------
        entries, tracks : int64 [shape=(n,)]
        """
        drawn = self.rng.choice(len(self.tracks), n, p=self._shares)
        entries = self._first[drawn] + self.rng.integers(self._count[drawn])
        return self._order[entries], self.tracks[drawn]

    def partners(self, n: int) -> tuple[Indices, Tensor]:
        """Return with whom each of a batch is blended, and how much of itself is left.

        Returns
        -------
        partners : int64 [shape=(n,)]
            Places in the batch.
        shares : float32 [shape=(n,)]
            From 0.5; all 1 where the batch is not blended.
        """
        if self.rng.random() >= self._mixup:
            return np.arange(n), torch.ones(n)
        drawn = self.rng.beta(self._mixup_alpha, self._mixup_alpha, n)
        larger = np.maximum(drawn, 1 - drawn).astype(np.float32)
        return self.rng.permutation(n), torch.from_numpy(larger)


def blend(inputs: Tensor, partners: Indices, shares: Tensor) -> Tensor:
    """Blend a batch in pairs.

    Zhang et al., "mixup: Beyond empirical risk minimization", 2018.

    Parameters
    ----------
    inputs : float32 [shape=(n, ...)]
    partners : int64 [shape=(n,)]
    shares : float32 [shape=(n,)]
        As `Sampler.partners` returns them.
    """
    weights = shares.to(inputs.device).reshape(-1, *[1] * (inputs.dim() - 1))
    return torch.lerp(inputs[torch.from_numpy(partners)], inputs, weights)


def sampling_probabilities(label: Indices, balance: float) -> Floats:
    """Return how often to draw each track: those of rare classes more often.

    Parameters
    ----------
    label : int64 [shape=(n,)]
        Class of each track, -1 where it is not known.
    balance : float
        Power of a class's count by which its tracks are drawn less often.

    Returns
    -------
    shares : float64 [shape=(n,)]
        They sum to 1.
    """
    known = label >= 0
    counts = np.maximum(np.bincount(label[known], minlength=1), SMALLEST_CLASS).astype(float)
    shares = np.ones(len(label))
    shares[known] = counts[label[known]] ** -balance
    shares[~known] = np.median(shares[known]) if known.any() else 1
    return np.asarray(shares / shares.sum())
