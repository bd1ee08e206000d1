"""Fits a head to the embeddings of labelled recordings, and measures it by cross-validation.

The head is a multinomial logistic regression with an L2 penalty. Every label has the same weight,
whatever its number of recordings. The vectors are centred and divided by one number, not by one
for each dimension: the lengths of the dimensions have a meaning. `PENALTY` and `KEPT` are the same
for all heads, so that no figure of a head depends on a choice among several.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from service.heads.scoring import Floats, distances, softmax

FOLDS = 5
PENALTY = 3e-2
KEPT = 0.9  # share of the recordings of the labels that the limit of the distance keeps
TEMPERATURES = (0.05, 20.0)  # least and most
BINS = 10
TINY = 1e-12

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Examples:
    """Labelled recordings.

    Attributes
    ----------
    vectors : float64 [shape=(n, n_dimensions)]
        Embeddings of length 1.
    label : int64 [shape=(n,)]
        From 0; every label has recordings.
    group : int64 [shape=(n,)]
        Recordings of a group, such as an album, are on the same side of every split.
    """

    vectors: Floats
    label: Indices
    group: Indices

    def chosen(self, some: Flags) -> "Examples":
        """Return the examples that a mask selects."""
        return Examples(self.vectors[some], self.label[some], self.group[some])


@dataclass(frozen=True)
class Fitted:
    """What is fitted to examples.

    Attributes
    ----------
    weights : float64 [shape=(n_labels, n_dimensions)]
    bias : float64 [shape=(n_labels,)]
    """

    weights: Floats
    bias: Floats

    def scores(self, vectors: Floats) -> Floats:
        """Return the score of each label; [shape=(n, n_labels)]."""
        return np.asarray(vectors @ self.weights.T + self.bias)


@dataclass(frozen=True)
class Measured:
    """A head's answers to recordings of groups that it was not taught on.

    Attributes
    ----------
    folds : int
    scores : float64 [shape=(n, n_labels)]
        Not calibrated.
    probabilities : float64 [shape=(n, n_labels)]
        Calibrated on the other folds.
    distances : float64 [shape=(n,)]
    kept : bool [shape=(n,)]
        Whether the distance is within the limit of the other folds.
    left_out_refused : float
        Mean over the labels of the share of its recordings that are beyond the limit of a head
        without that label.
    """

    folds: int
    scores: Floats
    probabilities: Floats
    distances: Floats
    kept: Flags
    left_out_refused: float


def fit(examples: Examples, count: int) -> Fitted:
    """Fit the scores of `count` labels, each of which has examples."""
    share = equal_shares(examples.label)
    mean = share @ examples.vectors
    spread = np.sqrt(max(float((share @ (examples.vectors - mean) ** 2).mean()), TINY))
    found = _regression((examples.vectors - mean) / spread, examples.label, count)
    weights = found[:-1].T / spread
    return Fitted(weights, found[-1] - weights @ mean)


def _regression(vectors: Floats, label: Indices, count: int) -> Floats:
    """Return weights, the last row of which is the bias; [shape=(n_dimensions + 1, n_labels)]."""
    truth, share = np.eye(count)[label], equal_shares(label)[:, None]
    dimensions = vectors.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(dimensions + 1, count)
        probabilities = softmax(vectors @ weights[:-1] + weights[-1])
        right = np.maximum(probabilities[truth == 1], TINY)
        slope = (probabilities - truth) * share
        gradient = np.vstack(
            [vectors.T @ slope + 2 * PENALTY * weights[:-1], slope.sum(axis=0, keepdims=True)]
        )
        value = -float(share[:, 0] @ np.log(right))
        return value + PENALTY * float((weights[:-1] ** 2).sum()), gradient.ravel()

    start = np.zeros((dimensions + 1) * count)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return np.asarray(found).reshape(dimensions + 1, count)


def equal_shares(label: Indices) -> Floats:
    """Return a weight for each recording: the same for every label, 1 in sum."""
    _, place, counts = np.unique(label, return_inverse=True, return_counts=True)
    return np.asarray(1 / counts[place] / len(counts))


def centres_of(examples: Examples) -> Floats:
    """Return the mean vector of each label that has examples, of length 1."""
    means = [
        examples.vectors[examples.label == label].mean(axis=0)
        for label in np.unique(examples.label)
    ]
    return np.stack([mean / max(float(np.linalg.norm(mean)), TINY) for mean in means])


def number_of_folds(label: Indices, group: Indices) -> int:
    """Return `FOLDS`, or the smallest number of groups of a label if that is less."""
    return min(FOLDS, *(len(np.unique(group[label == each])) for each in np.unique(label)))


def folds_of(label: Indices, group: Indices, folds: int, seed: int = 0) -> Indices:
    """Divide recordings into folds: all of a group into one, and each label evenly.

    Parameters
    ----------
    label, group : int64 [shape=(n,)]
    folds : int
    seed : int

    Returns
    -------
    fold : int64 [shape=(n,)]
    """
    names, group = np.unique(group, return_inverse=True)
    share = np.zeros((len(names), int(label.max()) + 1))
    np.add.at(share, (group, label), 1 / np.bincount(label)[label])
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-share.sum(axis=1)[order], kind="stable")]  # the largest first
    filled, place = np.zeros((folds, share.shape[1])), np.zeros(len(names), np.int64)
    for each in order:
        of_its_labels = filled @ share[each]
        place[each] = np.lexsort((filled.sum(axis=1), of_its_labels))[0]
        filled[place[each]] += share[each]
    return np.asarray(place[group])


def cross_validate(examples: Examples) -> Measured:
    """Measure a head on recordings of groups that it was not taught on.

    Parameters
    ----------
    examples : Examples
        Every label has at least two groups.
    """
    label, count = examples.label, int(examples.label.max()) + 1
    folds = number_of_folds(label, examples.group)
    fold = folds_of(label, examples.group, folds)
    scores, probabilities = np.zeros((len(fold), count)), np.zeros((len(fold), count))
    for each in range(folds):
        fitted = fit(examples.chosen(fold != each), count)
        scores[fold == each] = fitted.scores(examples.vectors[fold == each])
    away, kept = _held_out_distances(examples, fold), np.zeros(len(fold), bool)
    for each in range(folds):
        rest, own = fold != each, fold == each
        probabilities[own] = softmax(scores[own] / temperature(scores[rest], label[rest]))
        kept[own] = away[own] <= limit(away[rest])
    refused = [_refused_without(examples, fold, each) for each in range(count)]
    return Measured(folds, scores, probabilities, away, kept, float(np.mean(refused)))


def _held_out_distances(examples: Examples, fold: Indices) -> Floats:
    """Return the distance of each recording to the centres of the other folds."""
    away = np.zeros(len(fold))
    for each in np.unique(fold):
        centres = centres_of(examples.chosen(fold != each))
        away[fold == each] = distances(examples.vectors[fold == each], centres)
    return away


def _refused_without(examples: Examples, fold: Indices, label: int) -> float:
    """Return the share of a label's recordings beyond the limit of a head without that label."""
    own = examples.label == label
    others = examples.chosen(~own)
    beyond = limit(_held_out_distances(others, fold[~own]))
    return float((distances(examples.vectors[own], centres_of(others)) > beyond).mean())


def temperature(scores: Floats, label: Indices) -> float:
    """Return the temperature under which the labels are the most likely; all weigh the same."""
    share = equal_shares(label)

    def loss(logarithm: float) -> float:
        right = softmax(scores / np.exp(logarithm))[np.arange(len(label)), label]
        return -float(share @ np.log(np.maximum(right, TINY)))

    bounds = np.log(TEMPERATURES).tolist()
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def limit(away: Floats) -> float:
    """Return the distance that keeps `KEPT` of new recordings, as a split conformal set does.

    Of fewer than nine distances it is the largest.
    """
    rank = min(len(away), int(np.ceil((len(away) + 1) * KEPT)))
    return float(np.sort(away)[rank - 1])


def calibration_error(probabilities: Floats, label: Indices) -> float:
    """Return the expected calibration error of the top label; all labels weigh the same."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == label
    place = np.minimum((top * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(place, (top - right) * equal_shares(label), BINS)).sum())


def confusion(truth: Sequence[int] | Indices, answer: Sequence[int] | Indices, n: int) -> Indices:
    """Return the number of recordings by truth (rows) and answer (columns)."""
    counts = np.zeros((n, n), np.int64)
    np.add.at(counts, (np.asarray(truth), np.asarray(answer)), 1)
    return counts
