"""What there is to train on: recordings, their labels, and which side of the split they are on.

Conventions
-----------
* A *track* is one audio file. Its *group* is the unit of the split: the artist or album whose
  tracks never stand on two sides.
* An emotion label is a value in [0, 1] and the *origin* it comes from. Origins are on scales of
  their own: only ranks within one origin compare.
* A *reference* is a value that is never learnt from, only compared with.
"""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from service.card import EMOTIONS

Subset = Literal["train", "valid", "test"]
SUBSETS: tuple[Subset, ...] = get_args(Subset)
FOLDS = 5  # one for test, one for validation, the rest for training
MANIFEST = "tracks.csv"
EMOTION_MANIFEST = "emotion.csv"
REFERENCE = "spotify"  # columns of the emotion manifest: spotify_valence and so on
NO_LABEL = ("mixed-", "unlabelled")  # beginnings of `other` of what may be of a genre after all
AUDIO_SUFFIXES = {
    ".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".opus", ".wav", ".webm",
}  # fmt: skip


class CorpusError(ValueError):
    """The corpus cannot be used. The message says what to change."""


@dataclass(frozen=True)
class EmotionLabel:
    """A value in [0, 1], and where it comes from."""

    value: float
    origin: str


@dataclass(frozen=True)
class Track:
    """One audio file and what is known of it.

    Attributes
    ----------
    genre : str or None
    other : str or None
        What it is, where it is known to be none of the genres.
    source : str
        Collection that it comes from, empty where there is but one.
    emotion : dict of str to EmotionLabel
    reference : dict of str to float
    """

    id: str
    path: Path
    group: str
    subset: Subset
    genre: str | None = None
    other: str | None = None
    source: str = ""
    emotion: dict[str, EmotionLabel] = field(default_factory=dict)
    reference: dict[str, float] = field(default_factory=dict)


def read_corpus(folder: Path, seed: int = 0) -> list[Track]:
    """Read a corpus: one with a manifest, or a plain folder ``genre/album/track.*``.

    Parameters
    ----------
    folder : Path
        With a manifest, `MANIFEST` names files, genres, groups and the split. Otherwise each
        folder in it is a genre and each folder in that an album, and a track's id is its path.
        `EMOTION_MANIFEST`, if there is one, has the emotion labels by ``clip_id``.
    seed : int
        Of the split of a plain folder. A manifest brings its own.

    Returns
    -------
    tracks : list of Track
        Sorted by id.

    Raises
    ------
    CorpusError
        If no recording has a genre, or a genre has too few albums to be split.
    """
    tracks = _read_manifest(folder) if (folder / MANIFEST).exists() else _read_folder(folder, seed)
    rows = {row["clip_id"]: row for row in _rows(folder / EMOTION_MANIFEST)}
    tracks = [
        replace(track, emotion=_emotion(row), reference=_reference(row))
        if (row := rows.get(track.id))
        else track
        for track in tracks
    ]
    if not any(track.genre for track in tracks):
        raise CorpusError(
            f"{folder} holds neither a {MANIFEST} with genres nor genre/album/track files."
        )
    return sorted(tracks, key=lambda track: track.id)


def _read_manifest(folder: Path) -> list[Track]:
    tracks = [
        Track(
            id=row["clip_id"],
            path=folder / row["file"],
            group=row["artist_group"],
            subset=_subset(row["split"]),
            genre=row["genre"] or None,
            other=_other(row.get("other", "")),
            source=row.get("source", ""),
        )
        for row in _rows(folder / MANIFEST)
    ]
    _check_split(tracks)
    return tracks


def _check_split(tracks: list[Track]) -> None:
    """Refuse a manifest that names a recording twice, or has a group on two sides."""
    ids = Counter(track.id for track in tracks)
    sides = {(track.group, track.subset) for track in tracks}
    groups = Counter(group for group, _ in sides)
    for what, counts in (("clip_id", ids), ("artist_group", groups)):
        name, count = counts.most_common(1)[0]
        if count > 1:
            where = "is there twice" if what == "clip_id" else "is on two sides of the split"
            raise CorpusError(f"{MANIFEST}: the {what} {name!r} {where}.")


def _rows(path: Path) -> Iterable[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _subset(name: str) -> Subset:
    for split in SUBSETS:
        if name == split:
            return split
    raise CorpusError(f"{MANIFEST} names a split {name!r}; the splits are {', '.join(SUBSETS)}.")


def _emotion(row: dict[str, str]) -> dict[str, EmotionLabel]:
    return {
        emotion: EmotionLabel(float(row[emotion]), row[f"{emotion}_origin"])
        for emotion in EMOTIONS
        if row[emotion]
    }


def _reference(row: dict[str, str]) -> dict[str, float]:
    columns = {emotion: row.get(f"{REFERENCE}_{emotion}") for emotion in EMOTIONS}
    return {emotion: float(value) for emotion, value in columns.items() if value}


def _other(name: str) -> str | None:
    return None if not name or name.startswith(NO_LABEL) else name


def _read_folder(folder: Path, seed: int) -> list[Track]:
    paths = sorted(path for path in folder.glob("[!.]*/[!.]*/[!.]*") if _is_recording(path))
    tracks = [
        Track(
            id=path.relative_to(folder).as_posix(),
            path=path,
            group=_artist(path.parent.name),
            subset="train",
            genre=path.parent.parent.name,
        )
        for path in paths
    ]
    return assign_splits(tracks, seed) if tracks else []


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()


def _artist(album: str) -> str:
    """Return the group of an album folder: the artist in ``Artist - Album``, else all of it."""
    artist = re.split(" [-\u2013\u2014] ", unicodedata.normalize("NFC", album), maxsplit=1)[0]
    return artist.strip().casefold()


def assign_splits(tracks: list[Track], seed: int) -> list[Track]:
    """Split tracks about 60 / 20 / 20 by group, keeping the shares of the genres alike.

    Parameters
    ----------
    tracks : list of Track
        All with a genre.
    seed : int

    Returns
    -------
    tracks : list of Track
        In the same order, each with its split.

    Raises
    ------
    CorpusError
        If a genre has fewer than `FOLDS` groups.
    """
    genres = np.array([track.genre for track in tracks])
    groups = np.array([track.group for track in tracks])
    for genre in np.unique(genres):
        n_groups = len(np.unique(groups[genres == genre]))
        if n_groups < FOLDS:
            raise CorpusError(
                f"{genre} has {n_groups} albums or artists; a split needs at least {FOLDS}."
            )
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(
        genres, genres, groups
    )
    test, valid = (set(held_out) for _, (_, held_out) in zip(range(2), folds, strict=False))
    return [
        replace(track, subset="test" if i in test else "valid" if i in valid else "train")
        for i, track in enumerate(tracks)
    ]
