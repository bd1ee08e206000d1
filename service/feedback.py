"""What senders say of answers, in one SQLite file: the vector, the right label, the time. No sound.

Several processes of one machine may use the same file. Each operation opens it again, so that none
holds it, and waits for the others at most `BUSY_SECONDS`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BUSY_SECONDS = 5.0
APPLICATION_ID = 0x46494645  # "FIFE", in the file's header: which program the file belongs to
PAGE_BYTES = 4_096
LEAST_BYTES = 16 * PAGE_BYTES  # the table and a few entries

_TABLE = """
CREATE TABLE feedback (
    id TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    head TEXT,
    label TEXT NOT NULL,
    answered TEXT,
    sender TEXT,
    space TEXT NOT NULL,
    vector BLOB NOT NULL
) WITHOUT ROWID
"""


class FeedbackError(ValueError):
    """The file of the feedback cannot be used. The message is for the operator, in one line."""


class StoreError(OSError):
    """The store cannot be written or read now. The message is for the sender of a request."""


class StoreFullError(StoreError):
    """The store has no room: as many entries or bytes as the settings allow, or a full disk."""


@dataclass(frozen=True)
class Feedback:
    """One sender's word on one answer.

    Attributes
    ----------
    id : str
        Drawn at random; who knows it may delete the entry.
    created : str
        UTC, ISO 8601.
    head : str or None
        The head that the label is of; None for a genre.
    label : str
        What the sender says is right.
    answered : str or None
        What the service had answered, as the sender says.
    sender : str or None
        Owner of the API key; None without keys.
    space : str
        Of the vector.
    vector : tuple of float
        Of length 1.
    """

    id: str
    created: str
    head: str | None
    label: str
    answered: str | None
    sender: str | None
    space: str
    vector: tuple[float, ...]


class Store:
    """The entries in a file that exists.

    Parameters
    ----------
    path : Path
    max_count : int or None
        Most entries.
    max_bytes : int or None
        Largest size of the file.
    """

    def __init__(
        self, path: Path, max_count: int | None = None, max_bytes: int | None = None
    ) -> None:
        self._path, self._max_count, self._max_bytes = path, max_count, max_bytes

    def add(self, entry: Feedback) -> None:
        """Store an entry; raises `StoreFullError` or `StoreError`."""
        values = (
            entry.id, entry.created, entry.head, entry.label, entry.answered, entry.sender,
            entry.space, np.asarray(entry.vector, "<f4").tobytes(),
        )  # fmt: skip
        most = self._max_count
        with self._opened() as database:
            added = database.execute(
                "INSERT INTO feedback SELECT ?, ?, ?, ?, ?, ?, ?, ?"
                " WHERE ? IS NULL OR (SELECT count(*) FROM feedback) < ?",
                (*values, most, most),
            )
            if not added.rowcount:
                raise StoreFullError(f"This service keeps at most {most:,} entries of feedback.")

    def delete(self, name: str, sender: str | None) -> bool:
        """Delete the entry of an id that a sender stored; return whether there was one.

        Raises
        ------
        StoreError
        """
        with self._opened() as database:
            gone = database.execute(
                "DELETE FROM feedback WHERE id = ? AND sender IS ?", (name, sender)
            )
            return gone.rowcount > 0

    def delete_some(self, ids: list[str] | None = None, senders: list[str] | None = None) -> int:
        """Delete the entries of ids and of senders, or all if both are None; return how many."""
        with self._opened() as database:
            if ids is None and senders is None:
                return database.execute("DELETE FROM feedback").rowcount
            return sum(
                database.execute(f"DELETE FROM feedback WHERE {column} = ?", (each,)).rowcount  # noqa: S608 - two fixed names
                for column, values in (("id", ids), ("sender", senders))
                for each in values or []
            )

    def count(self) -> int:
        """Return the number of entries; raises `StoreError`."""
        with self._opened("BEGIN") as database:
            return int(database.execute("SELECT count(*) FROM feedback").fetchone()[0])

    def entries(self) -> list[Feedback]:
        """Return all entries, the oldest first; raises `StoreError`."""
        with self._opened("BEGIN") as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM feedback ORDER BY created, id").fetchall()
        return [Feedback(**dict(row) | {"vector": _numbers(row["vector"])}) for row in rows]

    @contextmanager
    def _opened(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction; what is deleted is overwritten."""
        try:
            with _connected(self._path) as database:
                database.execute("PRAGMA secure_delete = ON")
                if self._max_bytes is not None:
                    pages = self._max_bytes // PAGE_BYTES
                    database.execute(f"PRAGMA max_page_count = {pages}")
                database.execute(begin)
                yield database
                database.commit()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                raise StoreFullError("This service has no room for more feedback.") from error
            raise StoreError("The feedback cannot be stored or read now; try later.") from error


def _numbers(vector: bytes) -> tuple[float, ...]:
    """Return the numbers of a stored vector."""
    return tuple(np.frombuffer(vector, "<f4").astype(float).tolist())


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that exists; it is closed, and what was not committed is undone."""
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    try:
        yield database
    finally:
        database.close()


def open_store(
    path: Path, max_count: int | None = None, max_bytes: int | None = None, *, create: bool = False
) -> Store:
    """Check the file of a store, or make it, for its owner only.

    Raises
    ------
    FeedbackError
        If there is none, it is another file, or it cannot be made.
    """
    try:
        if create:
            path.touch(mode=0o600)
        with _connected(path) as database:
            database.execute("BEGIN IMMEDIATE" if create else "BEGIN")
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if create and not tables:
                database.rollback()
                _make_table(database)
            (owner,) = database.execute("PRAGMA application_id").fetchone()
    except (OSError, sqlite3.Error) as error:
        raise FeedbackError(f"{path} cannot be used for feedback: {error}.") from error
    if owner != APPLICATION_ID:
        raise FeedbackError(f"{path} has no feedback of this program.")
    return Store(path, max_count, max_bytes)


def _make_table(database: sqlite3.Connection) -> None:
    """Make the table, unless another process was faster."""
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA auto_vacuum = FULL")  # the file shrinks with what is deleted
    database.execute("BEGIN IMMEDIATE")
    if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        database.execute(_TABLE)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.commit()
