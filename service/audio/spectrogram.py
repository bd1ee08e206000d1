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

Frames = NDArray[np.intp]

GROUP = 48  # frames that are transformed together: they fit into a processor's cache
EDGE = math.ceil(spec.N_FFT / 2 / spec.HOP)  # frames at either end that reach beyond the window


def log_mel(windows: Windows) -> Spectrograms:
    """Compute log-mel power spectrograms of windows: the models' input.

    Frame ``t`` is centred on ``t * HOP / SAMPLE_RATE`` seconds; the edges are zero-padded. Every
    window is normalised to its loudest point, so the gain of a microphone does not matter.

    Parameters
    ----------
    windows : float32 [shape=(n_windows, N_SAMPLES)]
        Or short windows, all of one length.

    Returns
    -------
    spectrograms : float32 [shape=(n_windows, N_MELS, N_FRAMES)], dB in [-SPAN_DB, 0]
        Digital silence is ``-SPAN_DB`` throughout. Short windows have a frame for each `HOP`, and
        one more.
    """
    return np.stack([LogMel().update(window, len(window)) for window in windows])


class LogMel:
    """The log-mel spectrogram of a window that grows. No frame is computed twice."""

    def __init__(self) -> None:
        self._known: list[NDArray[np.float32]] = []  # power of the first groups of frames

    def update(self, window: Waveform, heard: int) -> NDArray[np.float32]:
        """Return the spectrogram of the window as it is now; `log_mel` returns the same.

        Parameters
        ----------
        window : float32 [shape=(n_samples,)]
        heard : int
            Number of samples at its beginning that were heard; the window repeats them. Those of
            the update before are among them.

        Returns
        -------
        spectrogram : float32 [shape=(N_MELS, n_frames)], dB in [-SPAN_DB, 0]
        """
        computed, places = _repeated(len(window), heard)
        power = self._power(window, computed, heard)[:, places]
        level = 10 * np.log10(np.maximum(power, spec.QUIETEST_POWER))
        quietest = 10 * math.log10(spec.QUIETEST_POWER)
        peak = max(level.max(), quietest + spec.SPAN_DB)
        return np.asarray(np.maximum(level - peak, -spec.SPAN_DB), dtype=np.float32)

    def _power(self, window: Waveform, chosen: Frames, heard: int) -> NDArray[np.float32]:
        """Return the power of some frames in mel bands; [shape=(N_MELS, n_chosen)]."""
        frames = sliding_window_view(np.pad(window, spec.N_FFT // 2), spec.N_FFT)[:: spec.HOP]
        groups = self._known.copy()
        for start in range(len(groups) * GROUP, len(chosen), GROUP):
            group = chosen[start : start + GROUP]
            groups.append(_mel_power(frames[group]))
            end = start + GROUP
            inside = (end - 1) * spec.HOP + spec.N_FFT // 2 <= heard
            if inside and len(self._known) * GROUP == start and chosen[end - 1] == end - 1:
                self._known.append(groups[-1])
        return np.concatenate(groups, axis=1)


def _repeated(length: int, period: int) -> tuple[Frames, Frames | slice]:
    """Return which frames need computing, and where each frame of the window is among them.

    A window that repeats itself after a multiple of `HOP` has frames that repeat themselves, too.
    """
    hops, rest = divmod(period, spec.HOP)
    frames = np.arange(1 + length // spec.HOP)
    inside = slice(EDGE, len(frames) - EDGE)
    if rest or hops >= inside.stop - inside.start:
        return frames, slice(None)
    frames[inside] = EDGE + (frames[inside] - EDGE) % hops
    return np.unique(frames, return_inverse=True)


def _mel_power(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the power of frames in mel bands.

    Parameters
    ----------
    frames : float32 [shape=(n_frames, N_FFT)]

    Returns
    -------
    power : float32 [shape=(N_MELS, n_frames)]
        Spectra are columns: the filters would copy a transposed matrix of rows.
    """
    spectrum = rfft((frames * hann()).T, axis=0)
    power: NDArray[np.float32] = mel_filters() @ (
        np.square(spectrum.real) + np.square(spectrum.imag)
    )
    return power


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
