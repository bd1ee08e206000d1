"""A file-like object that FFmpeg can read safely."""

import io
from collections.abc import Callable
from typing import BinaryIO

from service.audio.growing import Growing

PIECE = 2**20  # bytes that are searched at a time
SEEK_SIZE = 0x10000  # FFmpeg's AVSEEK_SIZE: a request for the size of the file


class Source:
    """A seekable file that FFmpeg may open more than once.

    PyAV calls `read` and `seek` from inside FFmpeg, through which no exception can propagate. PyAV
    prints exceptions and drops them. So these methods raise none: an invalid seek returns -1, and a
    failed read ends the file, for good, and stores the exception in `error`.

    Parameters
    ----------
    data : bytes or file
        Also one that is still growing: reads wait for the bytes that have not arrived yet.

    Attributes
    ----------
    in_order : bool
        Whether a growing file refuses to go to a position that has not arrived yet.
    look : callable
        Called before each read. An exception from it fails the read: so FFmpeg does not search a
        file for something that it can decode beyond the time limit.
    error : BaseException or None
        The exception of a failed read.
    """

    def __init__(self, data: bytes | BinaryIO | Growing) -> None:
        self._file = io.BytesIO(data) if isinstance(data, bytes) else data
        self._patches: dict[int, bytes] = {}
        self.in_order = False
        self.look: Callable[[], None] = lambda: None
        self.error: BaseException | None = None
        if isinstance(self._file, Growing):
            self._size = 0
        else:
            self._size = self._file.seek(0, io.SEEK_END)
            self._file.seek(0)

    @property
    def growing(self) -> Growing | None:
        """The file, if it is still growing."""
        file = self._file
        return file if isinstance(file, Growing) and not file.ended else None

    @property
    def size(self) -> int:
        """Number of bytes; of a growing file, those that have arrived."""
        return self._file.size if isinstance(self._file, Growing) else self._size

    def wait_for_end(self) -> None:
        """Wait until a growing file is complete, unless it forgets what was read."""
        if self.growing and not self.growing.forgetful:
            self.growing.wait_for_end()

    def head(self, size: int) -> bytes:
        """Return the first bytes, and seek to the beginning."""
        head = self.at(0, size)
        self.seek(0)
        return head

    def at(self, start: int, size: int) -> bytes:
        """Return bytes from a position, fewer only at the end of the file."""
        self.seek(start)
        found = b""
        while len(found) < size and (piece := self.read(size - len(found))):
            found += piece
        return found

    def holds(self, mark: bytes) -> bool:
        """Return whether the file contains certain bytes."""
        self.seek(0)
        tail = b""
        while piece := self.read(PIECE):
            if mark in tail + piece:
                return True
            tail = piece[-len(mark) :]
        return False

    def patch(self, start: int, replacement: bytes) -> None:
        """Replace bytes in later reads; the file itself stays unchanged."""
        self._patches[start] = replacement

    def raise_error(self) -> None:
        """Raise the exception of a failed read, if there is one."""
        if self.error:
            raise self.error

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end of the file."""
        if self.error:
            return b""
        try:
            self.look()
            start = self._file.tell() if self._patches else 0
            data = self._file.read(size)
        except BaseException as error:  # noqa: BLE001 - FFmpeg would go on; see `raise_error`
            self.error = error
            return b""
        for at, replacement in self._patches.items():
            if start - len(replacement) < at < start + len(data):
                data = _overlaid(data, at - start, replacement)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it, or -1 if it is invalid."""
        if whence == SEEK_SIZE:
            return -1 if self.growing else self.size
        if self.in_order and self.growing and whence == io.SEEK_SET and offset > self.size:
            return -1
        try:
            return self._file.seek(offset, whence)
        except (OSError, OverflowError, ValueError):
            return -1

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()


def _overlaid(data: bytes, at: int, replacement: bytes) -> bytes:
    """Replace bytes from `at` on; the replacement may extend beyond either end of the data."""
    if at < 0:
        replacement, at = replacement[-at:], 0
    replacement = replacement[: len(data) - at]
    return data[:at] + replacement + data[at + len(replacement) :]
