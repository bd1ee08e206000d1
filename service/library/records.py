"""The records that the annotation of a library consists of, and the file that they are kept in.

That file is what a run is gone on with. A recording is done if it has a record of the same size,
time of change and model, made with all that is asked for now. What is no longer so is left out when
the file is opened again, as is a record that was cut off.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TextIO

from service.card import Emotion

RANGE = ("low", "high", "percentile")
FACTS = (
    "container", "codec", "sample_rate", "channels", "duration_seconds", "analysed_seconds",
    "truncated", "peak_dbfs", "rms_dbfs",
)  # fmt: skip


class AnotherFileError(ValueError):
    """What is there was not written by this command. The message is for the operator."""


@dataclass(frozen=True)
class Made:
    """Of what a record was made.

    Attributes
    ----------
    path : str
        Absolute.
    size_bytes, modified_ns : int
        Of the file, after its tags were written.
    model : str
        Digest.
    asked : tuple of str
        What was asked for beside the analysis: ``timeline``, ``tags``.
    """

    path: str
    size_bytes: int
    modified_ns: int
    model: str
    asked: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, model: str, asked: tuple[str, ...]) -> Self:
        """Look at a file as it is now; one that is gone has neither size nor time."""
        try:
            stat = path.stat()
        except OSError:
            return cls(str(path), 0, 0, model, asked)
        return cls(str(path), stat.st_size, stat.st_mtime_ns, model, asked)

    def holds_for(self, now: "Made") -> bool:
        """Say whether a record made of this is as good as a new one."""
        same = (self.path, self.size_bytes, self.modified_ns, self.model) == (
            now.path, now.size_bytes, now.modified_ns, now.model,
        )  # fmt: skip
        return same and set(now.asked) <= set(self.asked)


_MADE = list(Made.__dataclass_fields__)


@dataclass(frozen=True)
class Record:
    """What was found in one recording.

    Attributes
    ----------
    made : Made
    analysis : dict or None
        A `service.schemas.Analysis`, as JSON has it.
    problem : dict or None
        ``type`` and ``detail`` of what went wrong with the recording or with writing its tags.
    tags : list of str
        Names of the tags that were written into the file.
    """

    made: Made
    analysis: dict[str, Any] | None
    problem: dict[str, str] | None
    tags: list[str]


class Format(Protocol):
    """How records are written down."""

    head: str

    def written(self, record: Record) -> str:
        """Return a record as text, with the end of its line."""

    def read(self, file: TextIO) -> Iterator[tuple[Made, str]]:
        """Return what each whole record was made of, and the record as text.

        Raises
        ------
        AnotherFileError
            If the file holds something else.
        """


class JsonLines:
    """A JSON object a line."""

    head = ""

    def written(self, record: Record) -> str:
        """Return a record as text, with the end of its line."""
        said = asdict(record)
        return json.dumps(said.pop("made") | said, ensure_ascii=False) + "\n"

    def read(self, file: TextIO) -> Iterator[tuple[Made, str]]:
        """Return what each whole record was made of, and the record as text."""
        for line in file:
            if not line.endswith("\n"):  # it was cut off
                _check_beginning(line, '{"path": "')
                return
            try:
                said = json.loads(line)
                made = Made(
                    **{name: said[name] for name in _MADE} | {"asked": tuple(said["asked"])}
                )
            except (ValueError, KeyError, TypeError) as error:
                raise AnotherFileError("it has a line that is no record") from error
            yield made, line


class Table:
    """Comma-separated values under names, without timelines.

    Parameters
    ----------
    genres, emotions : list of str
        Of the model that answers.
    """

    def __init__(self, genres: list[str], emotions: list[Emotion]) -> None:
        self._columns = [
            *_MADE,
            "verdict", "genre", "mood", "music", "known",
            *(f"genres.{name}" for name in genres),
            *emotions,
            *(f"emotion.{name}.{end}" for name in emotions for end in RANGE),
            *(f"audio.{name}" for name in FACTS),
            "warnings", "problem.type", "problem.detail", "tags",
        ]  # fmt: skip
        self.head = _row(self._columns)

    def written(self, record: Record) -> str:
        """Return a record as text, with the end of its line."""
        cells = _cells(asdict(record))
        return _row([cells.get(column, "") for column in self._columns])

    def read(self, file: TextIO) -> Iterator[tuple[Made, str]]:
        """Return what each whole record was made of, and the record as text."""
        head = file.readline()
        _check_beginning(head, self.head)
        for row in csv.reader(line for line in file if line.endswith(("\n", "\r"))):
            if len(row) == len(self._columns):  # else it was cut off
                path, size, modified, model, asked = row[: len(_MADE)]
                made = Made(path, int(size), int(modified), model, tuple(asked.split()))
                yield made, _row(row)


def _check_beginning(text: str, ours: str) -> None:
    """Refuse what is neither longer nor shorter than what a file of ours begins with."""
    if not (text.startswith(ours) or ours.startswith(text)):
        raise AnotherFileError("it begins otherwise")


def _row(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _cells(said: dict[str, Any]) -> dict[str, object]:
    """Return the cells of a record by their columns."""
    made, analysis, problem = said["made"], said["analysis"] or {}, said["problem"] or {}
    listed = {
        "asked": made["asked"],
        "tags": said["tags"],
        "warnings": [warned["type"] for warned in analysis.get("warnings", [])],
    }
    return {
        **analysis,
        **made,
        **{f"genres.{each['genre']}": each["probability"] for each in analysis.get("genres", [])},
        **{
            f"emotion.{name}.{end}": value
            for name, ends in analysis.get("emotion", {}).items()
            for end, value in ends.items()
        },
        **{f"audio.{name}": value for name, value in analysis.get("audio", {}).items()},
        **{f"problem.{name}": value for name, value in problem.items()},
        **{name: " ".join(values) for name, values in listed.items()},
    }


class RecordFile:
    """A file of records, open to be added to.

    Parameters
    ----------
    path : Path
        It is made where it is not there.
    layout : Format
    now : iterable of Made
        What records of all the recordings to analyze would be made of.

    Attributes
    ----------
    done : set of str
        The paths of those that have a record that holds.

    Raises
    ------
    AnotherFileError
        If something else is there.
    OSError
        If it cannot be written.
    """

    def __init__(self, path: Path, layout: Format, now: Iterable[Made]) -> None:
        self._layout = layout
        self.done: set[str] = set()
        current = {made.path: made for made in now}
        renewed = path.with_name(f"{path.name}.part")
        try:
            with _open(renewed, "w") as file:
                file.write(layout.head)
                file.writelines(self._held(path, current))
            renewed.replace(path)
        finally:
            renewed.unlink(missing_ok=True)
        self._file = _open(path, "a")

    def _held(self, path: Path, current: dict[str, Made]) -> Iterator[str]:
        """Return the records that hold, and those of recordings that are not asked for."""
        for made, text in self._read(path):
            if made.path not in current:
                yield text
            elif made.holds_for(current[made.path]) and made.path not in self.done:
                self.done.add(made.path)
                yield text

    def _read(self, path: Path) -> Iterator[tuple[Made, str]]:
        if not path.exists():
            return
        with _open(path, "r") as file:
            try:
                yield from self._layout.read(file)
            except (AnotherFileError, UnicodeDecodeError) as error:
                raise AnotherFileError(
                    f"{path} was not written by this command for this model, {error}: name "
                    "another file."
                ) from error

    def add(self, record: Record) -> None:
        """Write a record, so that it is there even if the next moment is the last."""
        self._file.write(self._layout.written(record))
        self._file.flush()

    def __enter__(self) -> Self:
        """Take part in a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()


def _open(path: Path, mode: str) -> TextIO:
    """Open a file of records: names of files need not be UTF-8."""
    return path.open(mode, encoding="utf-8", errors="surrogateescape", newline="")  # type: ignore[return-value]
