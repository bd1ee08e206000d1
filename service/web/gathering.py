"""Many small messages -> few large pieces, since each time that an analysis wakes up costs."""

import asyncio
from collections.abc import Callable

GATHER_SECONDS = 0.5  # for which bytes wait for more
GATHER_BYTES = 2**18  # of them, which wait no longer


class Gathered:
    """Bytes on their way to an analysis; used on the event loop only.

    Parameters
    ----------
    feed : callable
        Takes the bytes.
    """

    def __init__(self, feed: Callable[[bytes], None]) -> None:
        self._feed = feed
        self._pieces: list[bytes] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, data: bytes) -> None:
        """Add bytes; they are handed on after `GATHER_SECONDS` at the latest."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= GATHER_BYTES:
            self.hand_on()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(GATHER_SECONDS, self.hand_on)

    def hand_on(self) -> None:
        """Hand the bytes on now."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._pieces:
            self._feed(b"".join(self._pieces))
            self._pieces, self._size = [], 0
