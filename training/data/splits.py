"""Splits tracks into training and test data; no group is on both sides."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.types import Flags, Indices

FIXED = "fixed"
FOLDS = 5
FOLD_SEED = 15
WITHOUT = "without-"  # prefix of the names of splits that leave out a source
MIN_SOURCE_TRACKS = 50  # with a genre, for a source to be left out


@dataclass(frozen=True)
class Split:
    """Tracks to develop a model with, and tracks to test it on.

    Attributes
    ----------
    name : str
    develop : int64 [shape=(n,)]
        Tracks for training, model selection and calibration, including synthetic ones.
    test : int64 [shape=(m,)]
        Tracks to measure. None of them is synthetic music.
    """

    name: str
    develop: Indices
    test: Indices


@dataclass(frozen=True)
class Fold:
    """The tracks that one member of an ensemble trains on, and those it is validated on.

    Attributes
    ----------
    train, valid : int64 [shape=(n,)]
    """

    train: Indices
    valid: Indices


def fixed_split(dataset: Dataset) -> Split:
    """Return the split of the corpus."""
    return _split(dataset, FIXED, np.array([t.subset == "test" for t in dataset.tracks]))


def cross_validation(dataset: Dataset) -> list[Split]:
    """Return `FOLDS` splits; each track is in the test part of exactly one.

    Raises
    ------
    CorpusError
        If there are too few groups.
    """
    measured = np.flatnonzero(~_is_dance_music(dataset))
    everything = np.arange(len(dataset.tracks))
    return [
        _split(dataset, f"fold-{number}", np.isin(everything, test))
        for number, test in enumerate(_grouped_folds(dataset, measured, FOLDS, FOLD_SEED))
    ]


def source_folds(dataset: Dataset, develop: Indices) -> Iterator[tuple[str, Fold]]:
    """Yield each large source, and the fold that is validated on it and trained without it.

    A source whose genres no other source has is omitted, as in `leave_one_source_out`.
    """
    for split in leave_one_source_out(dataset):
        valid = np.intersect1d(split.test, develop)
        train = np.intersect1d(split.develop, develop)
        genres = dataset.label[valid[dataset.is_genre[valid]]]
        if len(valid) and set(genres) <= set(dataset.label[train]):
            yield split.name.removeprefix(WITHOUT), Fold(train, valid)


def leave_one_source_out(dataset: Dataset) -> list[Split]:
    """Return a split for each large source, whose tracks are the test part.

    Groups of the source are not in the other part either, not even with tracks of another source.
    A source is omitted if one of its genres is in no other source.
    """
    sources = np.array([track.source for track in dataset.tracks])
    labelled = dataset.is_genre & ~dataset.synthetic
    found = []
    for source in sorted(set(sources[labelled])):
        inside = labelled & (sources == source)
        split = _split(dataset, f"{WITHOUT}{source}", sources == source)
        elsewhere = set(dataset.label[np.intersect1d(split.develop, np.flatnonzero(labelled))])
        if inside.sum() >= MIN_SOURCE_TRACKS and set(dataset.label[inside]) <= elsewhere:
            found.append(split)
    return found


def member_folds(dataset: Dataset, develop: Indices, count: int, seed: int) -> Iterator[Fold]:
    """Divide tracks among the members of an ensemble.

    The validation parts are disjoint and cover every track eligible for validation.

    Raises
    ------
    CorpusError
        If there are too few groups.
    """
    eligible = develop[~_is_dance_music(dataset)[develop]]
    for valid in _grouped_folds(dataset, eligible, count, seed):
        yield Fold(np.setdiff1d(develop, valid), valid)


def _split(dataset: Dataset, name: str, test: Flags) -> Split:
    in_test = np.isin(dataset.groups, dataset.groups[test])
    measured = test & ~_is_dance_music(dataset)
    return Split(name, np.flatnonzero(~in_test), np.flatnonzero(measured))


def _is_dance_music(dataset: Dataset) -> Flags:
    """Return which tracks are synthetic music, which is for training only."""
    return np.asarray(dataset.synthetic & dataset.is_music)


def _grouped_folds(dataset: Dataset, tracks: Indices, count: int, seed: int) -> list[Indices]:
    """Divide tracks by group, with about the same share of each class."""
    n_groups = len(np.unique(dataset.groups[tracks]))
    largest_class = np.bincount(dataset.label[tracks] + 1, minlength=1).max()
    if min(n_groups, largest_class) < count:
        raise CorpusError(
            f"{n_groups} albums or artists cannot be divided by {count}: add more, each with a "
            "genre."
        )
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class with fewer tracks than folds is missing from some
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        divided = folds.split(tracks, dataset.label[tracks], dataset.groups[tracks])
        return [tracks[held_out] for _, held_out in divided]
