"""Windows -> log-mel spectrograms: the models' input.

They equal those of `librosa.feature.melspectrogram` in decibels; a test checks this.
docs/PERFORMANCE.md states what librosa itself would cost in time, in memory and at every start.
"""

import math
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.sparse import csr_array

from service.audio import spec
from service.audio.spec import Spectrograms, Waveform, Windows

Places = NDArray[np.intp] | slice

ALL = slice(None)
EDGE = math.ceil(spec.N_FFT / 2 / spec.HOP)  # frames at either end that reach beyond the window


def log_mel(windows: Windows, period: int = spec.N_SAMPLES) -> Spectrograms:
    """Compute log-mel power spectrograms of windows: the models' input.

    Frame ``t`` is centred on ``t * HOP / SAMPLE_RATE`` seconds; the edges are zero-padded. Every
    window is normalised to its loudest point, so the gain of a microphone does not matter.

    Parameters
    ----------
    windows : float32 [shape=(n_windows, N_SAMPLES)]
    period : int
        Number of samples after which each window repeats itself. If it is a multiple of `HOP`, the
        frames repeat themselves, too, and are computed once.

    Returns
    -------
    spectrograms : float32 [shape=(n_windows, N_MELS, N_FRAMES)], dB in [-SPAN_DB, 0]
        Digital silence is ``-SPAN_DB`` throughout.
    """
    filters, (computed, places) = mel_filters(), _repeated(period)
    power = np.stack([(filters @ _power(window, computed))[:, places] for window in windows])
    level = 10 * np.log10(np.maximum(power, spec.QUIETEST_POWER))
    quietest = 10 * math.log10(spec.QUIETEST_POWER)
    peak = np.maximum(level.max(axis=(-2, -1), keepdims=True), quietest + spec.SPAN_DB)
    return np.asarray(np.maximum(level - peak, -spec.SPAN_DB), dtype=np.float32)


def _repeated(period: int) -> tuple[Places, Places]:
    """Return which frames need computing, and where each frame of the window is among them."""
    hops, rest = divmod(period, spec.HOP)
    inside = slice(EDGE, spec.N_FRAMES - EDGE)
    if rest or hops >= inside.stop - inside.start:
        return ALL, ALL
    frames = np.arange(spec.N_FRAMES)
    frames[inside] = EDGE + (frames[inside] - EDGE) % hops
    return np.unique(frames, return_inverse=True)


def _power(window: Waveform, chosen: Places = ALL) -> NDArray[np.float32]:
    """Return the power of some frames of the short-time Fourier transform.

    Returns
    -------
    power : float32 [shape=(1 + N_FFT // 2, n_frames)]
        Spectra are columns: the filters would copy a transposed matrix of rows.
    """
    frames = sliding_window_view(np.pad(window, spec.N_FFT // 2), spec.N_FFT)[:: spec.HOP]
    spectrum = rfft((frames[chosen] * hann()).T, axis=0)
    return np.asarray(np.square(spectrum.real) + np.square(spectrum.imag))


def hann() -> NDArray[np.float32]:
    """Return the periodic Hann window; float32 [shape=(N_FFT,)]."""
    return np.hanning(spec.N_FFT + 1)[:-1].astype(np.float32)


def mel_filters() -> csr_array:
    """Return triangles of equal area; float32 [shape=(N_MELS, 1 + N_FFT // 2)].

    The matrix is sparse, since most of it is zero. Also, a dense product would run in BLAS, whose
    threads use a processor each while they wait for the next product.
    """
    return _filters(tuple(mel_edges().tolist()), spec.N_FFT, spec.SAMPLE_RATE)


@cache
def _filters(hertz: tuple[float, ...], n_fft: int, sample_rate: int) -> csr_array:
    """Return the filters between given edges; see `mel_filters`."""
    edges = np.array(hertz)[:, None]
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return csr_array(triangles.astype(np.float32))


def mel_edges() -> NDArray[np.float64]:
    """Return the frequencies at which mel bands begin, peak and end.

    The edges are equidistant on the mel scale of Slaney's Auditory Toolbox (1998), which is linear
    up to 1 kHz and logarithmic above.

    Returns
    -------
    edges : float64 [shape=(N_MELS + 2,)], Hz
        Band ``i`` begins at ``edges[i]``, peaks at ``edges[i + 1]`` and ends at ``edges[i + 2]``.
    """
    mels = np.linspace(_mel(spec.F_MIN), _mel(spec.F_MAX), spec.N_MELS + 2)
    bent = spec.KNEE_HZ * np.exp((mels - spec.KNEE_HZ / spec.HZ_PER_MEL) * spec.MEL_STEP)
    return np.asarray(np.where(mels * spec.HZ_PER_MEL < spec.KNEE_HZ, mels * spec.HZ_PER_MEL, bent))


def _mel(hertz: float) -> float:
    """Convert a frequency to mel."""
    if hertz < spec.KNEE_HZ:
        return hertz / spec.HZ_PER_MEL
    return spec.KNEE_HZ / spec.HZ_PER_MEL + math.log(hertz / spec.KNEE_HZ) / spec.MEL_STEP
