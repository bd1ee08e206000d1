"""How much decoding may take."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from service.audio.errors import DecodeTimeoutError

MAX_SECONDS = 600  # decoding stops here unless told otherwise: 21 MiB of Opus can hold ten hours
CHECK_SECONDS = 0.02  # between calls of `Bounds.check`


@dataclass(frozen=True)
class Bounds:
    """What decoding may take.

    Attributes
    ----------
    max_seconds : float
        Of sound: what follows is left out.
    decode_seconds : float
        Of time: a recording that takes longer is refused.
    check : callable
        Called now and then between the packets of a recording. What it raises ends decoding.
    """

    max_seconds: float = MAX_SECONDS
    decode_seconds: float = math.inf
    check: Callable[[], None] = lambda: None


UNBOUNDED = Bounds()
"""Any time, and `MAX_SECONDS` of sound."""


class Watch:
    """Holds the decoding of one recording to its bounds of time, however often it starts again."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._check_at = monotonic()
        self._deadline = self._check_at + bounds.decode_seconds

    def look(self) -> None:
        """Call the check where it is time to.

        Raises
        ------
        DecodeTimeoutError
            If decoding takes too long.
        """
        now = monotonic()
        if now >= self._check_at:
            self._bounds.check()
            self._check_at = now + CHECK_SECONDS
        if now > self._deadline:
            raise DecodeTimeoutError(
                f"Decoding this takes longer than {self._bounds.decode_seconds:g} s; send less of "
                "it."
            )
