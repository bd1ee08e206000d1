"""Parts of a recording -> how strongly each pitch class sounds.

The peaks of each spectrum are moved to equal temperament by the recording's own tuning. Each is
credited to the pitches whose harmonic it may be. Every frame counts alike, however loud, so that
the loudest instruments and moments do not decide alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft

from service import audio

Floats = NDArray[np.floating]

N_FFT = HOP = 4_096  # samples, 186 ms
LOWEST, HIGHEST = 60.0, 3_500.0  # Hz
FAINTEST = 1e-4  # times the highest magnitude of the part up to HIGHEST: less is no peak
MOST_PEAKS = 60  # of a frame
TUNED_LOWEST, TUNED_HIGHEST = 100.0, 2_000.0  # Hz, of the peaks that tell the tuning
DECAY = 0.8  # a pitch's credit for a harmonic is DECAY times that for the one before
CREDITS = {1: 1 + DECAY + DECAY**3, 3: DECAY**2 + DECAY**5, 5: DECAY**4}
"""Credit for harmonics 1 to 6, by their odd factor: octaves have the same pitch class."""
SMALLEST = 1e-20  # magnitude whose logarithm is taken
A4, A4_HZ = 69, 440.0  # MIDI's number of the pitch
PITCH_CLASSES = 12


@dataclass(frozen=True)
class Chroma:
    """The pitch classes of a recording, from C on.

    Attributes
    ----------
    levels : float64 [shape=(12,)]
        Mean over frames, in each of which the strongest is 1. All zeros for silence.
    tuning : float
        Semitones above equal temperament at 440 Hz, within [-0.5, 0.5].
    """

    levels: NDArray[np.float64]
    tuning: float


@dataclass(frozen=True)
class _Peaks:
    """Peaks of spectra: the frame, frequency and magnitude of each."""

    frames: NDArray[np.intp]
    hertz: Floats
    magnitudes: Floats


def chroma(parts: Sequence[audio.Waveform]) -> Chroma:
    """Compute the pitch classes of a recording, over all its parts.

    Parameters
    ----------
    parts : sequence of float32 [shape=(n_samples,)]
        Each at least `audio.MIN_SECONDS` long.
    """
    found = [_peaks(part) for part in parts]
    semitones = [A4 + 12 * np.log2(peaks.hertz / A4_HZ) for peaks in found]
    tuning = _tuning(found, semitones)
    levels: list[Floats] = []
    for peaks, pitches in zip(found, semitones, strict=True):
        by_frame = _by_frame(peaks, pitches - tuning)
        strongest = by_frame.max(axis=1, initial=0)
        sounding = strongest > 0
        levels.append(by_frame[sounding] / strongest[sounding, None])
    joined = np.concatenate([np.zeros((0, PITCH_CLASSES)), *levels])
    return Chroma(joined.sum(axis=0) / max(len(joined), 1), tuning)


def _peaks(part: audio.Waveform) -> _Peaks:
    """Return the highest peaks of each frame, interpolated by a parabola of log magnitude."""
    frames = sliding_window_view(np.pad(part, N_FFT // 2), N_FFT)[::HOP]
    hertz_a_bin = audio.SAMPLE_RATE / N_FFT
    low, high = int(LOWEST / hertz_a_bin), int(np.ceil(HIGHEST / hertz_a_bin))
    spectrum = np.abs(rfft(frames * _window())[:, : high + 1])
    before, middle, after = (spectrum[:, low + shift : high + shift] for shift in (-1, 0, 1))
    least = max(FAINTEST * float(spectrum.max()), audio.QUIETEST_POWER)
    is_peak = middle > before
    is_peak &= middle >= after
    is_peak &= middle > least
    rows, columns = np.divmod(np.flatnonzero(is_peak), high - low)
    columns += low
    kept = _highest(rows, spectrum[rows, columns], len(frames))
    rows, columns = rows[kept], columns[kept]
    level = np.log(np.maximum(spectrum[rows, columns + np.array([[-1], [0], [1]])], SMALLEST))
    left, top, right = level
    shift = 0.5 * (left - right) / np.minimum(left - 2 * top + right, -1e-9)
    hertz = (columns.astype(np.float32) + shift) * np.float32(hertz_a_bin)
    return _Peaks(rows, hertz, np.exp(top - 0.25 * (left - right) * shift))


@cache
def _window() -> NDArray[np.float32]:
    """Return the window of a frame."""
    return np.hanning(N_FFT + 1)[:-1].astype(np.float32)


def _highest(rows: NDArray[np.intp], heights: Floats, n_rows: int) -> NDArray[np.bool_]:
    """Return which peaks are among the `MOST_PEAKS` highest of their row; rows ascend."""
    counts = np.bincount(rows, minlength=n_rows)
    if counts.max(initial=0) <= MOST_PEAKS:
        return np.ones(len(rows), np.bool_)
    side_by_side = np.zeros((n_rows, counts.max()), heights.dtype)
    side_by_side[rows, np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]] = heights
    least = np.partition(side_by_side, -MOST_PEAKS, axis=1)[:, -MOST_PEAKS]
    return np.asarray(heights >= least[rows])


def _tuning(found: list[_Peaks], semitones: list[Floats]) -> float:
    """Return the circular mean of the peaks' distances to equal temperament, in semitones."""
    total = 0j
    for peaks, pitches in zip(found, semitones, strict=True):
        chosen = (peaks.hertz > TUNED_LOWEST) & (peaks.hertz < TUNED_HIGHEST)
        angles, magnitudes = 2 * np.pi * pitches[chosen], peaks.magnitudes[chosen]
        total += complex(np.cos(angles) @ magnitudes, np.sin(angles) @ magnitudes)
    return float(np.angle(total) / (2 * np.pi))


def _by_frame(peaks: _Peaks, pitches: Floats) -> Floats:
    """Return the level of the pitch classes in each frame; [shape=(n_frames, 12)].

    A peak counts less the farther it is from a pitch: not at all halfway to the next.
    """
    n_frames = int(peaks.frames.max(initial=-1)) + 1
    levels = np.zeros(n_frames * PITCH_CLASSES)
    for odd, credit in CREDITS.items():
        fundamental = pitches - 12 * np.log2(odd)
        nearness = 0.5 + 0.5 * np.cos(2 * np.pi * fundamental)
        pitch_classes = np.rint(fundamental).astype(np.intp) % PITCH_CLASSES
        places = peaks.frames * PITCH_CLASSES + pitch_classes
        levels += np.bincount(places, credit * peaks.magnitudes * nearness, len(levels))
    return levels.reshape(n_frames, PITCH_CLASSES)
