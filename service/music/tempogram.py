"""Parts of a recording -> how strongly its onsets repeat at every period."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.sparse import csr_array

from service import audio

Curves = NDArray[np.float32]

N_FFT, HOP = 1_024, 294  # samples: frames of 46 ms, 75 a second
RATE = audio.SAMPLE_RATE / HOP  # frames a second
CACHED = 128  # frames that are transformed at a time: their spectra fit in the processor's cache
N_BANDS, LOWEST, HIGHEST = 40, 30.0, 10_000.0  # mel bands, Hz
COMPRESSION = 1_000.0  # log(1 + COMPRESSION x), the loudest point of the part being 1
RISE = 2  # frames between which the rise of a band is an onset
GROUPS = ((0, N_BANDS), (0, 8), (8, 20), (20, N_BANDS))  # bands: all, bass, middle, treble
MEAN_FRAMES = 75  # the local mean, which is subtracted, covers a second
LAG_SECONDS = 12.2  # longest period: eight beats at 39 bpm
LEAST_OVERLAP = 1 / 6  # of a curve with itself; the autocorrelation of less is not scaled up
LAG_POINTS, RATE_POINTS = 2_048, 16_384  # of the Fourier transforms
SLOWEST, FASTEST = 0.122, 5.49  # Hz: the Fourier tempogram has a mean square of 1 between them


@dataclass(frozen=True)
class Tempogram:
    """How strongly onsets repeat, in each of `GROUPS`.

    Attributes
    ----------
    by_lag : float32 [shape=(len(GROUPS), n_lags)]
        Autocorrelation at each lag, in frames; 1 at lag 0. All zeros for silence.
    by_rate : float32 [shape=(len(GROUPS), n_rates)]
        Magnitude of the Fourier transform at multiples of ``RATE / RATE_POINTS`` hertz.
    """

    by_lag: Curves
    by_rate: Curves


def tempogram(parts: Sequence[audio.Waveform]) -> Tempogram:
    """Compute the tempogram of a recording, summed over its parts.

    Parameters
    ----------
    parts : sequence of float32 [shape=(n_samples,)]
        Of equal length, at least `audio.MIN_SECONDS`.
    """
    n_lags = int(LAG_SECONDS * RATE)
    by_lag = np.zeros((len(GROUPS), n_lags), np.float32)
    by_rate = np.zeros((len(GROUPS), RATE_POINTS // 2 + 1), np.float32)
    for part in parts:
        curves = onsets(part)
        n_frames = curves.shape[1]
        spectrum = rfft(curves, LAG_POINTS)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        by_lag += irfft(power, LAG_POINTS)[:, :n_lags]
        by_rate += np.abs(rfft(curves * np.hanning(n_frames).astype(np.float32), RATE_POINTS))
    overlap = np.maximum(1 - np.arange(n_lags, dtype=np.float32) / n_frames, LEAST_OVERLAP)
    by_lag /= np.maximum(by_lag[:, :1], 1e-12) * overlap
    low, high = (int(hertz * RATE_POINTS / RATE) for hertz in (SLOWEST, FASTEST))
    mean_square = np.square(by_rate[:, low:high]).mean(axis=1, keepdims=True)
    return Tempogram(by_lag, by_rate / np.maximum(np.sqrt(mean_square), 1e-12))


def onsets(part: audio.Waveform) -> Curves:
    """Return how much louder the bands of each of `GROUPS` become at each frame.

    Returns
    -------
    curves : float32 [shape=(len(GROUPS), n_frames)]
        The rise above its local mean, where positive, with a mean of 0.
    """
    magnitude = _mel_magnitudes(part)
    # `log1p` takes three times as long, and differs by rounding only.
    level = np.log(1 + magnitude * (COMPRESSION / max(float(magnitude.max()), 1e-9)))
    rise = np.maximum(level[:, RISE:] - level[:, :-RISE], 0)
    curves = np.stack([rise[low:high].mean(axis=0) for low, high in GROUPS])
    curves = np.maximum(curves - _local_mean(curves), 0)
    return np.asarray(curves - curves.mean(axis=1, keepdims=True), np.float32)


def _mel_magnitudes(part: audio.Waveform) -> Curves:
    """Return the magnitude of each mel band in each frame; [shape=(N_BANDS, n_frames)].

    Spectra are columns: the filters would copy a transposed matrix of rows.
    """
    frames = sliding_window_view(np.pad(part, N_FFT // 2), N_FFT)[::HOP]
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    pieces = [
        _filters() @ np.abs(rfft((frames[start : start + CACHED] * window).T, axis=0))
        for start in range(0, len(frames), CACHED)
    ]
    return np.concatenate(pieces, axis=1)


def _local_mean(curves: Curves) -> Curves:
    """Return the mean over a second around each frame, weighted by a Hann window."""
    window = np.hanning(MEAN_FRAMES + 2)[1:-1].astype(np.float32)
    product = rfft(curves, LAG_POINTS) * rfft(window / window.sum(), LAG_POINTS)
    start = MEAN_FRAMES // 2
    return np.asarray(irfft(product, LAG_POINTS)[:, start : start + curves.shape[1]])


@cache
def _filters() -> csr_array:
    """Return triangular mel filters whose weights sum to 1; float32 [shape=(N_BANDS, n_bins)]."""
    lowest, highest = (2_595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    mels = np.linspace(lowest, highest, N_BANDS + 2)
    edges = (700 * (10 ** (mels / 2_595) - 1))[:, None]
    bins = np.fft.rfftfreq(N_FFT, 1 / audio.SAMPLE_RATE)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    sums = triangles.sum(axis=1, keepdims=True)  # 0 for a band that is narrower than a bin
    return csr_array((triangles / np.where(sums == 0, 1, sums)).astype(np.float32))
