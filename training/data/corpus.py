"""Reads a corpus: its recordings, their labels and their split.

Conventions
-----------
* A *track* is one audio file. A *group* is the unit of the split: an artist or an album, all of
  whose tracks are in the same subset.
* A *subset* is train, valid or test.
* An *emotion* is a value in [0, 1] on Spotify's scale. It trains, and measures.
* A *proxy* is another label of an emotion, with its *origin*. Each origin has its own scale, so
  that only ranks within one origin mean something: in figures, and in training.
"""

import csv
import dataclasses
import hashlib
import json
import mimetypes
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from service.card import EMOTIONS, Emotion

Subset = Literal["train", "valid", "test"]
SUBSETS: tuple[Subset, ...] = get_args(Subset)
FOLDS = 5  # one for test, one for validation, the rest for training
MANIFEST = "tracks.csv"
EMOTION_MANIFEST = "emotion.csv"
REFERENCE = "spotify_quantiles.csv"  # optional
SPOTIFY = "spotify"  # prefix of the manifest's columns, as in spotify_valence
UNCERTAIN = ("mixed-", "unlabelled")  # prefixes of `other` for music that may have a genre
NOT_RECORDINGS = ("image/", "text/", "application/")  # MIME types that a plain folder may hold
MIME_TYPES = mimetypes.MimeTypes(filenames=())  # Python's own table, the same on every machine


class CorpusError(ValueError):
    """The corpus cannot be used. The message says what to change."""


@dataclass(frozen=True)
class Proxy:
    """A value in [0, 1] and its origin."""

    value: float
    origin: str


@dataclass(frozen=True)
class Track:
    """One audio file and its labels.

    Attributes
    ----------
    genre : str or None
    other : str or None
        The kind of sound or music, for a track that has none of the genres.
    source : str
        The collection that the track comes from; empty if there is only one.
    emotion : dict of str to float
    proxies : dict of str to Proxy
        By emotion.
    """

    id: str
    path: Path
    group: str
    subset: Subset
    genre: str | None = None
    other: str | None = None
    source: str = ""
    emotion: dict[str, float] = field(default_factory=dict)
    proxies: dict[str, Proxy] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the track in JSON's types."""
        return dataclasses.asdict(self) | {"path": str(self.path)}

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> "Track":
        """Return the track that `to_dict` converted."""
        proxies = {name: Proxy(**proxy) for name, proxy in entry["proxies"].items()}
        return cls(**entry | {"path": Path(entry["path"]), "proxies": proxies})


def random_stream(track: Track, purpose: Literal["sound", "phone"]) -> np.random.Generator:
    """Return the random numbers of a track for one purpose.

    They are the same in every run. The streams of two purposes are independent, so that no
    property of a synthetic sound determines how the simulated phone records it.
    """
    return np.random.default_rng([zlib.crc32(track.id.encode()), zlib.crc32(purpose.encode())])


def read_corpus(folder: Path, seed: int = 0) -> list[Track]:
    """Read a corpus with a manifest, or a plain folder ``genre/album/track.*``.

    Parameters
    ----------
    folder : Path
        `MANIFEST`, if it exists, lists files, genres, groups and the split. Otherwise each folder
        is a genre, each folder in it an album, and a track's id is its path.
        `EMOTION_MANIFEST`, if it exists, has emotions (``spotify_valence`` and so on) and proxies
        (``valence``, ``valence_origin`` and so on) by ``clip_id``.
    seed : int
        Seed of the split of a plain folder. A manifest has its own split.

    Returns
    -------
    tracks : list of Track
        Sorted by id.

    Raises
    ------
    CorpusError
        If no track has a genre, the manifest has a duplicate id or a group in two subsets, or a
        genre of a plain folder has too few albums.
    """
    tracks = _read_manifest(folder) if (folder / MANIFEST).exists() else _read_folder(folder, seed)
    rows = {row["clip_id"]: row for row in read_rows(folder / EMOTION_MANIFEST)}
    tracks = [
        replace(track, emotion=_emotion(row), proxies=_proxies(row))
        if (row := rows.get(track.id))
        else track
        for track in tracks
    ]
    if not any(track.genre for track in tracks):
        raise CorpusError(
            f"{folder} has neither a {MANIFEST} with genres nor files in genre/album folders."
        )
    return sorted(tracks, key=lambda track: track.id)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none if it does not exist."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_reference(folder: Path) -> dict[Emotion, list[float]]:
    """Return the percentiles 0 to 100 of each emotion in a wider collection; empty without a file.

    Raises
    ------
    CorpusError
        If the file does not have 101 ascending numbers for every emotion.
    """
    path = folder / REFERENCE
    if not path.exists():
        return {}
    try:
        rows = read_rows(path)
        reference = {emotion: [float(row[emotion]) for row in rows] for emotion in EMOTIONS}
    except (KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"{REFERENCE}: {error} is not a number or has no column.") from error
    for emotion, values in reference.items():
        if len(values) != 101 or values != sorted(values):
            raise CorpusError(f"{REFERENCE}: {emotion} does not have 101 ascending values.")
    return reference


def corpus_digest(tracks: Iterable[Track]) -> str:
    """Return the SHA-256 of the tracks' ids, groups, subsets and labels.

    Two corpora with the same digest lead to the same figures. The folder and the order of the
    rows do not matter.
    """
    rows = sorted(
        json.dumps(track.to_dict() | {"path": None}, sort_keys=True, ensure_ascii=False)
        for track in tracks
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


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
        for row in read_rows(folder / MANIFEST)
    ]
    _check_unique("clip_id", "is in two rows", (track.id for track in tracks))
    sides = {(track.group, track.subset) for track in tracks}
    _check_unique("artist_group", "is in two subsets", (group for group, _ in sides))
    return tracks


def _check_unique(column: str, problem: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).most_common(1):
        if count > 1:
            raise CorpusError(f"{MANIFEST}: the {column} {name!r} {problem}.")


def _subset(name: str) -> Subset:
    for subset in SUBSETS:
        if name == subset:
            return subset
    raise CorpusError(f"{MANIFEST} has a split {name!r}; allowed are {', '.join(SUBSETS)}.")


def _proxies(row: dict[str, str]) -> dict[str, Proxy]:
    return {
        emotion: Proxy(float(row[emotion]), row[f"{emotion}_origin"])
        for emotion in EMOTIONS
        if row.get(emotion)
    }


def _emotion(row: dict[str, str]) -> dict[str, float]:
    columns = {emotion: row.get(f"{SPOTIFY}_{emotion}") for emotion in EMOTIONS}
    return {emotion: float(value) for emotion, value in columns.items() if value}


def _other(name: str) -> str | None:
    return None if not name or name.startswith(UNCERTAIN) else name


def _read_folder(folder: Path, seed: int) -> list[Track]:
    paths = sorted(path for path in folder.glob("[!.]*/[!.]*/[!.]*") if _may_be_recording(path))
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
    return assign_subsets(tracks, seed) if tracks else []


def _may_be_recording(path: Path) -> bool:
    """Return False for covers, texts and the like. The decoder decides on everything else."""
    kind, _ = MIME_TYPES.guess_type(path.name)
    return path.is_file() and not (kind or "").startswith(NOT_RECORDINGS)


def _artist(album: str) -> str:
    """Return the group of an album folder: the artist of ``Artist - Album``, or the whole name."""
    artist = re.split(" [-\u2013\u2014] ", unicodedata.normalize("NFC", album), maxsplit=1)[0]
    return artist.strip().casefold()


def assign_subsets(tracks: list[Track], seed: int) -> list[Track]:
    """Split tracks by group, about 60 / 20 / 20, with about the same share of each genre.

    Parameters
    ----------
    tracks : list of Track
        All of them have a genre.
    seed : int

    Returns
    -------
    tracks : list of Track
        In the same order, each with its subset.

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
