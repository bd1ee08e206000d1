"""Finds recordings of a library by the cosine of their embeddings, among those that match filters.

The library is a file of records. It holds the vectors, too, so that no second file can be out of
step with it. The search is exact: one product of a matrix with a vector.
"""

import json
import os
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from service.card import EmbeddingSpace
from service.mood import Mood
from service.schemas import Features

MOODS: dict[str, Mood] = {name: name for name in get_args(Mood)}
FEATURES = tuple(Features.model_fields)
RANGE = re.compile(r"([a-z_]+):(-?[0-9.]*?)\.\.(-?[0-9.]*)")

Flags = NDArray[np.bool_]


class LibraryError(ValueError):
    """The library cannot be used. The message is for the operator, in one line."""


class NoLibraryError(LookupError):
    """No library is set. The message is for the person who asked."""


@dataclass(frozen=True)
class FeatureRange:
    """A range of an audio-feature; its ends are included."""

    name: str
    low: float
    high: float


def feature_range(text: str) -> FeatureRange:
    """Read a range such as ``energy:0.6..0.8``, ``tempo:120..`` or ``loudness:..-10``.

    Raises
    ------
    ValueError
        If it is another text. The message is for the person who wrote it.
    """
    match = RANGE.fullmatch(text)
    if match is None or match[1] not in FEATURES:
        raise ValueError(
            f"a range is written as NAME:LOW..HIGH, either end may be missing, and NAME is one of "
            f"{', '.join(FEATURES)}"
        )
    try:
        low, high = float(match[2] or "-inf"), float(match[3] or "inf")
    except ValueError:
        raise ValueError("the ends of a range are numbers") from None
    return FeatureRange(match[1], low, high)


@dataclass(frozen=True)
class Filters:
    """Which recordings are compared. An empty filter keeps all.

    Attributes
    ----------
    genres, moods : sequence of str
        A recording has one of these.
    features : sequence of FeatureRange
        A recording is in each of these; one without the feature is in none.
    """

    genres: Sequence[str] = ()
    moods: Sequence[str] = ()
    features: Sequence[FeatureRange] = ()


@dataclass(frozen=True)
class Found:
    """A recording that is similar.

    Attributes
    ----------
    path : str
        Absolute.
    """

    path: str
    cosine: float
    genre: str | None
    mood: Mood | None


@dataclass(frozen=True)
class Vectors:
    """The embeddings of a library, and what filters need.

    Attributes
    ----------
    paths : list of str
    values : float32 [shape=(n, n_dimensions)]
        Of length 1.
    names : list of str
        Genres and moods, each once.
    genres, moods : int16 [shape=(n,)]
        Places in `names`; -1 for none.
    features : float32 [shape=(n, n_features)]
        NaN for none.
    left_out : int
        Number of records without an embedding of the space.
    """

    paths: list[str]
    values: NDArray[np.float32]
    names: list[str]
    genres: NDArray[np.int16]
    moods: NDArray[np.int16]
    features: NDArray[np.float32]
    left_out: int

    def nearest(
        self,
        vector: NDArray[np.float32],
        count: int,
        filters: Filters = Filters(),
        path: str | None = None,
    ) -> tuple[list[Found], int]:
        """Return the most similar recordings, and how many were compared.

        Parameters
        ----------
        vector : float32 [shape=(n_dimensions,)]
            Of length 1.
        count : int
        filters : Filters
        path : str or None
            A recording to leave out.
        """
        cosines = self.values @ vector
        left_out = ~self._matches(filters)
        if path is not None and path in self.paths:
            left_out[self.paths.index(path)] = True
        cosines[left_out] = -np.inf
        compared = int(len(cosines) - left_out.sum())
        places = _highest(cosines, min(count, compared))
        return [self._found(place, cosines[place]) for place in places], compared

    def _matches(self, filters: Filters) -> Flags:
        """Return the recordings that match filters; [shape=(n,)]."""
        keep = np.ones(len(self.paths), np.bool_)
        for column, wanted in ((self.genres, filters.genres), (self.moods, filters.moods)):
            if wanted:
                codes = [place for place, name in enumerate(self.names) if name in wanted]
                keep &= np.isin(column, codes)
        for each in filters.features:
            values = self.features[:, FEATURES.index(each.name)]
            keep &= (values >= each.low) & (values <= each.high)
        return keep

    def _found(self, place: int, cosine: float) -> Found:
        genre, mood = (
            self.names[column[place]] if column[place] >= 0 else None
            for column in (self.genres, self.moods)
        )
        return Found(self.paths[place], float(cosine), genre, MOODS.get(mood or ""))

    def folder(self) -> str:
        """Return the deepest folder that all recordings are in; empty if there is none."""
        try:
            return os.path.commonpath([os.path.dirname(path) for path in self.paths])  # noqa: PTH120
        except ValueError:  # on several drives
            return ""


def _highest(cosines: NDArray[np.float32], count: int) -> list[int]:
    """Return the places of the highest cosines, the earlier one first where they are equal."""
    if count == 0:
        return []
    least = np.partition(cosines, len(cosines) - count)[len(cosines) - count]
    places = np.flatnonzero(cosines >= least)
    order = places[np.argsort(-cosines[places], kind="stable")]
    return [int(place) for place in order[:count]]


def read_vectors(library: Path, space: EmbeddingSpace) -> Vectors:
    """Read the embeddings of one space from a file of records.

    Raises
    ------
    LibraryError
        If the file cannot be read, or has no embedding of the space.
    """
    paths, left_out, places = list[str](), 0, dict[str, int]()
    values, features, genres, moods = array("f"), array("f"), array("h"), array("h")
    for path, row in _records(library, space):
        if row is None:
            left_out += 1
            continue
        paths.append(path)
        values.extend(row.vector)
        features.extend(row.features)
        for column, name in ((genres, row.genre), (moods, row.mood)):
            column.append(-1 if name is None else places.setdefault(name, len(places)))
    if not paths:
        raise _none(library, space)
    return Vectors(
        paths,
        np.frombuffer(values, np.float32).reshape(len(paths), -1),
        list(places),
        np.frombuffer(genres, np.int16),
        np.frombuffer(moods, np.int16),
        np.frombuffer(features, np.float32).reshape(len(paths), -1),
        left_out,
    )


def check_library(library: Path, space: EmbeddingSpace) -> None:
    """Read a library only until its first embedding of a space.

    Raises
    ------
    LibraryError
        If the file cannot be read, or has no embedding of the space.
    """
    if not any(row is not None for _, row in _records(library, space)):
        raise _none(library, space)


def _none(library: Path, space: EmbeddingSpace) -> LibraryError:
    return LibraryError(
        f"{library} has no embedding of {space.space}: run analyze with --embedding true."
    )


@dataclass(frozen=True)
class _Row:
    """What a record has for the search; each member as in `Vectors`."""

    vector: NDArray[np.float32]
    features: list[float]
    genre: str | None
    mood: str | None


def _records(library: Path, space: EmbeddingSpace) -> Iterator[tuple[str, _Row | None]]:
    """Yield path and row of each record; None if it has no embedding of the space."""
    try:
        with library.open(encoding="utf-8", newline="") as file:
            for line in file:
                if not line.endswith("\n"):
                    break  # a run was stopped while it wrote this record
                record = json.loads(line)
                yield _text(record["path"]), _row_of(record["analysis"] or {}, space)
    except OSError as error:
        raise LibraryError(f"{library} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryError(f"{library} is not a *.jsonl file of records.") from error


def _row_of(analysis: dict[str, Any], space: EmbeddingSpace) -> _Row | None:
    """Return the row of an analysis, None if it has no embedding of the space.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        If it is not as `analyze` writes it, so that a search would fail or find nonsense.
    """
    found = analysis.get("embedding")
    if found is None or found["space"] != space.space:
        return None
    vector = np.array(found["values"], np.float64)
    if vector.shape != (space.dimensions,):
        return None
    if not np.abs(vector).max() <= 1:  # nor are numbers that are none
        raise ValueError("the vector has another length than 1")
    features = analysis.get("features") or {}
    genre, mood = (
        None if name is None else _text(name) for name in map(analysis.get, ("genre", "mood"))
    )
    return _Row(
        vector.astype(np.float32), [_number(features.get(name)) for name in FEATURES], genre, mood
    )


def _text(value: object) -> str:
    """Return a text; raises `TypeError` for another value."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: float | None) -> float:
    """Return a feature, NaN for none."""
    return float("nan") if value is None else float(value)
