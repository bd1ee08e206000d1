"""Waveform -> windows with their positions and levels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.audio import spec
from service.audio.errors import ClipTooShortError
from service.audio.levels import peak_dbfs
from service.audio.spec import Waveform, Windows

PIECE = spec.SAMPLE_RATE // 20  # samples: 50 ms
LASTING = 5  # pieces, a quarter of a second: longer than the smear of a codec


@dataclass(frozen=True)
class Cut:
    """The windows of one recording.

    The last window may overlap the one before it. The *own part* of a window is the part that no
    earlier window covers, so that nothing counts twice.

    Attributes
    ----------
    windows : float32 [shape=(n_windows, N_SAMPLES)]
        Or one short window.
    starts, ends : list of int [shape=(n_windows,)]
        Position of each window in the waveform, in samples. A recording shorter than a window ends
        before the window, which then repeats the recording.
    peaks_dbfs : float64 [shape=(n_windows,)]
        Peak level of the own part of each window, dBFS.
    lasting_dbfs : float64 [shape=(n_windows,)]
        Peak level that the own part of each window reaches in `LASTING` pieces. A lossy codec
        smears sound over some hundredths of a second of the silence before or after it.
    """

    windows: Windows
    starts: list[int]
    ends: list[int]
    peaks_dbfs: NDArray[np.float64]
    lasting_dbfs: NDArray[np.float64]

    def sounding(self, silence_dbfs: float) -> NDArray[np.bool_]:
        """Return which windows hold sound: those with a lasting peak above a level in dBFS.

        If no window has a lasting peak above it, any peak above it counts.
        """
        lasting = self.lasting_dbfs > silence_dbfs
        return lasting if lasting.any() else self.peaks_dbfs > silence_dbfs

    def seconds(self, chosen: NDArray[np.bool_]) -> float:
        """Return the total duration of the own parts of the chosen windows."""
        own = np.diff([0, *self.ends])
        return float(own[chosen].sum() / spec.SAMPLE_RATE)


def window_starts(n_samples: int) -> list[int]:
    """Return the positions at which the windows of a waveform begin.

    Windows follow one another without overlap. A remainder of `MIN_SECONDS` or more has a window
    of its own, moved back so that it ends with the waveform; a shorter one is left out. For
    example, 16 s have one window, at 0 s, and 20 s have two, at 0 s and 5 s.

    Parameters
    ----------
    n_samples : int
        Length of the waveform.

    Returns
    -------
    starts : list of int
        In samples. ``[0]`` for a waveform shorter than a window.

    Raises
    ------
    ClipTooShortError
        If the waveform lasts less than `MIN_SECONDS`.
    """
    least = spec.MIN_SECONDS * spec.SAMPLE_RATE
    if n_samples < least:
        raise ClipTooShortError.of(n_samples / spec.SAMPLE_RATE)
    starts = list(range(0, n_samples - spec.N_SAMPLES + 1, spec.N_SAMPLES)) or [0]
    remainder = n_samples - (starts[-1] + spec.N_SAMPLES)
    if remainder >= least:
        starts.append(n_samples - spec.N_SAMPLES)
    return starts


def cut(waveform: Waveform, shortest: int | None = None) -> Cut:
    """Cut a waveform into windows; one that is shorter than a window makes a single one.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
    shortest : int, optional
        Samples of the shortest window; `N_SAMPLES` by default. A waveform that is shorter is
        repeated to fill it.

    Returns
    -------
    cut : Cut
        Its windows begin at the positions that `window_starts` returns.

    Raises
    ------
    ClipTooShortError
        If the waveform lasts less than `MIN_SECONDS`.
    """
    starts = window_starts(len(waveform))
    ends = [min(start + spec.N_SAMPLES, len(waveform)) for start in starts]
    if len(waveform) < spec.N_SAMPLES:
        length = max(len(waveform), shortest or spec.N_SAMPLES)
        samples = np.resize(waveform, (1, length))  # numpy.resize repeats its input
    else:
        samples = np.stack([waveform[start:end] for start, end in zip(starts, ends, strict=True)])
    own_starts = [0, *ends[:-1]]
    own = [waveform[start:end] for start, end in zip(own_starts, ends, strict=True)]
    peaks = np.array([peak_dbfs(part) for part in own])
    return Cut(samples, starts, ends, peaks, np.array([_lasting_dbfs(part) for part in own]))


def _lasting_dbfs(waveform: Waveform) -> float:
    """Return the peak level that a waveform reaches in `LASTING` pieces, dBFS."""
    pieces = waveform[: len(waveform) // PIECE * PIECE].reshape(-1, PIECE)
    peaks = np.maximum(pieces.max(axis=1), -pieces.min(axis=1))
    return peak_dbfs(np.sort(peaks)[-LASTING:][:1])


def windows(waveform: Waveform) -> Windows:
    """Return only the windows of `cut`."""
    return cut(waveform).windows
