"""Limits of the sound and the time that decoding may take."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from service.audio.errors import DecodeTimeoutError

MAX_SECONDS = 600  # the default limit: 21 MiB of Opus can hold ten hours
CHECK_SECONDS = 0.02  # between calls of `Bounds.check`


@dataclass(frozen=True)
class Bounds:
    """Limits of decoding.

    Attributes
    ----------
    max_seconds : float
        Duration of sound; the rest of the recording is left out.
    decode_seconds : float
        Time limit; a recording that takes longer is refused.
    check : callable
        Called at intervals of `CHECK_SECONDS` between packets. An exception from it ends decoding.
    """

    max_seconds: float = MAX_SECONDS
    decode_seconds: float = math.inf
    check: Callable[[], None] = lambda: None


UNBOUNDED = Bounds()
"""No time limit, and `MAX_SECONDS` of sound."""


class Watch:
    """Enforces the time limit of one recording, over all passes of its decoding.

    Parameters
    ----------
    bounds : Bounds
    elsewhere : callable
        Returns the seconds so far that do not count, such as those of waiting for the file.
    """

    def __init__(self, bounds: Bounds, elsewhere: Callable[[], float] = lambda: 0.0) -> None:
        self._bounds, self._elsewhere = bounds, elsewhere
        self._check_at = monotonic()
        self._deadline = self._check_at + bounds.decode_seconds

    def look(self) -> None:
        """Call the check if it is due, and enforce the time limit.

        Raises
        ------
        DecodeTimeoutError
            If decoding takes too long.
        """
        now = monotonic()
        if now >= self._check_at:
            self._bounds.check()
            self._check_at = now + CHECK_SECONDS
        if now > self._deadline + self._elsewhere():
            raise DecodeTimeoutError(
                f"Decoding this takes longer than {self._bounds.decode_seconds:g} s; send a "
                "shorter part of it."
            )
