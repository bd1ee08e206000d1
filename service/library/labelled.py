"""Finds labelled recordings: in folders of labels, or in the table that the web app exports."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.library.find import Library

LEAST_TRACKS = 5  # of a label
FILE, LABEL = "file", "label"  # columns of the table
FORMULA = ("'=", "'+", "'-", "'@", "'\t", "'\r")  # how the export begins a cell that has one


class TeachError(ValueError):
    """The recordings cannot teach a head. The message is for the operator, in one line."""


@dataclass(frozen=True)
class Labelled:
    """A recording and its label.

    Attributes
    ----------
    path : Path
        Absolute.
    label : str
    group : str
        The album, or the recording itself outside of an album.
    """

    path: Path
    label: str
    group: str


def in_folders(folder: Path) -> list[Labelled]:
    """Return the recordings of a folder of label/track and label/album/track.

    Raises
    ------
    TeachError
        If the folder cannot be searched or has no folders.
    """
    try:
        labels = sorted(
            each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")
        )
    except OSError as error:
        raise TeachError(f"{folder} cannot be searched: {error.strerror}.") from error
    if not labels:
        raise TeachError(f"{folder} has no folders: its folders are the labels.")
    return [
        Labelled(path, label.name, _group(path, label))
        for label in (each.absolute() for each in labels)
        for path in Library([label]).candidates
    ]


def _group(path: Path, label: Path) -> str:
    """Return the album folder below a label's folder, or the recording's own path."""
    return str(label / path.relative_to(label).parts[0])


def in_table(table: Path) -> list[Labelled]:
    """Return the recordings of a table with the columns `FILE` and `LABEL`.

    Recordings in the same folder are a group, unless they lie directly in that of a label.

    Raises
    ------
    TeachError
        If the table cannot be read, or names a file outside of its own folder.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise TeachError(f"{table} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise TeachError(f"{table} is not a table in UTF-8: {error}.") from error
    if not rows or not {FILE, LABEL} <= rows[0].keys():
        raise TeachError(f"{table} has no rows with the columns {FILE} and {LABEL}.")
    return [_of_row(table.absolute().parent, row) for row in rows if row[LABEL]]


def _of_row(folder: Path, row: dict[str, str]) -> Labelled:
    name, label = _plain(row[FILE] or ""), _plain(row[LABEL])
    path = folder / name
    if not name or not path.resolve().is_relative_to(folder.resolve()):
        raise TeachError(f"The table names {name or 'no file'}, which is not beside it.")
    album = len(path.relative_to(folder).parts) > 2
    return Labelled(path, label, str(path.parent if album else path))


def _plain(cell: str) -> str:
    """Return a cell without the quote that keeps a spreadsheet from reading a formula."""
    return cell[1:] if cell.startswith(FORMULA) else cell


def without_duplicates(recordings: Sequence[Labelled]) -> list[Labelled]:
    """Return the recordings without those that are the same file, byte for byte.

    Raises
    ------
    TeachError
        If the same recording has two labels.
    """
    seen: dict[str, Labelled] = {}
    for each in recordings:
        first = seen.setdefault(_digest(each.path), each)
        if first.label != each.label:
            raise TeachError(
                f"The same recording is in two labels: {first.path} in {first.label}, "
                f"{each.path} in {each.label}."
            )
    return list(seen.values())


def _digest(path: Path) -> str:
    """Return a digest of a file's content, or of the path of one that cannot be read."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        pass  # its analysis reports the problem
    return str(path)


def require_enough(recordings: Sequence[Labelled]) -> None:
    """Refuse recordings that cannot teach a head.

    Raises
    ------
    TeachError
        If there are none, there is one label only, or a label has too few recordings or only one
        album.
    """
    tracks, groups = defaultdict[str, int](int), defaultdict[str, set[str]](set)
    for each in recordings:
        tracks[each.label] += 1
        groups[each.label].add(each.group)
    if not tracks:
        raise TeachError("There are no recordings: put them into folders of their labels.")
    if len(tracks) == 1:
        raise TeachError(f"There is one label only, {min(tracks)}: two or more are needed.")
    few = [f"{label} has {count}" for label, count in sorted(tracks.items())
           if count < LEAST_TRACKS]  # fmt: skip
    if few:
        raise TeachError(f"A label needs {LEAST_TRACKS} recordings or more: {', '.join(few)}.")
    single = sorted(label for label, names in groups.items() if len(names) == 1)
    if single:
        raise TeachError(
            f"All recordings of {', '.join(single)} are of one album: a label needs two or more, "
            "so that it can be measured on an album that was not taught."
        )
