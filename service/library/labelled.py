"""Finds labelled recordings: in folders of labels, or in the table that the web app exports.

And what senders said of answers, as vectors without recordings.
"""

import csv
import hashlib
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.feedback import Feedback, FeedbackError, StoreError, open_store
from service.library.find import Library
from service.schemas import MAX_LABEL

LEAST_TRACKS = 5  # of a label
SAME_SOUND = 0.985
"""Least cosine of the vectors of two copies of a recording.

Of 60 clips of the corpus, copies as MP3, AAC and Opus at 96 kbit/s had 0.994 or more; the nearest
two of 500 different recordings had 0.971.
"""
FILE, LABEL = "file", "label"  # columns of the table
SEPARATORS = ",;\t"  # of the table; spreadsheets write the second where the first is in numbers
UNSHOWN = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of what no label has: controls, bytes that are not UTF-8, ends of lines."""
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
            lines = list(file)
        rows = list(csv.DictReader(lines, delimiter=_separator(lines)))
    except OSError as error:
        raise TeachError(f"{table} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise TeachError(f"{table} is not a table in UTF-8: {error}.") from error
    if not rows or not {FILE, LABEL} <= rows[0].keys():
        raise TeachError(f"{table} has no rows with the columns {FILE} and {LABEL}.")
    labelled = [row for row in rows if (row[LABEL] or "").strip()]
    return [_of_row(table.absolute().parent, row) for row in labelled]


def _separator(lines: Sequence[str]) -> str:
    """Return what separates the columns of a table, by its first line."""
    for each in SEPARATORS:
        if {FILE, LABEL} <= {*next(csv.reader(lines[:1], delimiter=each), [])}:
            return each
    return SEPARATORS[0]


def _of_row(folder: Path, row: dict[str, str]) -> Labelled:
    name, label = _plain(row[FILE] or ""), _plain(row[LABEL]).strip()
    path = folder / name
    if not name or not _is_beside(path, folder):
        raise TeachError(f"The table names {name or 'no file'}, which is not beside it.")
    album = len(path.relative_to(folder).parts) > 2
    return Labelled(path, label, str(path.parent if album else path))


def _is_beside(path: Path, folder: Path) -> bool:
    """Return whether a file is in a folder, however its name is written."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name that none can have
        return False


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


def require_one_label(recordings: Sequence[Labelled], vectors: Sequence[Sequence[float]]) -> None:
    """Refuse recordings that are copies of one another, by their vectors, under two labels.

    Raises
    ------
    TeachError
    """
    for first, second in _copies(vectors):
        one, other = recordings[first], recordings[second]
        if one.label != other.label:
            raise TeachError(
                f"The same sound is in two labels: {one.path} in {one.label}, {other.path} in "
                f"{other.label}."
            )


def _copies(vectors: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Return the places of each two vectors that are of the same sound."""
    together = np.array(vectors, np.float32)
    return [
        (place, place + 1 + int(near))
        for place, vector in enumerate(together)
        for near in np.flatnonzero(together[place + 1 :] @ vector >= SAME_SOUND)
    ]


def in_feedback(
    store: Path,
    space: str,
    head: str | None,
    recordings: Sequence[Labelled],
    vectors: Sequence[Sequence[float]],
) -> tuple[list[Labelled], list[list[float]]]:
    """Return what senders said of a head, and its vectors; what is left out is told on stderr.

    Of several words with one label on the same sound the first counts. Words with several labels on
    the same sound are left out, and so are those that contradict a recording, and labels with too
    few in all.

    Parameters
    ----------
    store : Path
    space : str
        Of the vectors.
    head : str or None
        None for the genres.
    recordings, vectors : sequence
        The operator's own, which are right where a sender says otherwise.

    Raises
    ------
    FeedbackError
        If the file cannot be used.
    """
    words = [each for each in _entries(store) if each.head == head]
    usable = [each for each in words if each.space == space]
    _tell(len(words) - len(usable), "of another model")
    own = [*recordings, *(_said(each) for each in usable)]
    dropped, contradicted = set[int](), set[int]()
    for first, second in _copies([*vectors, *(each.vector for each in usable)]):
        if own[first].label == own[second].label:
            dropped.add(second)
        else:
            contradicted |= {first, second}
    taught = range(len(recordings))
    contradicted -= {*taught}
    _tell(len(contradicted), "that contradict one another or your recordings")
    _tell(len(dropped - contradicted - {*taught}), "that say the same of the same sound")
    kept = [n for n in range(len(recordings), len(own)) if n not in dropped | contradicted]
    counts = Counter(own[n].label for n in [*taught, *kept])
    enough = [n for n in kept if counts[own[n].label] >= LEAST_TRACKS]
    _tell(len(kept) - len(enough), f"of labels with fewer than {LEAST_TRACKS}")
    return [own[n] for n in enough], [[*usable[n - len(recordings)].vector] for n in enough]


def _entries(store: Path) -> list[Feedback]:
    try:
        return open_store(store).entries()
    except StoreError as error:
        raise FeedbackError(f"{store} cannot be read: {error.__cause__ or error}.") from error


def _said(entry: Feedback) -> Labelled:
    """Return an entry as a recording, a group of its own."""
    name = f"feedback/{entry.id}"
    return Labelled(Path(name), entry.label, name)


def _tell(count: int, what: str) -> None:
    if count:
        sys.stderr.write(f"Left out: {count} words of feedback {what}.\n")


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
        If there are none, there is one label only, a label cannot be one, or has too few recordings
        or only one album.
    """
    _require_labels(sorted({each.label for each in recordings}))
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


def _require_labels(labels: Sequence[str]) -> None:
    """Refuse labels that no answer could have, or that nobody could tell apart."""
    seen: dict[str, str] = {}
    for label in labels:
        if len(label) > MAX_LABEL:
            raise TeachError(f"A label has at most {MAX_LABEL} characters: {label[:MAX_LABEL]}…")
        if any(unicodedata.category(each) in UNSHOWN for each in label):
            raise TeachError(f"The label {label!a} has characters that cannot be shown.")
        seen_as = (each for each in label if unicodedata.category(each) != "Cf")
        looks = " ".join(unicodedata.normalize("NFKC", "".join(seen_as)).casefold().split())
        if (other := seen.setdefault(looks, label)) != label:
            raise TeachError(
                f"Two labels look the same, {other!a} and {label!a}: give them one name."
            )
