"""A file that is decoded while it arrives."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Condition
from time import perf_counter

REMEMBERED = 2**20  # bytes behind the reader that a forgetful file keeps: a header, and more


class BrokenOffError(OSError):
    """The rest of a growing file will not arrive."""


class Growing:
    """A seekable file whose reader waits for the bytes that have not arrived yet.

    One thread reads and seeks; another calls `feed`, then `end` or `fail`. A container whose header
    is at its end makes its reader wait for the end; others are read as they arrive.

    Parameters
    ----------
    forgetful : bool
        Whether bytes that were read are forgotten. Then only the last `REMEMBERED` can be read
        again.
    resting : callable
        Returns a context that surrounds each wait of the reader, which needs no processor then.

    Attributes
    ----------
    size : int
        Number of bytes that have arrived.
    ended : bool
        Whether there will be no more.
    waiting : bool
        Whether the reader waits.
    elsewhere : float
        Seconds that the reader has not spent on decoding, but waiting. A reader that does other
        work in between may add to it.
    patience : float
        Seconds of sound, at least, that must still arrive before the reader has anything to tell.
        The reader sets it.
    """

    def __init__(
        self,
        *,
        forgetful: bool = False,
        resting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.forgetful, self._resting = forgetful, resting
        self._changed = Condition()
        self._data = bytearray()
        self._start = 0  # position of the first byte of `_data`
        self._position = 0
        self._error: OSError | None = None
        self._awaited: Callable[[], bool] | None = None  # what the reader waits for
        self.size = 0
        self.ended = False
        self.waiting = False
        self.elsewhere = 0.0
        self.patience = 0.0

    @property
    def unread(self) -> int:
        """Number of bytes that have arrived behind the reader's position."""
        return max(0, self.size - self._position)

    def feed(self, data: bytes) -> None:
        """Add bytes to the end."""
        with self._changed:
            self._data += data
            self.size += len(data)
            self._wake()

    def end(self) -> None:
        """Say that the file is complete."""
        with self._changed:
            self.ended = True
            self._wake()

    def fail(self, error: OSError) -> None:
        """Make the reader's next read raise an error."""
        with self._changed:
            self._error = error
            self._wake()

    def _wake(self) -> None:
        """Wake the reader, unless what arrived is not what it waits for."""
        if self._awaited and self._awaited():
            self._changed.notify()

    def wait_for_end(self) -> None:
        """Wait until the file is complete, or `fail` was called."""
        self._wait(lambda: self.ended or self._error is not None)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes as soon as there is one; none at the end of the file.

        Raises
        ------
        OSError
            The error of `fail`.
        """
        if not self._is_readable():
            self._wait(self._is_readable)
        with self._changed:
            if self._error:
                raise self._error
            at = self._position - self._start
            data = bytes(self._data[at : at + size])
            self._position += len(data)
            if self.forgetful and at > 2 * REMEMBERED:
                del self._data[: at - REMEMBERED]
                self._start += at - REMEMBERED
            return data

    def _is_readable(self) -> bool:
        """Return whether a read need not wait."""
        return self.ended or self._error is not None or self.size > self._position

    def _wait(self, until: Callable[[], bool]) -> None:
        """Wait until a condition is met."""
        began = perf_counter()
        with self._resting(), self._changed:
            self.waiting, self._awaited = True, until
            self._changed.wait_for(until)
            self.waiting, self._awaited = False, None
        self.elsewhere += perf_counter() - began

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, also to one that has not arrived yet, and return it.

        Raises
        ------
        ValueError
            If it is before the beginning, or was forgotten.
        OSError
            If it is relative to an end that is not known yet.
        """
        if whence == io.SEEK_END and not self.ended:
            raise io.UnsupportedOperation("the file is still growing")
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < self._start:
            raise ValueError("this part of the file is not here")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position
