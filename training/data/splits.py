"""Which tracks a model learns from, and which it is measured on; no group is on two sides."""

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
MIN_SOURCE_TRACKS = 50  # tracks with a genre, to leave a source out


@dataclass(frozen=True)
class Split:
    """One way to divide the tracks.

    Attributes
    ----------
    name : str
    learn : int64 [shape=(n,)]
        Tracks to train, choose and calibrate with; made ones among them.
    test : int64 [shape=(m,)]
        Tracks to measure. None of them is synthesised music.
    """

    name: str
    learn: Indices
    test: Indices


@dataclass(frozen=True)
class Fold:
    """What a member of a model learns from, and what it is chosen and calibrated on.

    Attributes
    ----------
    train, valid : int64 [shape=(n,)]
        Tracks.
    """

    train: Indices
    valid: Indices


def fixed(dataset: Dataset) -> Split:
    """Return the split that the corpus brings."""
    test = np.array([track.subset == "test" for track in dataset.tracks])
    return _division(dataset, FIXED, test)


def folds(dataset: Dataset) -> list[Split]:
    """Return `FOLDS` divisions; each track is in the test part of exactly one.

    Raises
    ------
    CorpusError
        If there are too few groups to divide.
    """
    measured = np.flatnonzero(~_dance_music(dataset))
    parts = _grouped_folds(dataset, measured, FOLDS, FOLD_SEED)
    return [_from_tracks(dataset, f"fold-{i}", part) for i, part in enumerate(parts)]


def leave_one_source_out(dataset: Dataset) -> list[Split]:
    """Return a division for each large source: its genres are learnt from the others alone.

    Groups that are in the source are not learnt from at all, wherever else they are.
    """
    sources = np.array([track.source for track in dataset.tracks])
    labelled = dataset.is_genre & ~dataset.synthetic
    found = []
    for source in sorted(set(sources[labelled])):
        inside = labelled & (sources == source)
        split = _division(dataset, f"without-{source}", sources == source)
        elsewhere = set(dataset.label[np.intersect1d(split.learn, np.flatnonzero(labelled))])
        if inside.sum() >= MIN_SOURCE_TRACKS and set(dataset.label[inside]) <= elsewhere:
            found.append(split)
    return found


def parts(dataset: Dataset, learn: Indices, count: int, seed: int) -> Iterator[Fold]:
    """Divide what a model learns from among its members.

    What validates is disjoint, and together it is every track that may be validated on.

    Raises
    ------
    CorpusError
        If there are too few groups to divide.
    """
    usable = learn[~_dance_music(dataset)[learn]]
    for valid in _grouped_folds(dataset, usable, count, seed):
        yield Fold(np.setdiff1d(learn, valid), valid)


def _from_tracks(dataset: Dataset, name: str, test: Indices) -> Split:
    return _division(dataset, name, np.isin(np.arange(len(dataset.tracks)), test))


def _division(dataset: Dataset, name: str, test: Flags) -> Split:
    on_test = np.isin(dataset.groups, dataset.groups[test])
    return Split(name, np.flatnonzero(~on_test), np.flatnonzero(test & ~_dance_music(dataset)))


def _dance_music(dataset: Dataset) -> Flags:
    """Say which tracks are made-up music, which trains and never measures."""
    return np.asarray(dataset.synthetic & dataset.is_music)


def _grouped_folds(dataset: Dataset, tracks: Indices, count: int, seed: int) -> list[Indices]:
    """Divide tracks by group, keeping the shares of the classes alike."""
    n_groups = len(np.unique(dataset.groups[tracks]))
    largest = np.bincount(dataset.label[tracks] + 1, minlength=1).max()
    if min(n_groups, largest) < count:
        raise CorpusError(
            f"{n_groups} albums or artists cannot be divided by {count}: add more, each with a "
            "genre."
        )
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class with fewer tracks than folds is missing from some
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = folds.split(tracks, dataset.label[tracks], dataset.groups[tracks])
        return [tracks[held_out] for _, held_out in parts]
