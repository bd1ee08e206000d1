"""Many small messages -> few large pieces, since each time that anything wakes up costs."""

import asyncio
import math
from collections.abc import Callable

GATHER_SECONDS = 1.0  # between two pieces, at least
GATHER_BYTES = 2**18  # that wait no longer
GATHER_MESSAGES = 1_024  # that wait no longer: an empty one takes memory, too


class Gathered:
    """Bytes on their way; used on the event loop only.

    The first bytes are handed on at once, and so are others after a pause. So two of these may
    follow one another, and bytes wait only once.

    Parameters
    ----------
    feed : callable
        Takes the bytes.
    patience : callable, optional
        Returns the seconds for which bytes wait, if more than `GATHER_SECONDS`.
    """

    def __init__(
        self, feed: Callable[[bytes], None], patience: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._feed, self._patience = feed, patience
        self._pieces: list[bytes] = []
        self._size = 0
        self._handed_on = -math.inf  # when
        self._timer: asyncio.TimerHandle | None = None

    def add(self, data: bytes) -> None:
        """Add bytes; they are handed on after their time at the latest."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= GATHER_BYTES or len(self._pieces) >= GATHER_MESSAGES:
            self.hand_on()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            due = self._handed_on + max(GATHER_SECONDS, self._patience())
            if loop.time() >= due:
                self.hand_on()
            else:
                self._timer = loop.call_at(due, self.hand_on)

    def hand_on(self) -> None:
        """Hand the bytes on now."""
        data = b"".join(self._pieces)
        self.drop()
        if data:
            self._handed_on = asyncio.get_running_loop().time()
            self._feed(data)

    def drop(self) -> None:
        """Forget the bytes."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._pieces, self._size = [], 0
