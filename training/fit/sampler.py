"""Draws batches: class-balanced sampling, and mixup."""

import numpy as np
import torch
from torch import Tensor

from training.types import Floats, Indices

MIN_CLASS_COUNT = 5  # a class with fewer tracks is drawn as if it had this many


class Sampler:
    """Draws tracks by class, an entry of each, and partners for mixup.

    Parameters
    ----------
    track_of : int64 [shape=(n_entries,)]
        Track of each entry.
    label : int64 [shape=(n_tracks,)]
        Class of each track, -1 for an unknown class.
    balance, mixup, mixup_alpha : float
        As in `fit.config`.
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
        self._probabilities = sampling_probabilities(label[self.tracks], balance)
        self._mixup, self._mixup_alpha = mixup, mixup_alpha
        self.rng = np.random.default_rng(seed)

    def draw(self, n: int) -> tuple[Indices, Indices]:
        """Return entries, and their tracks.

        Returns
        -------
        entries, tracks : int64 [shape=(n,)]
        """
        drawn = self.rng.choice(len(self.tracks), n, p=self._probabilities)
        entries = self._first[drawn] + self.rng.integers(self._count[drawn])
        return self._order[entries], self.tracks[drawn]

    def partners(self, n: int) -> tuple[Indices, Tensor]:
        """Return the mixup partner of each element of a batch, and the element's own share.

        Returns
        -------
        partners : int64 [shape=(n,)]
            Positions in the batch.
        shares : float32 [shape=(n,)]
            At least 0.5; all 1 for a batch without mixup.
        """
        if self.rng.random() >= self._mixup:
            return np.arange(n), torch.ones(n)
        drawn = self.rng.beta(self._mixup_alpha, self._mixup_alpha, n)
        larger = np.maximum(drawn, 1 - drawn).astype(np.float32)
        return self.rng.permutation(n), torch.from_numpy(larger)


def mix_up(inputs: Tensor, partners: Indices, shares: Tensor) -> Tensor:
    """Return the weighted mean of each input and its partner.

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
    """Return the probability of drawing each track, higher for rare classes.

    Parameters
    ----------
    label : int64 [shape=(n,)]
        Class of each track, -1 for an unknown class.
    balance : float
        As `fit.config.Config.balance`.

    Returns
    -------
    probabilities : float64 [shape=(n,)]
        Their sum is 1.
    """
    known = label >= 0
    counts = np.maximum(np.bincount(label[known], minlength=1), MIN_CLASS_COUNT).astype(float)
    weights = np.ones(len(label))
    weights[known] = counts[label[known]] ** -balance
    weights[~known] = np.median(weights[known]) if known.any() else 1
    return np.asarray(weights / weights.sum())
