"""How loud a waveform is."""

import math

import numpy as np

from service.audio import spec
from service.audio.spec import Waveform

PIECE = 2**16  # samples whose energy float32 can sum; ten minutes as float64 would take 106 MB


def levels(waveform: Waveform) -> tuple[float, float]:
    """Return the peak and the RMS level of a waveform, dBFS, at least `SILENT_DBFS`.

    A sample of magnitude 1 has a peak of 0 dBFS; a square wave of magnitude 1 has an RMS of 0 dBFS.
    """
    pieces = (waveform[at : at + PIECE] for at in range(0, len(waveform), PIECE))
    energy = sum(float(np.einsum("i,i", piece, piece)) for piece in pieces)
    return peak_dbfs(waveform), _dbfs(math.sqrt(energy / max(len(waveform), 1)))


def peak_dbfs(waveform: Waveform) -> float:
    """Return the level of the loudest sample, dBFS, at least `SILENT_DBFS`."""
    return _dbfs(max(-float(waveform.min(initial=0)), float(waveform.max(initial=0))))


def _dbfs(magnitude: float) -> float:
    """Return the level of a magnitude, dBFS."""
    return 20 * math.log10(max(magnitude, 10 ** (spec.SILENT_DBFS / 20)))
