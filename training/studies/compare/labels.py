"""The tasks of rows: labels, and the recordings that have them.

Conventions
-----------
* A *label* is an index into `Labels.classes`, or `UNKNOWN`.
* k-means, which defines some labels, is fitted to train only.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.data.corpus import SUBSETS
from training.studies.compare.clips import Clip
from training.studies.compare.sample import UNKNOWN, Budget, TooFewError
from training.studies.compare.store import Store
from training.types import AnyFloats, Indices

FOLDS = 5
N_CLUSTERS = 3
SCALES = ("valence", "energy", "danceability")

MERGED = {
    "house": "electronic", "dubstep": "electronic", "techno": "electronic", "trap": "electronic",
    "drum-and-bass": "electronic", "drumstep": "electronic", "future-bass": "electronic",
    "metal": "rock", "pop-punk": "rock", "pop-rock": "rock",
    "piano": "classical", "ragtime": "jazz",
    "rnb": "soul", "funk": "soul", "disco": "soul",
    "new-age": "easy-listening", "soundtrack": "easy-listening", "vocal": "easy-listening",
    "flamenco": "latin",
}  # fmt: skip
"""Genres or kinds, and the genre that they are merged into."""

VOCAL_JAZZ = {"Jazz": "jazz alone", "Jazz; Vocal": "jazz and vocal"}
PUNK = {
    "hardcore/street/other punk": "hardcore, street and other punk",
    "pop/skate/ska/melodic punk": "pop, skate, ska and melodic punk",
}
"""Subgenres as named by the sources, and as named on the page."""


@dataclass(frozen=True)
class Labels:
    """The labels of all recordings.

    Attributes
    ----------
    classes : tuple of str
    label : int64 [shape=(n_clips,)]
    scales : tuple of str
    scores : float32 [shape=(n_clips, len(scales))]
        NaN if unknown.
    """

    classes: tuple[str, ...]
    label: Indices
    scales: tuple[str, ...]
    scores: AnyFloats


@dataclass(frozen=True)
class Task:
    """What the models of rows predict.

    Attributes
    ----------
    name : str
        As in the table.
    applies_to : callable
        Returns whether the task applies to a recording.
    label : callable
        Returns labels of recordings, from their features and a budget; raises `TooFewError`.
    needs : tuple of str
        Features that the labels depend on.
    folds : str
        The unit of cross-validation; empty to use the split of the corpus.
    """

    name: str
    applies_to: Callable[[Clip], bool]
    label: Callable[[Sequence[Clip], Store, Budget], Labels]
    needs: tuple[str, ...] = ()
    folds: Literal["", "artist", "song"] = ""


def labels_of(names: Sequence[str]) -> Labels:
    """Return labels of classes by name; an empty name is no label."""
    classes = tuple(sorted(set(names) - {""}))
    label = [classes.index(name) if name else UNKNOWN for name in names]
    return Labels(classes, np.array(label, np.int64), (), np.empty((len(names), 0), np.float32))


def genres(clips: Sequence[Clip], _store: Store, budget: Budget) -> Labels:
    """Label the recordings that have one of the genres."""
    labels = labels_of([clip.genre for clip in clips])
    check(labels, clips, budget)
    return labels


def merged(clips: Sequence[Clip], _store: Store, budget: Budget) -> Labels:
    """Merge genres and other music by `MERGED`, and leave out rare classes."""
    names = [MERGED.get(clip.kind, clip.kind) for clip in clips]
    return labels_of(_common(names, clips, budget))


def _common(names: list[str], clips: Sequence[Clip], budget: Budget) -> list[str]:
    counts = Counter((name, clip.subset) for name, clip in zip(names, clips, strict=True))
    return [
        name if all(counts[name, side] >= budget.fewest[side] for side in SUBSETS) else ""
        for name in names
    ]


def dominant_feelings(clips: Sequence[Clip], _store: Store, budget: Budget) -> Labels:
    """Label songs by the feeling that most listeners chose.

    A song with two dominant feelings has no label. A feeling that is dominant in too few songs for
    every fold is left out.

    Raises
    ------
    TooFewError
        If fewer than two feelings remain.
    """
    names = [_dominant(clip.votes) for clip in clips]
    counts = Counter(names)
    fewest = max(sum(budget.fewest.values()), FOLDS)
    labels = labels_of([name if counts[name] >= fewest else "" for name in names])
    if len(labels.classes) < 2:
        raise TooFewError(f"fewer than two feelings are dominant in {fewest} songs or more")
    return labels


def _dominant(votes: dict[str, float]) -> str:
    first = [name for name, share in votes.items() if share == max(votes.values())]
    return first[0] if len(first) == 1 else ""


def clusters(clips: Sequence[Clip], store: Store, budget: Budget) -> Labels:
    """Label recordings that have a genre by k-means clusters of their attributes."""
    concerned = [place for place, clip in enumerate(clips) if clip.genre]
    means = store.means("attributes", concerned)
    known = np.flatnonzero(~np.isnan(means).any(axis=1)).tolist()
    train = [place for place in known if clips[place].subset == "train"]
    if len(train) < N_CLUSTERS:
        raise TooFewError("there are fewer training recordings than clusters")
    found = make_pipeline(StandardScaler(), KMeans(N_CLUSTERS, n_init=10, random_state=0))
    found.fit(means[train])
    names = [""] * len(clips)
    for place, kind in zip(known, found.predict(means[known]), strict=True):
        names[place] = f"kind {kind + 1}"
    labels = labels_of(names)
    check(labels, clips, budget)
    return labels


def subgenres(
    genre: str, names: dict[str, str], clips: Sequence[Clip], _store: Store, budget: Budget
) -> Labels:
    """Label recordings of one genre by subgenre."""
    found = [names.get(clip.subgenre, "") if clip.genre == genre else "" for clip in clips]
    labels = labels_of(found)
    missing = set(names.values()) - set(labels.classes)
    if missing:
        raise TooFewError(f"no recording is labelled {' or '.join(sorted(missing))}")
    check(labels, clips, budget)
    return labels


def emotions(clips: Sequence[Clip], _store: Store, budget: Budget) -> Labels:
    """Label genres, and Spotify's valence, energy and danceability.

    Raises
    ------
    TooFewError
        If a scale has too few values.
    """
    values = [[clip.emotion.get(scale, np.nan) for scale in SCALES] for clip in clips]
    scores = np.array(values, np.float32)
    for scale, column in zip(SCALES, scores.T, strict=True):
        sides = Counter(clips[place].subset for place in np.flatnonzero(~np.isnan(column)).tolist())
        if any(sides[side] < max(budget.fewest[side], 2) for side in SUBSETS):
            raise TooFewError(f"too few recordings have a {scale} of Spotify")
    known = labels_of([clip.genre for clip in clips])
    return Labels(known.classes, known.label, SCALES, scores)


def rated(clip: Clip) -> bool:
    """Return whether a recording has a genre, or values of Spotify."""
    return bool(clip.genre or clip.emotion)


def check(labels: Labels, clips: Sequence[Clip], budget: Budget) -> None:
    """Raise `TooFewError` if a subset has too few recordings of a class.

    Raises
    ------
    TooFewError
        With the counts in its message.
    """
    for place, name in enumerate(labels.classes):
        sides = Counter(clips[i].subset for i in np.flatnonzero(labels.label == place).tolist())
        if any(sides[side] < budget.fewest[side] for side in SUBSETS):
            counts = ", ".join(f"{sides[side]} in {side}" for side in SUBSETS)
            raise TooFewError(f"too few recordings of {name}: {counts}")
    if len(labels.classes) < 2:
        raise TooFewError("there are fewer than two classes")
