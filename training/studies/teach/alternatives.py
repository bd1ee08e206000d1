"""Compares ways to fit a head and to measure a distance, on the validation part.

The service has what is best, or as good and simpler, where five recordings of a label are taught.
"""

from collections.abc import Callable

import numpy as np

from service.heads.fit import Examples, centres_of, fit
from service.heads.scoring import distances, softmax
from training.studies.teach.clips import Clips
from training.studies.teach.measures import auroc, draw
from training.types import Floats, Indices

SHRINKAGE = 0.3  # of a covariance towards one of equal variances


def scalings(clips: Clips, counts: tuple[int, ...], draws: int) -> dict[str, list[float]]:
    """Return the mean recall of heads, by the scaling of the vectors and the number taught."""
    found: dict[str, list[float]] = {"one number": [], "each dimension by its own": []}
    for count in counts:
        for name, recalls in found.items():
            rng = np.random.default_rng(0)  # the same draws for both
            drawn = [draw(clips, clips.pool & ~clips.valid, count, rng) for _ in range(draws)]
            own = name != "one number"
            recalls.append(float(np.mean([_recall(clips, each, own=own) for each in drawn])))
    return found


def _recall(clips: Clips, places: Indices, *, own: bool) -> float:
    vectors, asked = clips.vectors, clips.valid & (clips.genre >= 0)
    if own:
        vectors = vectors / vectors[places].std(axis=0)
    examples = Examples(vectors[places], clips.genre[places], clips.artist[places])
    answer = fit(examples, len(clips.genres)).scores(vectors[asked]).argmax(axis=1)
    truth = clips.genre[asked]
    return float(np.mean([(answer == truth)[truth == each].mean() for each in np.unique(truth)]))


def _to_centres(examples: Examples, vectors: Floats) -> Floats:
    return distances(vectors, centres_of(examples))


def _to_recordings(examples: Examples, vectors: Floats) -> Floats:
    return distances(vectors, examples.vectors)


def _mahalanobis(examples: Examples, vectors: Floats) -> Floats:
    """Return the distance to the nearest label's mean by the covariance within the labels."""
    label = examples.label
    means = np.stack([examples.vectors[label == each].mean(axis=0) for each in np.unique(label)])
    within = examples.vectors - means[label]
    covariance = within.T @ within / len(within)
    size = len(covariance)
    equal = np.trace(covariance) / size * np.eye(size)
    inverse = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * equal)
    between = vectors[:, None] - means[None]
    return np.asarray(np.einsum("nld,de,nle->nl", between, inverse, between).min(axis=1))


def _by_probability(examples: Examples, vectors: Floats) -> Floats:
    fitted = fit(examples, int(examples.label.max()) + 1)
    return np.asarray(-softmax(fitted.scores(vectors)).max(axis=1))


DISTANCES: dict[str, Callable[[Examples, Floats], Floats]] = {
    "1 less the cosine to the mean of the nearest label": _to_centres,
    "1 less the cosine to the nearest recording": _to_recordings,
    "Mahalanobis, one shrunk covariance": _mahalanobis,
    "1 less the top probability": _by_probability,
}


def novelties(clips: Clips, counts: tuple[int, ...], draws: int) -> dict[str, list[float]]:
    """Return the area under the ROC curve of distances, by the number of recordings taught.

    A genre that is left out is told from the others; the mean over the genres and the draws.
    """
    found: dict[str, list[float]] = {name: [] for name in DISTANCES}
    asked = clips.valid & (clips.genre >= 0)
    vectors, truth = clips.vectors[asked], clips.genre[asked]
    for count in counts:
        rng = np.random.default_rng(0)
        areas: dict[str, list[float]] = {name: [] for name in DISTANCES}
        for places in [draw(clips, clips.pool & ~clips.valid, count, rng) for _ in range(draws)]:
            for genre in range(len(clips.genres)):
                rest = places[clips.genre[places] != genre]
                label = np.unique(clips.genre[rest], return_inverse=True)[1]
                examples = clips.examples(rest, label)
                for name, distance in DISTANCES.items():
                    away = distance(examples, vectors)
                    areas[name].append(auroc(away[truth != genre], away[truth == genre]))
        for name, values in areas.items():
            found[name].append(float(np.mean(values)))
    return found
