"""Samples of several channels, as they are coded -> one channel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.audio.spec import Waveform

FULL_SCALE = 0.999  # a sample of this magnitude is as loud as a recorder can tell
FULLEST_SAMPLE = 2.0**16  # float files may pass full scale, even hold 16-bit integers; not more


def _scale(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the middle of what integers of a type can say, and half their range."""
    return 128.0 if dtype == np.uint8 else 0.0, 2.0 ** (8 * dtype.itemsize - 1)


def mono(planes: NDArray[Any]) -> Waveform:
    """Average channels, at their own sample rate.

    Returns
    -------
    block : float32 [shape=(n_samples,)]
        Finite: what is not a number is silence, and overs end at `FULLEST_SAMPLE`.
    """
    if np.issubdtype(planes.dtype, np.integer):
        middle, half_range = _scale(planes.dtype)
        return np.asarray((planes.mean(axis=0) - middle) / half_range, dtype=np.float32)
    if not -FULLEST_SAMPLE <= planes.min(initial=0) <= planes.max(initial=0) <= FULLEST_SAMPLE:
        planes = np.nan_to_num(planes, nan=0.0).clip(-FULLEST_SAMPLE, FULLEST_SAMPLE)
    return np.asarray(planes.mean(axis=0), dtype=np.float32)


def count_at_full_scale(planes: NDArray[Any]) -> int:
    """Count the samples whose magnitude is `FULL_SCALE` or more."""
    middle, half_range = (
        _scale(planes.dtype) if np.issubdtype(planes.dtype, np.integer) else (0.0, 1.0)
    )
    reach = FULL_SCALE * half_range
    return int(np.count_nonzero((planes >= middle + reach) | (planes <= middle - reach)))
