"""The recordings of an agent's folders: analysed one by one, a folder at a time, or compared."""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from service import audio
from service.analysis import analyze
from service.card import EmbeddingSpace
from service.library.analyze import NO_SOUND_TYPES, analyze_all, open_recording
from service.library.find import Library
from service.library.records import Record, text_of
from service.library.search import NoLibraryError, Vectors, read_vectors
from service.library.similar import SIMILARITY_DIGITS
from service.loading import load_served, load_taxonomy
from service.mcp.folders import Folders
from service.schemas import Analysis
from service.settings import LibrarySettings, McpSettings

OUTSIDE = "links to files outside"
HIDDEN, LINKS = "hidden files and folders", "links to folders"
SHARED = {"models", "model", "taxonomy", "max_seconds", "decode_seconds", "jobs"}
"""Settings of the server that are also those of its processes."""


class Row(BaseModel):
    """A recording of a folder, in short."""

    path: str
    verdict: str | None = Field(None, description="Read it first; null if there is a problem.")
    genre: str | None = None
    probability: float | None = Field(None, description="Of the genre.")
    mood: str | None = None
    valence: float | None = None
    energy: float | None = None
    danceability: float | None = None
    tempo: float | None = Field(None, description="Beats a minute; null without a steady beat.")
    problem: str | None = Field(None, description="Why the recording has no analysis.")


class Part(BaseModel):
    """The analysis of a part of a folder."""

    recordings: list[Row]
    found: int = Field(description="Files in the folder that may be recordings.")
    next_start: int | None = Field(description="`start` of the next part; null after the last.")
    left_out: dict[str, int] = Field(description="Number of files that were not tried, by kind.")


class Neighbour(BaseModel):
    """A recording of the library that is similar."""

    path: str
    similarity: float = Field(description="Cosine of the embeddings, 1 for the same sound.")


@dataclass(frozen=True)
class Chosen:
    """The files of a part of a folder."""

    library: Library
    paths: list[Path]
    found: int
    next_start: int | None
    left_out: Counter[str]

    def part(self, records: list[Record]) -> Part:
        """Return the answer of the records of these files; what is no sound is left out."""
        rows = []
        for record in records:
            problem = record.problem
            silent = problem is not None and problem["type"] in NO_SOUND_TYPES
            if not (silent and self.library.leave_out(Path(record.fingerprint.path))):
                rows.append(_row(record))
        return Part(
            recordings=sorted(rows, key=lambda row: row.path),
            found=self.found,
            next_start=self.next_start,
            left_out=dict(+(self.left_out + self.library.no_sound)),
        )


class Recordings:
    """What an agent may ask about the recordings of some folders.

    Parameters
    ----------
    settings : McpSettings

    Raises
    ------
    service.model.ModelError, service.taxonomy.TaxonomyError
        If the installed model or taxonomy cannot be used.
    service.library.find.MissingPathError
        If one of the folders does not exist.
    service.library.search.LibraryError
        If there is a library, and it cannot be used.
    """

    def __init__(self, settings: McpSettings) -> None:
        self.settings = settings
        self.folders = Folders(settings.folders)
        models = load_served(settings)
        self.model = models[settings.model]
        self.taxonomy = load_taxonomy(settings, models)
        if settings.library is not None:
            _vectors(settings.library, self.model.space())

    def analyze(self, path: str, *, timeline: bool = False, embedding: bool = False) -> Analysis:
        """Analyse one recording.

        Raises
        ------
        service.mcp.folders.OutsideError
            If it is outside the folders.
        audio.AudioError, OSError
            If it cannot be analysed or read.
        """
        bounds = audio.Bounds(self.settings.max_seconds, self.settings.decode_seconds)
        with open_recording(self.folders.real(path)) as file:
            return analyze(
                file, self.model, bounds, self.taxonomy, timeline=timeline, embedding=embedding
            )

    def choose(self, folder: str, start: int, count: int) -> Chosen:
        """Find the files of a part of a folder, in the order of their paths.

        Raises
        ------
        service.mcp.folders.OutsideError
            If the folder is outside the folders.
        service.library.find.MissingPathError
            If there is nothing.
        """
        library = Library([self.folders.real(folder)])
        inside = [path for path in library.candidates if self.folders.holds(path)]
        chosen = inside[start : start + min(count, self.settings.max_files)]
        end = start + len(chosen)
        outside = len(library.candidates) - len(inside)
        left_out = Counter({OUTSIDE: outside, HIDDEN: library.hidden, LINKS: library.links})
        following = end if end < len(inside) and chosen else None
        return Chosen(library, chosen, len(inside), following, left_out)

    def records(self, chosen: Chosen) -> Generator[Record]:
        """Analyse files in other processes, which a damaged file may crash; write nothing."""
        settings = LibrarySettings(
            paths=tuple(chosen.paths) or (Path(),),
            write_tags=None,
            output=None,
            timeline=False,
            embedding=False,
            **self.settings.model_dump(include=SHARED),
        )
        yield from analyze_all(chosen.paths, settings.model_copy(update={"paths": ()}))

    def similar(self, path: str, count: int) -> list[Neighbour]:
        """Return the recordings of the library that are most similar to one, the nearest first.

        Raises
        ------
        service.library.search.NoLibraryError
            If the server was started without a library.
        service.mcp.folders.OutsideError, audio.AudioError, OSError
            As `analyze`.
        """
        if self.settings.library is None:
            raise NoLibraryError("This server has no library: start it with --library FILE.jsonl.")
        vectors = _vectors(self.settings.library, self.model.space())
        found = self.analyze(path, embedding=True).embedding
        assert found is not None  # noqa: S101 - it was requested
        vector = np.array(found.values, np.float32)
        nearest, _ = vectors.nearest(vector, count, path=str(self.folders.real(path)))
        return [
            Neighbour(path=text_of(other.path), similarity=round(other.cosine, SIMILARITY_DIGITS))
            for other in nearest
        ]


def _vectors(library: Path, space: EmbeddingSpace) -> Vectors:
    """Read a library, once as long as its file does not change."""
    try:
        modified = library.stat().st_mtime_ns
    except OSError:
        modified = 0  # reading tells why
    return _read(library, space, modified)


@lru_cache(maxsize=1)
def _read(library: Path, space: EmbeddingSpace, _modified: int) -> Vectors:
    return read_vectors(library, space)


def _row(record: Record) -> Row:
    """Return a record in short."""
    analysis: dict[str, Any] = record.analysis or {}
    return Row(
        path=text_of(record.fingerprint.path),
        probability=analysis["genres"][0]["probability"] if analysis else None,
        tempo=(analysis.get("tempo") or {}).get("bpm"),
        problem=record.problem["detail"] if record.problem else None,
        **{
            name: analysis.get(name)
            for name in ("verdict", "genre", "mood", "valence", "energy", "danceability")
        },
    )
