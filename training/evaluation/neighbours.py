"""Measures the embedding by the nearest recordings of each recording, by cosine.

Genre is measured among recordings of other artists: those of the same artist are near for other
reasons. The student never heard a label; it heard what its teachers say of the recordings, except
of those in test.
"""

import numpy as np
from scipy.fft import dct

from service.card import FeatureFidelity, NeighbourRow
from training.data.dataset import Dataset
from training.fit.feature_cache import FeatureCache
from training.fit.student_file import TrainedStudent
from training.types import AnyFloats, Floats, Indices

NEIGHBOURS = 10
N_MFCC = 20
BATCH = 64
EMBEDDING, MFCC, CHANCE = "embedding", "MFCC means", "chance"

Shares = tuple[float, float, float | None]
"""Nearest of the same genre; precision at `NEIGHBOURS` for genre, and for artists."""


def measure_neighbours(dataset: Dataset, cache: FeatureCache) -> list[NeighbourRow]:
    """Measure embedding, MFCCs and chance over all recordings with a genre, and those in test.

    Returns
    -------
    rows : list of NeighbourRow
        None if the student has no embedding.
    """
    if cache.student.projection is None:
        return []
    labelled = np.flatnonzero(dataset.is_genre & ~dataset.synthetic)
    is_test = np.array([dataset.tracks[track].subset == "test" for track in labelled])
    vectors = {
        EMBEDDING: embeddings(dataset, cache, labelled),
        MFCC: mfcc_means(dataset, labelled),
    }
    rows = []
    for name, chosen in {"all": np.ones(len(labelled), bool), "test": is_test}.items():
        tracks = labelled[chosen]
        label, group = dataset.label[tracks], _numbers(dataset.groups[tracks])
        if len(np.unique(group)) < 2:  # nobody has a neighbour
            continue
        found = {what: shares(each[chosen], label, group) for what, each in vectors.items()}
        found[CHANCE] = chance(label, group)
        rows += [_row(what, name, len(tracks), each) for what, each in found.items()]
    return rows


def fidelity(student: TrainedStudent) -> list[FeatureFidelity]:
    """Return how closely the student's audio-features follow their teacher."""
    return [
        FeatureFidelity(
            feature=name,
            clips=scale.clips,
            spearman=round(scale.spearman, 4),
            absolute_error=round(scale.absolute_error, 4),
        )
        for name, scale in student.taught.items()
    ]


def embeddings(dataset: Dataset, cache: FeatureCache, tracks: Indices) -> Floats:
    """Return the embedding of each track as the service computes it: mean, then unit length.

    Windows are not left out for silence, of which a corpus has little.
    """
    project = cache.student.projection
    assert project is not None  # noqa: S101 - `measure_neighbours` asked
    rows = dataset.rows("raw", tracks)
    return _unit(_by_track(dataset, rows, tracks, project(cache.features(rows).numpy())))


def mfcc_means(dataset: Dataset, tracks: Indices) -> Floats:
    """Return standardised means of `N_MFCC` cepstral coefficients of each track, of unit length."""
    rows = dataset.rows("raw", tracks)
    levels = [
        dataset.spectrograms(rows[start : start + BATCH]).mean(axis=2)
        for start in range(0, len(rows), BATCH)
    ]
    # the transform is linear: that of a mean is the mean of those of the frames
    coefficients = dct(np.concatenate(levels), axis=1, norm="ortho")[:, :N_MFCC]
    means = _by_track(dataset, rows, tracks, coefficients)
    return _unit((means - means.mean(axis=0)) / np.maximum(means.std(axis=0), 1e-9))


def shares(vectors: AnyFloats, label: Indices, group: Indices) -> Shares:
    """Return the shares of neighbours of the same kind.

    Parameters
    ----------
    vectors : float [shape=(n, n_dimensions)]
        Of unit length.
    label, group : int64 [shape=(n,)]
        At least two groups.
    """
    nearest, genre, artist = [], [], []
    for place, vector in enumerate(vectors):  # one by one: all pairs need much memory
        distance = -(vectors @ vector)
        order = np.argsort(distance, kind="stable")
        order = order[order != place]
        others = order[group[order] != group[place]][:NEIGHBOURS]
        same = label[others] == label[place]
        nearest.append(same[0])
        genre.append(same.mean())
        if (group[order] == group[place]).any():
            artist.append((group[order[:NEIGHBOURS]] == group[place]).mean())
    return float(np.mean(nearest)), float(np.mean(genre)), _mean(artist)


def chance(label: Indices, group: Indices) -> Shares:
    """Return the expected shares for a random order."""
    genre, artist = [], []
    for place in range(len(label)):
        others = group != group[place]
        genre.append((label[others] == label[place]).mean())
        if (same := (~others).sum() - 1) > 0:
            artist.append(same / (len(label) - 1))
    return float(np.mean(genre)), float(np.mean(genre)), _mean(artist)


def _row(vectors: str, recordings: str, clips: int, found: Shares) -> NeighbourRow:
    nearest, genre, artist = found
    return NeighbourRow(
        vectors=vectors,
        recordings=recordings,
        clips=clips,
        nearest_genre=round(nearest, 4),
        genre_precision=round(genre, 4),
        artist_precision=None if artist is None else round(artist, 4),
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _numbers(groups: np.ndarray) -> Indices:
    """Return a number for each group: numbers are compared faster than names."""
    return np.unique(groups, return_inverse=True)[1]


def _by_track(dataset: Dataset, rows: Indices, tracks: Indices, values: AnyFloats) -> Floats:
    """Return the mean over the rows of each track; tracks ascend, and each has a row."""
    places = np.searchsorted(tracks, dataset.track_of[rows])
    sums = np.zeros((len(tracks), values.shape[1]))
    np.add.at(sums, places, values)
    return np.asarray(sums / np.bincount(places)[:, None])


def _unit(vectors: Floats) -> Floats:
    """Return vectors of unit length."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
