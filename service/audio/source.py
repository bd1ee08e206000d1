"""The bytes of a recording, as FFmpeg may read them."""

import io
from typing import BinaryIO

PIECE = 2**20  # bytes that are looked at together
SEEK_SIZE = 0x10000  # FFmpeg's question about the size of a file


class Source:
    """A seekable file that FFmpeg may open more than once.

    PyAV calls `read` and `seek` from inside FFmpeg, where an exception cannot pass. It prints
    those that it has to drop. So this one raises none: a seek to nowhere returns -1, and a read
    that fails ends the file and is kept as `error`.

    Parameters
    ----------
    data : bytes or file

    Attributes
    ----------
    size : int
        Bytes.
    error : OSError or None
        What ended reading before the end of the file.
    """

    def __init__(self, data: bytes | BinaryIO) -> None:
        self._file = io.BytesIO(data) if isinstance(data, bytes) else data
        self._patches: dict[int, bytes] = {}
        self.error: OSError | None = None
        self.size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)

    def head(self, size: int) -> bytes:
        """Return the first bytes, and go back before them."""
        head = self.at(0, size)
        self.seek(0)
        return head

    def at(self, start: int, size: int) -> bytes:
        """Return the bytes from a place on."""
        self.seek(start)
        return self.read(size)

    def holds(self, mark: bytes) -> bool:
        """Say whether some bytes are anywhere in the file."""
        self.seek(0)
        tail = b""
        while piece := self.read(PIECE):
            if mark in tail + piece:
                return True
            tail = piece[-len(mark) :]
        return False

    def patch(self, start: int, replacement: bytes) -> None:
        """Have some bytes read as others from now on; the file stays as it is."""
        self._patches[start] = replacement

    def raise_error(self) -> None:
        """Raise what ended reading, if anything did."""
        if self.error:
            raise self.error

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end of the file."""
        try:
            start = self._file.tell() if self._patches else 0
            data = self._file.read(size)
        except OSError as error:
            self.error = error
            return b""
        for at, replacement in self._patches.items():
            if start - len(replacement) < at < start + len(data):
                data = _overlaid(data, at - start, replacement)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, and return the new position; -1 where there is none such."""
        if whence == SEEK_SIZE:
            return self.size
        try:
            return self._file.seek(offset, whence)
        except (OSError, OverflowError, ValueError):
            return -1

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()


def _overlaid(data: bytes, at: int, replacement: bytes) -> bytes:
    """Replace bytes from a place on, which may lie before the beginning or cross the end."""
    if at < 0:
        replacement, at = replacement[-at:], 0
    replacement = replacement[: len(data) - at]
    return data[:at] + replacement + data[at + len(replacement) :]
