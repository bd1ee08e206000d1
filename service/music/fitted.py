"""The fitted numbers, from ``fitted.npz``: `python -m training tempo-key` writes it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("fitted.npz")


@dataclass(frozen=True)
class TempoRanker:
    """A network of one hidden layer that scores the candidates of a tempo.

    Attributes
    ----------
    hidden : float32 [shape=(n_features, n_hidden)]
    hidden_bias, output : float32 [shape=(n_hidden,)]
    none : float
        Score of the possibility that there is no steady beat.
    """

    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    none: float

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of each candidate and, last, of none; they sum to 1.

        Parameters
        ----------
        features : float32 [shape=(n_candidates, n_features)]
            From `tempo.tempo_features`.
        """
        inside = np.einsum("cf,fh->ch", features, self.hidden) + self.hidden_bias
        scores = np.append(np.maximum(inside, 0) @ self.output, self.none).astype(np.float64)
        odds = np.exp(scores - scores.max())
        return np.asarray(odds / odds.sum())


@cache
def tempo_ranker() -> TempoRanker:
    """Return the ranker of tempi."""
    with np.load(FILE) as file:
        return TempoRanker(
            file["tempo_hidden"].astype(np.float32),
            file["tempo_hidden_bias"].astype(np.float32),
            file["tempo_output"].astype(np.float32),
            float(file["tempo_none"]),
        )


@cache
def key_weights() -> NDArray[np.float64]:
    """Return the weights of `key.key_features`; float64 [shape=(n_features,)]."""
    with np.load(FILE) as file:
        return np.asarray(file["key"], np.float64)
