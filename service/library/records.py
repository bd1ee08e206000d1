"""The records of a library, and the file that holds them: JSON lines or a table.

A run resumes from this file. A recording is done if it has a record with the same fingerprint and
contains everything that is requested now. Opening the file again removes records that are out of
date or truncated; records of files outside this run stay.
"""

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol, Self, TextIO

from service import audio
from service.card import Emotion
from service.library.locks import is_locked
from service.schemas import (
    PROBLEM_TYPES,
    AudioFacts,
    EmotionRange,
    Features,
    HeadFound,
    LoudnessFound,
)

PARTS = ("audio", "tempo", "key", "loudness", "features", "head")
"""Members of an analysis that have a column for each of their own members that is one value."""

RETRIED = {PROBLEM_TYPES + audio.DecodeTimeoutError.slug}
"""Problems of a busy machine, not of a file: the next run tries such a recording again."""


class OutputError(ValueError):
    """The output file cannot be used. The message is for the operator, in one line."""


@dataclass(frozen=True)
class Fingerprint:
    """The state of a file, and everything else that its record depends on.

    Attributes
    ----------
    path : str
        Absolute.
    size_bytes, modified_ns : int
        Size and modification time of the file, after its tags were written; 0 if the file cannot be
        read.
    model : str
        Digest of the model file.
    settings : str
        Digest of the settings that change an analysis.
    asked : tuple of str
        Requests besides the analysis: ``timeline``, ``embedding``, ``tags``, ``replace`` (of
        tags), ``head:`` and the digest of a head.
    """

    path: str
    size_bytes: int
    modified_ns: int
    model: str
    settings: str
    asked: tuple[str, ...]

    def covers(self, current: "Fingerprint") -> bool:
        """Return whether a record with this fingerprint is still valid for the current one."""
        return set(current.asked) <= set(self.asked) and (
            replace(self, asked=()) == replace(current, asked=())
        )


_FINGERPRINT = [field.name for field in fields(Fingerprint)]


@dataclass(frozen=True)
class Record:
    """The result of one recording.

    Attributes
    ----------
    fingerprint : Fingerprint
    analysis : dict or None
        A `service.schemas.Analysis` as JSON.
    problem : dict or None
        ``type`` and ``detail`` of a failure to analyse the recording or to write its tags.
    tags : list of str
        Names of the tags that were written into the file.
    """

    fingerprint: Fingerprint
    analysis: dict[str, Any] | None
    problem: dict[str, str] | None
    tags: list[str]


@dataclass(frozen=True)
class StoredRecord:
    """A record as it is stored in a file.

    Attributes
    ----------
    fingerprint : Fingerprint
    problem_type : str or None
    text : str
        The record with its line ending.
    """

    fingerprint: Fingerprint
    problem_type: str | None
    text: str


class Format(Protocol):
    """A format of records.

    Attributes
    ----------
    head : str
        The beginning of every file.
    errors : str
        Error handler for text that is not UTF-8, as in file names.
    """

    head: str
    errors: str

    def text(self, record: Record) -> str:
        """Return a record as text, with its line ending."""

    def read(self, file: TextIO) -> Iterator[StoredRecord]:
        """Yield the records of a file, except a truncated one.

        Raises
        ------
        OutputError
            If the file has other content.
        """


class JsonLines:
    """One JSON object per line, in UTF-8. Bytes of a name that are not UTF-8 are escaped."""

    head = ""
    errors = "backslashreplace"

    def text(self, record: Record) -> str:
        """Return a record as text, with its line ending."""
        members = asdict(record)
        return json.dumps(members.pop("fingerprint") | members, ensure_ascii=False) + "\n"

    def read(self, file: TextIO) -> Iterator[StoredRecord]:
        """Yield the records of a file, except a truncated one."""
        for line in file:
            if not line.endswith("\n"):
                _check_start(line, '{"path": "')
                return
            try:
                members = json.loads(line)
                values = {name: members[name] for name in _FINGERPRINT}
                fingerprint = Fingerprint(**values | {"asked": tuple(values["asked"])})
                problem = (members["problem"] or {}).get("type")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise OutputError("it has a line that is not a record") from error
            yield StoredRecord(fingerprint, problem, line)


class Table:
    """Comma-separated values under column names, without timelines and embeddings.

    Bytes of a name that are not UTF-8 are written unchanged.

    Parameters
    ----------
    genres, emotions : list of str
        Genres and emotions of the model.
    labels : list of str or None
        Labels of the requested head.
    """

    errors = "surrogateescape"

    def __init__(
        self, genres: list[str], emotions: list[Emotion], labels: list[str] | None = None
    ) -> None:
        head = [] if labels is None else [f"head.{name}" for name in HeadFound.model_fields]
        self._columns = [
            *_FINGERPRINT,
            "verdict", "reason", "genre", "mood", "music", "known",
            *(f"genres.{name}" for name in genres),
            *emotions,
            *(f"emotion.{name}.{end}" for name in emotions for end in EmotionRange.model_fields),
            "tempo.bpm", "tempo.confidence", "key.tonic", "key.mode", "key.probability",
            *(f"loudness.{name}" for name in LoudnessFound.model_fields),
            *(f"features.{name}" for name in Features.model_fields),
            *head, *(f"labels.{name}" for name in labels or []),
            *(f"audio.{name}" for name in AudioFacts.model_fields),
            "warnings", "problem.type", "problem.detail", "tags",
        ]  # fmt: skip
        self.head = _row(self._columns)

    def text(self, record: Record) -> str:
        """Return a record as text, with its line ending."""
        cells = _cells(record)
        return _row([cells.get(column, "") for column in self._columns])

    def read(self, file: TextIO) -> Iterator[StoredRecord]:
        """Yield the records of a file, except a truncated one."""
        _check_start(file.read(len(self.head)), self.head)
        try:
            for row in csv.reader(line for line in file if line.endswith(("\n", "\r"))):
                if len(row) == len(self._columns):  # otherwise it is truncated
                    cells = dict(zip(self._columns, row, strict=True))
                    yield StoredRecord(
                        _fingerprint(cells), cells["problem.type"] or None, _row(row)
                    )
        except (csv.Error, ValueError) as error:
            raise OutputError("it has a row that is not a record") from error


def text_of(path: str) -> str:
    """Return a path as text for JSON; bytes of a name that are not UTF-8 are escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


def _check_start(text: str, expected: str) -> None:
    """Refuse a file with another beginning than expected; it may be truncated there."""
    if not (text.startswith(expected) or expected.startswith(text)):
        raise OutputError("it begins differently")


def _row(cells: Iterable[object]) -> str:
    """Return a row of a table.

    The line ending has both characters, since Python before 3.13 quotes no other ones in cells.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _fingerprint(cells: dict[str, str]) -> Fingerprint:
    """Read a fingerprint from the cells of a row."""
    return Fingerprint(
        path=cells["path"],
        size_bytes=int(cells["size_bytes"]),
        modified_ns=int(cells["modified_ns"]),
        model=cells["model"],
        settings=cells["settings"],
        asked=tuple(cells["asked"].split()),
    )


def _cells(record: Record) -> dict[str, object]:
    """Return the cells of a record by column."""
    fingerprint, analysis = asdict(record.fingerprint), record.analysis or {}
    lists = {
        "asked": record.fingerprint.asked,
        "tags": record.tags,
        "warnings": [warning["type"] for warning in analysis.get("warnings", [])],
    }
    return {
        **analysis,
        **fingerprint,
        **{f"genres.{each['genre']}": each["probability"] for each in analysis.get("genres", [])},
        **{f"labels.{each['label']}": each["probability"] for each in analysis.get("labels") or []},
        **{
            f"emotion.{name}.{end}": value
            for name, ends in analysis.get("emotion", {}).items()
            for end, value in ends.items()
        },
        **{
            f"{part}.{name}": value
            for part in PARTS
            for name, value in (analysis.get(part) or {}).items()
        },
        **{f"problem.{name}": value for name, value in (record.problem or {}).items()},
        **{name: " ".join(values) for name, values in lists.items()},
    }


class RecordFile:
    """A file of records, open for appending.

    Parameters
    ----------
    path : Path
        The file is created if it does not exist.
    layout : Format
    current : iterable of Fingerprint
        Fingerprints of all recordings of this run.

    Attributes
    ----------
    done : dict of str to bool
        Whether the record has a problem, by path of each recording with an up-to-date record.

    Raises
    ------
    OutputError
        If the file cannot be written, has other content, or another run writes it.
    """

    def __init__(self, path: Path, layout: Format, current: Iterable[Fingerprint]) -> None:
        self._layout = layout
        self.done: dict[str, bool] = {}
        self._path = Path(os.path.realpath(path))
        if os.path.lexists(self._path) and not os.path.isfile(self._path):  # noqa: PTH113
            raise OutputError(f"{path} is not a file: choose another path.")
        try:
            with self._locked():
                self._renew({fingerprint.path: fingerprint for fingerprint in current})
                self._file = self._open(self._path, "a")
                is_locked(self._file)
        except BlockingIOError as error:
            raise OutputError(f"Another run writes {path}: wait for its end.") from error
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}.") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the file while it is renewed; it is made if it does not exist."""
        if sys.platform == "win32":  # where an open file cannot be replaced
            yield
            return
        with self._open(self._path, "a") as file:
            is_locked(file)
            yield

    def _renew(self, current: dict[str, Fingerprint]) -> None:
        """Rewrite the file without the records that are out of date."""
        renewed = part_of(self._path)
        try:
            with self._open(renewed, "w") as file:
                file.write(self._layout.head)
                file.writelines(self._up_to_date(current))
            if self._path.exists():
                shutil.copymode(self._path, renewed)
            renewed.replace(self._path)
        finally:
            renewed.unlink(missing_ok=True)

    def _up_to_date(self, current: dict[str, Fingerprint]) -> Iterator[str]:
        """Yield the records that are up to date, and those of files outside this run."""
        for stored in self._stored():
            path = stored.fingerprint.path
            if path not in current:
                if stored.fingerprint.modified_ns or not os.path.isdir(path):  # noqa: PTH112
                    yield stored.text  # otherwise a folder that is readable now
            elif (
                path not in self.done
                and stored.fingerprint.covers(current[path])
                and stored.problem_type not in RETRIED
            ):
                self.done[path] = stored.problem_type is not None
                yield stored.text

    def _stored(self) -> Iterator[StoredRecord]:
        """Yield the records of the existing file."""
        if not self._path.exists():
            return
        with self._open(self._path, "r") as file:
            try:
                yield from self._layout.read(file)
            except (OutputError, UnicodeDecodeError) as error:
                raise OutputError(
                    f"{self._path} was not written by this command with this model and taxonomy, "
                    f"{error}: choose another file."
                ) from error

    def _open(self, path: Path, mode: str) -> TextIO:
        errors = "surrogateescape" if mode == "r" else self._layout.errors
        return path.open(mode, encoding="utf-8", errors=errors, newline="")  # type: ignore[return-value]

    def add(self, record: Record) -> None:
        """Append a record; it is safe even if the process is killed right after.

        Raises
        ------
        OutputError
            If it cannot be written, for example since the disk is full.
        """
        try:
            self._file.write(self._layout.text(record))
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}.") from error

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file. `add` has already reported any failure to write."""
        with suppress(OSError):
            self._file.close()


def part_of(path: Path) -> Path:
    """Return the path of the temporary file beside a file of records; links are resolved."""
    target = Path(os.path.realpath(path))
    return target.with_name(f"{target.name}.part")
