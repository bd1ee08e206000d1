"""What a head computes from embeddings; fitting and serving share it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def distances(vectors: Floats, centres: Floats) -> Floats:
    """Return the distance of each vector to the nearest centre: 1 less their cosine.

    Parameters
    ----------
    vectors : float64 [shape=(n, n_dimensions)]
        Of length 1, or 0 for a recording without an embedding.
    centres : float64 [shape=(n_centres, n_dimensions)]
        Of length 1.

    Returns
    -------
    distances : float64 [shape=(n,)], in [0, 2]
    """
    return np.asarray(np.clip(1 - (vectors @ centres.T).max(axis=1), 0, 2))


def softmax(scores: Floats) -> Floats:
    """Return probabilities; [shape=(n, n_labels)]."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
