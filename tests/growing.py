"""A recording that arrives piece by piece, whenever its reader waits: no thread, no clock."""

from contextlib import contextmanager

from service import audio


class Arriving(audio.Growing):
    """A growing file that gets its next piece when its reader would wait.

    Parameters
    ----------
    data : bytes
    piece : int
        Bytes of each piece.
    """

    def __init__(self, data, piece=4_096, *, forgetful=False):
        super().__init__(forgetful=forgetful, resting=self._arrive)
        self._rest, self._piece = data, piece

    @contextmanager
    def _arrive(self):
        """Add pieces until there is one at the reader's position, or the file ends."""
        while self._rest and self.tell() >= self.size:
            self.feed(self._rest[: self._piece])
            self._rest = self._rest[self._piece :]
        if self.tell() >= self.size:
            self.end()
        yield

    def wait_for_end(self):
        self.feed(self._rest)
        self._rest = b""
        self.end()
        super().wait_for_end()
