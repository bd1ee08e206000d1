"""Fixed descriptors of a spectrogram: level, timbre, rhythm and dynamics.

Music information retrieval found these descriptors useful for genre and mood with few recordings.
They are computed by matrix products, so that they are part of the exported graph and cannot differ
between training and service.

Sources: spectral descriptors and statistics after Tzanetakis and Cook, "Musical genre
classification of audio signals", 2002; MFCC after Davis and Mermelstein, 1980; modulation spectra
of onsets in bands after Lidy and Rauber, "Evaluation of feature extractors and psycho-acoustic
transformations for music genre classification", 2005; the scale transform of the onsets'
autocorrelation, which does not depend on tempo, after Holzapfel and Stylianou, "Scale transform in
rhythmic similarity of music", 2011.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from service import audio
from training.types import Floats

FRAME_RATE = audio.SAMPLE_RATE / audio.HOP  # Hz

N_BANDS, N_COARSE, N_RHYTHM, N_PARTS = 32, 16, 8, 4  # groups of neighbouring mel bands
N_MFCC, N_SKEWED_MFCC = 40, 20
SLOW_FRAMES = 6  # 0.2 s: changes of timbre from note to note

N_FFT = 1_024  # of an onset curve, zero-padded
N_MODULATIONS = 30
MODULATION_LOW, MODULATION_HIGH = 0.25, 15.0  # Hz
N_LAGS = 91  # frames of the autocorrelation: 3 s
N_LOG_LAGS, SHORTEST_LAG = 64, 3.0  # frames
N_SCALES = 33

FLOOR = 1e-8  # power of a mel band relative to the loudest point


class Descriptors(nn.Module):
    """Computes the descriptors of windows. It has no trained parameters."""

    dct: Tensor
    cosines: Tensor
    sines: Tensor
    modulation_bands: Tensor
    inverse: Tensor
    log_lags: Tensor
    scale_cosines: Tensor
    scale_sines: Tensor

    def __init__(self) -> None:
        super().__init__()
        matrices = {
            "dct": _dct(),
            **_fourier(),
            "modulation_bands": _modulation_bands(),
            "inverse": _inverse(),
            "log_lags": _log_lags(),
            **_scale_transform(),
        }
        for name, matrix in matrices.items():
            self.register_buffer(name, torch.tensor(matrix, dtype=torch.float32))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Compute the descriptors of windows.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
            As `audio.log_mel` returns it.

        Returns
        -------
        descriptors : float32 [shape=(n, n_descriptors)]
        """
        onsets = relu(log_mel[..., 1:] - log_mel[..., :-1])
        groups = [
            *_levels(log_mel),
            *self._timbre(log_mel),
            *self._rhythm(_grouped(onsets, N_COARSE)),
            *_dynamics(log_mel),
        ]
        return torch.cat(groups, dim=1)

    def _timbre(self, log_mel: Tensor) -> list[Tensor]:
        mfcc = self.dct @ log_mel
        change = (log_mel[..., 1:] - log_mel[..., :-1]).abs()
        edges = (log_mel[:, 1:] - log_mel[:, :-1]).abs().mean(-1)
        return [
            mfcc.mean(-1),
            _deviation(mfcc),
            _skewness(mfcc[:, :N_SKEWED_MFCC]),
            _deviation(mfcc[..., 1:] - mfcc[..., :-1]),
            _deviation(mfcc[..., SLOW_FRAMES:] - mfcc[..., :-SLOW_FRAMES]),
            _grouped(change, N_COARSE).mean(-1),
            _grouped(pad(edges, (0, 1))[..., None], N_COARSE)[..., 0],
        ]

    def _rhythm(self, onsets: Tensor) -> list[Tensor]:
        """Return descriptors of onset curves, [shape=(n, N_COARSE, audio.N_FRAMES - 1)]."""
        centred = onsets - onsets.mean(-1, keepdim=True)
        power = (centred @ self.cosines) ** 2 + (centred @ self.sines) ** 2
        modulation = torch.log(1e-3 + torch.sqrt(power + 1e-6) @ self.modulation_bands)
        total = centred.mean(1, keepdim=True)
        total_power = (total @ self.cosines) ** 2 + (total @ self.sines) ** 2
        by_part = _grouped(self._autocorrelation(power), N_PARTS)
        curves = torch.cat([by_part, self._autocorrelation(total_power)], 1) @ self.log_lags
        curves = curves - curves.mean(-1, keepdim=True)
        scales = (curves @ self.scale_cosines) ** 2 + (curves @ self.scale_sines) ** 2
        return [
            onsets.mean(-1),
            _skewness(onsets),
            _grouped(modulation, N_RHYTHM).flatten(1),
            torch.log(1e-2 + torch.sqrt(scales + 1e-6)).flatten(1),
        ]

    def _autocorrelation(self, power: Tensor) -> Tensor:
        """Return autocorrelations, 1 at lag 0; [shape=(..., N_LAGS)] (Wiener-Khinchin theorem)."""
        correlation = power @ self.inverse
        return correlation / (correlation[..., :1] + 1e-3)


def _levels(log_mel: Tensor) -> list[Tensor]:
    """Return descriptors of band levels relative to the mean level of the window."""
    bands = _grouped(log_mel, N_BANDS)
    mean_level = log_mel.mean((1, 2))[:, None]
    power = torch.clamp(10 ** (log_mel / 10), min=FLOOR)
    flatness = _grouped(log_mel, N_COARSE) - 10 * torch.log10(_grouped(power, N_COARSE))
    return [
        bands.mean(-1) - mean_level,
        _deviation(bands),
        _skewness(bands),
        4 * torch.logsumexp(bands / 4, -1) - mean_level,  # close to the loudest moment's level
        flatness.mean(-1),
        _deviation(flatness),
    ]


def _dynamics(log_mel: Tensor) -> list[Tensor]:
    """Return descriptors of how loudness changes."""
    loudness = 10 * torch.log10(torch.clamp(10 ** (log_mel / 10), min=FLOOR).mean(1))
    seconds = loudness[:, :-1].reshape(loudness.shape[0], audio.WINDOW_SECONDS, -1)
    moments = [
        loudness.mean(-1),
        _deviation(loudness),
        _skewness(loudness),
        _deviation(loudness[:, 1:] - loudness[:, :-1]),
        _deviation(seconds.mean(-1)),
    ]
    return [torch.stack(moments, dim=1)]


def _grouped(bands: Tensor, n_groups: int) -> Tensor:
    """Average neighbouring mel bands; [shape=(n, n_groups, ...)].

    The number of windows is read from the shape: `len` would make it a constant of the graph.
    """
    return bands.reshape(bands.shape[0], n_groups, -1, *bands.shape[2:]).mean(2)


def _deviation(curve: Tensor) -> Tensor:
    """Return the standard deviation over time."""
    return torch.sqrt(curve.var(-1, correction=0) + 1e-6)


def _skewness(curve: Tensor) -> Tensor:
    centred = curve - curve.mean(-1, keepdim=True)
    return (centred**3).mean(-1) / (_deviation(curve) ** 3 + 1e-3)


def _dct() -> Floats:
    """Orthonormal DCT-II, [shape=(N_MFCC, audio.N_MELS)]."""
    row, band = np.arange(N_MFCC)[:, None], np.arange(audio.N_MELS)[None]
    matrix = np.cos(np.pi * row * (2 * band + 1) / (2 * audio.N_MELS)) * np.sqrt(2 / audio.N_MELS)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


def _frequencies() -> Floats:
    return np.asarray(np.fft.rfftfreq(N_FFT, 1 / FRAME_RATE))


def _fourier() -> dict[str, Floats]:
    """Real and imaginary parts of a windowed DFT, [shape=(n_onset_frames, n_frequencies)]."""
    frame = np.arange(audio.N_FRAMES - 1)
    phase = 2 * np.pi * frame[:, None] * _frequencies()[None] / FRAME_RATE
    window = np.hanning(len(frame))[:, None]
    return {"cosines": window * np.cos(phase), "sines": window * np.sin(phase)}


def _modulation_bands() -> Floats:
    """Triangles on a logarithmic axis of modulation, [shape=(n_frequencies, N_MODULATIONS)]."""
    edges = np.geomspace(MODULATION_LOW, MODULATION_HIGH, N_MODULATIONS + 1)
    centres, widths = np.sqrt(edges[1:] * edges[:-1]), np.maximum(np.diff(edges), 0.05)
    triangles = np.maximum(1 - np.abs(_frequencies()[:, None] - centres) / widths, 0)
    return np.asarray(triangles / triangles.sum(axis=0))


def _inverse() -> Floats:
    """Matrix from power spectrum to autocorrelation, [shape=(n_frequencies, N_LAGS)]."""
    seconds = np.arange(N_LAGS) / FRAME_RATE
    return np.asarray(np.cos(2 * np.pi * _frequencies()[:, None] * seconds) * 2 / N_FFT)


def _log_lags() -> Floats:
    """Linear interpolation at lags spaced logarithmically, [shape=(N_LAGS, N_LOG_LAGS)]."""
    lags = np.geomspace(SHORTEST_LAG, N_LAGS - 2, N_LOG_LAGS)
    distance = np.abs(np.arange(N_LAGS)[:, None] - lags)
    return np.asarray(np.maximum(1 - distance, 0))


def _scale_transform() -> dict[str, Floats]:
    """Parts of a windowed DFT over the logarithm of the lag, [shape=(N_LOG_LAGS, N_SCALES)]."""
    spectrum = np.fft.rfft(np.diag(np.hanning(N_LOG_LAGS)), n=2 * N_LOG_LAGS, axis=1)
    return {
        "scale_cosines": spectrum[:, :N_SCALES].real,
        "scale_sines": spectrum[:, :N_SCALES].imag,
    }


@cache
def count_descriptors() -> int:
    """Return the number of descriptors of a window."""
    silence = torch.full((1, audio.N_MELS, audio.N_FRAMES), -audio.SPAN_DB)
    return int(Descriptors()(silence).shape[1])
