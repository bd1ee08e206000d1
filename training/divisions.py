"""Which tracks a model learns from, and which it is measured on; no group is on two sides."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from training.corpus import CorpusError
from training.prepared import Flags, Prepared, Rows

FIXED = "fixed"
FOLDS = 5
FOLD_SEED = 15
FEWEST_OF_A_SOURCE = 50  # tracks with a genre, to leave a source out


@dataclass(frozen=True)
class Division:
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
    learn: Rows
    test: Rows


@dataclass(frozen=True)
class Part:
    """What a member of a model learns from, and what it is chosen and calibrated on.

    Attributes
    ----------
    train, valid : int64 [shape=(n,)]
        Tracks.
    """

    train: Rows
    valid: Rows


def fixed(prepared: Prepared) -> Division:
    """Return the split that the corpus brings."""
    test = np.array([track.split == "test" for track in prepared.tracks])
    return _division(prepared, FIXED, test)


def folds(prepared: Prepared) -> list[Division]:
    """Return `FOLDS` divisions; each track is in the test part of exactly one.

    Raises
    ------
    CorpusError
        If there are too few groups to divide.
    """
    measured = np.flatnonzero(~_synthesised(prepared))
    parts = _grouped_folds(prepared, measured, FOLDS, FOLD_SEED)
    return [_from_tracks(prepared, f"fold-{i}", part) for i, part in enumerate(parts)]


def left_out_sources(prepared: Prepared) -> list[Division]:
    """Return a division for each large source: its genres are learnt from the others alone.

    Groups that are in the source are not learnt from at all, wherever else they are.
    """
    sources = np.array([track.source for track in prepared.tracks])
    labelled = prepared.is_genre & ~prepared.made
    found = []
    for source in sorted(set(sources[labelled])):
        inside = labelled & (sources == source)
        division = _division(prepared, f"without-{source}", sources == source)
        elsewhere = set(prepared.label[np.intersect1d(division.learn, np.flatnonzero(labelled))])
        if inside.sum() >= FEWEST_OF_A_SOURCE and set(prepared.label[inside]) <= elsewhere:
            found.append(division)
    return found


def parts(prepared: Prepared, learn: Rows, count: int, seed: int) -> Iterator[Part]:
    """Divide what a model learns from among its members.

    What validates is disjoint, and together it is every track that may be validated on.

    Raises
    ------
    CorpusError
        If there are too few groups to divide.
    """
    usable = learn[~_synthesised(prepared)[learn]]
    for valid in _grouped_folds(prepared, usable, count, seed):
        yield Part(np.setdiff1d(learn, valid), valid)


def _from_tracks(prepared: Prepared, name: str, test: Rows) -> Division:
    return _division(prepared, name, np.isin(np.arange(len(prepared.tracks)), test))


def _division(prepared: Prepared, name: str, test: Flags) -> Division:
    on_test = np.isin(prepared.groups, prepared.groups[test])
    return Division(name, np.flatnonzero(~on_test), np.flatnonzero(test & ~_synthesised(prepared)))


def _synthesised(prepared: Prepared) -> Flags:
    """Say which tracks are made-up music, which trains and never measures."""
    return np.asarray(prepared.made & prepared.is_music)


def _grouped_folds(prepared: Prepared, tracks: Rows, count: int, seed: int) -> list[Rows]:
    """Divide tracks by group, keeping the shares of the classes alike."""
    n_groups = len(np.unique(prepared.groups[tracks]))
    largest = np.bincount(prepared.label[tracks] + 1, minlength=1).max()
    if min(n_groups, largest) < count:
        raise CorpusError(
            f"{n_groups} albums or artists cannot be divided by {count}: add more, each with a "
            "genre."
        )
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class with fewer tracks than folds is missing from some
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = folds.split(tracks, prepared.label[tracks], prepared.groups[tracks])
        return [tracks[held_out] for _, held_out in parts]
