"""Blocks of any sample rate -> one waveform at `spec.SAMPLE_RATE`."""

import numpy as np
import soxr

from service.audio import spec
from service.audio.spec import Waveform


class Resampler:
    """Resamples blocks to `SAMPLE_RATE`; their rate may change midway, as in joined MP3s.

    It works as a stream, so that ten minutes of 192 kHz are never in memory at that rate.
    """

    def __init__(self) -> None:
        self._rate = 0
        self._stream: soxr.ResampleStream | None = None

    def push(self, block: Waveform, rate: int) -> Waveform:
        """Add a block at `rate` Hz and return the samples that are ready, possibly none."""
        ready: list[Waveform] = []
        if self._stream is None or rate != self._rate:
            ready.append(self.flush())
            self._stream = soxr.ResampleStream(rate, spec.SAMPLE_RATE, 1, dtype="float32")
            self._rate = rate
        ready.append(self._stream.resample_chunk(block))
        return np.concatenate(ready)

    def flush(self) -> Waveform:
        """Return the samples that the resampler still holds."""
        if self._stream is None:
            return np.empty(0, np.float32)
        tail: Waveform = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        self._stream = None
        return tail
