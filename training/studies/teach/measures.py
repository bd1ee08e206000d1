"""Teaches heads on clips of a corpus, by the service's own code, and measures them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from service.heads.fit import (
    calibration_error,
    centres_of,
    cross_validate,
    fit,
    folds_of,
    limit,
    temperature,
)
from service.heads.scoring import distances, softmax
from training.studies.teach.clips import Clips
from training.types import Flags, Floats, Indices

FOLDS = 5
TRIES = 200  # until the recordings of each label are of two artists


@dataclass(frozen=True)
class Right:
    """How right some answers to the tested clips are.

    Attributes
    ----------
    recall : float64 [shape=(n_genres,)]
    accuracy, calibration : float
        Share of right answers, and the error of their probability.
    taught : float64 [shape=(n_genres,)]
        Recordings of each genre that were taught; NaN for the shipped model.
    """

    recall: Floats
    accuracy: float
    calibration: float
    taught: Floats


@dataclass(frozen=True)
class Claim:
    """What the card of a head says of it, and what is true of recordings by other artists."""

    accuracy: tuple[float, float]
    calibration: tuple[float, float]
    kept: tuple[float, float]


@dataclass(frozen=True)
class Novelty:
    """A head of all genres but one, and the limit of its distance.

    Attributes
    ----------
    kept : float
        Share of the clips of its genres that are not none of these.
    refused, other : float
        Share of the clips of the genre that was left out, and of other music, that are.
    auroc : float
        Area under the ROC curve of the distance, its own genres against the one left out.
    """

    kept: float
    refused: float
    other: float
    auroc: float


@dataclass(frozen=True)
class Subgenres:
    """A head of the subgenres of a genre, by cross-validation over artists."""

    genre: str
    names: list[str]
    tracks: list[int]
    artists: list[int]
    recall: list[float]
    left_out_refused: float


def draw(clips: Clips, pool: Flags, count: int, rng: np.random.Generator) -> Indices:
    """Draw recordings of each genre, `count` or as many as there are, of two artists or more."""
    chosen = []
    for genre in range(len(clips.genres)):
        places = np.flatnonzero(pool & (clips.genre == genre))
        for _ in range(TRIES):
            drawn = clips.one_of_each_track(rng.permutation(places))[:count]
            if len(np.unique(clips.artist[drawn])) > 1:
                break
        chosen.append(drawn)
    return np.concatenate(chosen)


def shipped(clips: Clips) -> Right:
    """Measure the shipped model."""
    tested = clips.tested
    none = np.full(len(clips.genres), np.nan)
    return _right(clips.shipped[tested], clips.genre[tested], none)


def taught(clips: Clips, places: Indices) -> Right:
    """Measure a head that is taught some clips of other artists than those tested."""
    tested = clips.tested
    label = clips.genre[places]
    probabilities = _calibrated(clips, places, clips.vectors[tested])
    return _right(probabilities, clips.genre[tested], np.bincount(label).astype(float))


def taught_unheard(clips: Clips, count: int, rng: np.random.Generator) -> Right:
    """Measure heads that are taught tested clips only, each for the artists of one fold."""
    tested = np.flatnonzero(clips.tested)
    label = clips.genre[tested]
    seed = int(rng.integers(2**31))
    fold = folds_of(label, clips.artist[tested], FOLDS, seed)
    probabilities, number = np.zeros((len(tested), len(clips.genres))), []
    for each in range(FOLDS):
        pool = np.zeros(len(clips.genre), np.bool_)
        pool[tested[fold != each]] = True
        places = draw(clips, pool, count, rng)
        number.append(np.bincount(clips.genre[places], minlength=len(clips.genres)))
        vectors = clips.vectors[tested[fold == each]]
        probabilities[fold == each] = _calibrated(clips, places, vectors)
    return _right(probabilities, label, np.mean(number, axis=0))


def _calibrated(clips: Clips, places: Indices, vectors: Floats) -> Floats:
    """Return the probabilities of a head for some vectors."""
    examples = clips.examples(places, clips.genre[places])
    fitted = fit(examples, len(clips.genres))
    heat = temperature(cross_validate(examples).scores, examples.label)
    return softmax(fitted.scores(vectors) / heat)


def _right(probabilities: Floats, truth: Indices, number: Floats) -> Right:
    right = probabilities.argmax(axis=1) == truth
    recall = [right[truth == genre].mean() for genre in np.unique(truth)]
    return Right(
        np.array(recall), float(right.mean()), calibration_error(probabilities, truth), number
    )


def claim(clips: Clips, places: Indices) -> Claim:
    """Compare the card of a head with the tested clips."""
    examples, tested = clips.examples(places, clips.genre[places]), clips.tested
    measured = cross_validate(examples)
    right = measured.probabilities.argmax(axis=1) == examples.label
    recall = [right[examples.label == genre].mean() for genre in np.unique(examples.label)]
    true = taught(clips, places)
    away = distances(clips.vectors[tested], centres_of(examples))
    kept = away <= limit(measured.distances)
    return Claim(
        (float(np.mean(recall)), float(true.recall.mean())),
        (calibration_error(measured.probabilities, examples.label), true.calibration),
        (float(measured.kept.mean()), float(kept.mean())),
    )


def left_out(clips: Clips, places: Indices, genre: int) -> Novelty:
    """Measure a head that is taught some clips, except those of one genre."""
    rest = places[clips.genre[places] != genre]
    label = np.unique(clips.genre[rest], return_inverse=True)[1]
    examples = clips.examples(rest, label)
    farthest, centres = limit(cross_validate(examples).distances), centres_of(examples)
    own = distances(clips.vectors[clips.tested & (clips.genre != genre)], centres)
    foreign = distances(clips.vectors[clips.tested & (clips.genre == genre)], centres)
    other = clips.test & (clips.genre < 0) & ~clips.uncertain
    music = distances(clips.vectors[other], centres)
    return Novelty(
        kept=float((own <= farthest).mean()),
        refused=float((foreign > farthest).mean()),
        other=float((music > farthest).mean()),
        auroc=auroc(own, foreign),
    )


def auroc(own: Floats, foreign: Floats) -> float:
    """Return the area under the ROC curve of distances that tell the foreign from one's own."""
    return float((own[:, None] < foreign).mean() + (own[:, None] == foreign).mean() / 2)


def subgenres(clips: Clips, genre: int, tracks: int, artists: int) -> Subgenres | None:
    """Measure a head of the subgenres that have enough tracks and artists; None without two."""
    places = clips.one_of_each_track(np.flatnonzero(clips.genre == genre))
    names = [
        name
        for name in np.unique(clips.subgenre[places]).tolist()
        if name
        and (clips.subgenre[places] == name).sum() >= tracks
        and len(np.unique(clips.artist[places][clips.subgenre[places] == name])) >= artists
    ]
    if len(names) < 2:
        return None
    places = places[np.isin(clips.subgenre[places], names)]
    label = np.array([names.index(name) for name in clips.subgenre[places]])
    examples = clips.examples(places, label)
    measured = cross_validate(examples)
    right = measured.probabilities.argmax(axis=1) == label
    return Subgenres(
        genre=clips.genres[genre],
        names=names,
        tracks=np.bincount(label).tolist(),
        artists=[len(np.unique(clips.artist[places][label == each])) for each in range(len(names))],
        recall=[float(right[label == each].mean()) for each in range(len(names))],
        left_out_refused=measured.left_out_refused,
    )


def mean(rights: Iterable[Right]) -> tuple[Right, float]:
    """Return the mean over several draws, and the spread of the mean recall."""
    rights = list(rights)
    spread = np.std([each.recall.mean() for each in rights], ddof=min(1, len(rights) - 1))
    return (
        Right(
            np.mean([each.recall for each in rights], axis=0),
            float(np.mean([each.accuracy for each in rights])),
            float(np.mean([each.calibration for each in rights])),
            np.mean([each.taught for each in rights], axis=0),
        ),
        float(spread),
    )
