"""How loud a recording is to people, and how high it peaks between its samples: EBU R 128.

The measures are those of ITU-R BS.1770-5: K-weighting, blocks of 400 ms every 100 ms, the absolute
gate at -70 LUFS and the relative gate 10 LU below what passes it; true peak by oversampling to
192 kHz. A mono recording is one channel, as the standard counts it; on two loudspeakers it sounds
3 LU louder than its figure.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from service.audio import spec
from service.audio.downmix import Checked
from service.audio.weighting import KWeighting

Planes = NDArray[np.float32]

STEPS_A_SECOND = 10  # a step is 100 ms
STEPS_A_BLOCK = 4
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0  # LUFS, and LU below the loudness of what passes it
OFFSET = -0.691  # LUFS: makes a sine of 997 Hz at 0 dBFS on one channel -3.01 LUFS
SURROUND_WEIGHT = 1.41  # about +1.5 dB
SURROUND = {"BL", "BR", "SL", "SR"}
LOW_FREQUENCY = {"LFE", "LFE2"}  # left out

OVERSAMPLED_RATE = 192_000  # Hz, at least: four times 48 kHz
REACH = 12  # samples on either side of an interpolated value
NEAR_PEAK = 0.6  # times the highest value so far: a true peak has such a sample beside it
LIKELY = 0.85  # times the highest parabola or peak so far: a new peak is above such a parabola
SMALLEST = float(np.finfo(np.float32).tiny)
ROUGHNESS = 4.0  # Kaiser's beta: higher, and it would miss peaks of the highest octave


@dataclass(frozen=True)
class Loudness:
    """The loudness of a recording.

    Attributes
    ----------
    integrated_lufs : float or None
        None if no block of 400 ms passes the absolute gate.
    true_peak_dbtp : float
        At least `spec.SILENT_DBFS`.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float


class Meter:
    """Measures the loudness of a recording block by block, on its own channels and rate."""

    def __init__(self) -> None:
        self._kind: tuple[int, tuple[str, ...]] | None = None
        self._powers: list[NDArray[np.float64]] = []
        self._peak = 0.0

    def add(self, block: Checked, rate: int, layout: tuple[str, ...]) -> None:
        """Add a block.

        Parameters
        ----------
        block : Checked
        rate : int
            Hz. If it or the layout differs from the block before, the filters start again.
        layout : tuple of str
            FFmpeg's names of the channels: ``("FL", "FR")``.
        """
        if self._kind != (rate, layout):
            self._finish()
            self._kind = rate, layout
            self._weights = np.array([channel_weight(name) for name in layout])
            self._filter = KWeighting(rate, len(layout))
            self._rest = np.zeros((len(layout), 0), np.float32)
            self._edge = np.zeros((len(layout), 2 * REACH), np.float32)
        joined = block.floats(behind=self._edge)
        self._update_peak(joined, rate)
        self._collect(self._filter.push(joined[:, 2 * REACH :]), rate)

    def _collect(self, weighted: Planes, rate: int) -> None:
        """Add the power of the steps that weighted samples complete."""
        step = rate // STEPS_A_SECOND
        joined = np.concatenate([self._rest, weighted], axis=1)
        n_steps = joined.shape[1] // step
        steps = joined[:, : n_steps * step].reshape(len(joined), n_steps, step)
        self._powers.append(self._weights @ np.einsum("cns,cns->cn", steps, steps) / step)
        self._rest = joined[:, n_steps * step :]

    def _update_peak(self, joined: Planes, rate: int) -> None:
        """Raise the peak to the highest value of a block, which follows the end of another."""
        self._edge = joined[:, -2 * REACH :]
        magnitudes = np.abs(joined)
        self._peak = max(self._peak, float(magnitudes.max()))
        self._peak = max(self._peak, _between(joined, magnitudes, self._peak, rate))

    def _finish(self) -> None:
        """Measure what waits for the samples that follow: its end has peaks, too."""
        if self._kind:
            rate, _ = self._kind
            silence = np.zeros_like(self._edge)
            self._update_peak(np.concatenate([self._edge, silence], axis=1), rate)
            self._collect(self._filter.flush(), rate)
            self._kind = None

    def loudness(self, max_seconds: float = math.inf) -> Loudness:
        """Return the loudness of the blocks; those after `max_seconds` are left out."""
        self._finish()
        powers = np.concatenate([np.empty(0), *self._powers])
        if math.isfinite(max_seconds):
            powers = powers[: math.ceil(max_seconds * STEPS_A_SECOND)]
        level = 20 * math.log10(max(self._peak, 10 ** (spec.SILENT_DBFS / 20)))
        return Loudness(integrated(powers), level)


def integrated(powers: NDArray[np.float64]) -> float | None:
    """Return the gated loudness of a recording, LUFS, or None if nothing passes the gate.

    Parameters
    ----------
    powers : float64 [shape=(n_steps,)]
        Weighted sum over channels of the mean square of each step.
    """
    if len(powers) < STEPS_A_BLOCK:
        return None
    blocks = sliding_window_view(powers, STEPS_A_BLOCK).mean(axis=1)
    blocks = blocks[blocks > _power(ABSOLUTE_GATE)]
    if not len(blocks):
        return None
    blocks = blocks[blocks > _power(_lufs(blocks.mean()) + RELATIVE_GATE)]
    return _lufs(blocks.mean())


def _lufs(power: float) -> float:
    return OFFSET + 10 * math.log10(power)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - OFFSET) / 10))


def channel_weight(name: str) -> float:
    """Return the weight of a channel's power, by FFmpeg's name of the channel."""
    if name in LOW_FREQUENCY:
        return 0.0
    return SURROUND_WEIGHT if name in SURROUND else 1.0


def _between(planes: Planes, magnitudes: Planes, peak: float, rate: int) -> float:
    """Return the highest magnitude between the samples of channels, or 0 if none may be a peak.

    Interpolating everywhere would take several times as long as decoding. Only the surroundings of
    samples that are higher than their neighbours and than `NEAR_PEAK` times the peak are
    interpolated, where the parabola through a sample and its neighbours is among the highest.
    """
    filters = interpolators(rate)
    high = np.flatnonzero(magnitudes >= max(NEAR_PEAK * peak, SMALLEST))
    place = high % planes.shape[1]
    high = high[(place >= REACH) & (place < planes.shape[1] - REACH)]
    samples, at = planes.ravel(), magnitudes.ravel()
    high = high[(at[high] >= at[high - 1]) & (at[high] >= at[high + 1])]
    is_flat = (samples[high] == samples[high - 1]) & (samples[high] == samples[high + 1])
    high = high[~is_flat]  # a flat top is highest at one of its ends
    if not len(high) or not filters.shape[1]:
        return 0.0
    before, middle, after = (samples[high + shift] for shift in (-1, 0, 1))
    curvature = np.maximum(np.abs(2 * middle - before - after), SMALLEST)
    tops = np.abs(middle) + (after - before) ** 2 / (8 * curvature)
    starts = high[tops >= LIKELY * max(float(tops.max()), peak)] - REACH
    around = samples[np.concatenate([starts, starts + 1])[:, None] + np.arange(2 * REACH)]
    return float(np.abs(np.einsum("ns,sp->np", around, filters)).max(initial=0))


@cache
def interpolators(rate: int) -> Planes:
    """Return filters that interpolate between two samples.

    Returns
    -------
    filters : float32 [shape=(2 * REACH, n_phases - 1)]
        Each gives the value at one place between sample ``REACH - 1`` and sample ``REACH``.
    """
    phases = math.ceil(OVERSAMPLED_RATE / rate)
    fractions = np.arange(1, phases) / phases
    places = np.arange(2 * REACH)[:, None] - (REACH - 1) - fractions
    window = np.i0(ROUGHNESS * np.sqrt(np.maximum(0, 1 - (places / REACH) ** 2)))
    return (np.sinc(places) * window / np.i0(ROUGHNESS)).astype(np.float32)
