"""Data augmentation of spectrograms, in the decibel domain.

`simulate_phone` does to a spectrogram about what rooms, loudspeakers, microphones and noise do to
it, a thousand times as fast as `training.synthesis.phone` does it to the waveform. Heads train on
features of its output. `random_crops`, `mix_power` and `mask` are for the student alone.

Conventions
-----------
* Spectrograms are float32 [shape=(n, audio.N_MELS, n_frames)], dB; input and output are normalised
  as `audio.log_mel` normalises them.
* Each window of a batch is augmented by its own random numbers.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad, relu

from service import audio

MAX_SHIFT = 3  # mel bands, up or down
ROOM_SHARE, EQUALISER_SHARE, NOISE_SHARE = 0.4, 0.7, 0.4  # of the windows
RT60_SECONDS = (0.15, 0.9)
REVERBERANT_DB = (-12.0, 3.0)  # power of the tail relative to the direct sound
TAIL_FRAMES = 15
WAVES = (0.5, 1.0, 2.0, 4.0)  # of the equaliser's curve, over all bands
WAVE_DB = 4.0
LOW_PASS, HIGH_PASS = (0.55, 1.3), (-0.2, 0.12)  # edges as shares of the bands
SNR_DB = (8.0, 35.0)

MASKS, MASK_SHARE = 2, 0.5  # masks of each kind per window, and the probability of each
MAX_BAND_MASK, MAX_TIME_MASK = 14, 40  # mel bands, frames


def simulate_phone(log_mel: audio.Spectrograms, rng: np.random.Generator) -> audio.Spectrograms:
    """Return a copy of windows with random pitch, room, equaliser and noise."""
    draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
    levels = _shifted(torch.from_numpy(log_mel), draw)
    loudness = _decibels(_power(levels).mean((1, 2), keepdim=True))
    for share, stage in ((ROOM_SHARE, reverberate), (EQUALISER_SHARE, equalise)):
        chosen = torch.rand(len(levels), generator=draw) < share
        levels[chosen] = stage(levels[chosen], draw)
    chosen = torch.rand(len(levels), generator=draw) < NOISE_SHARE
    levels[chosen] = add_noise(levels[chosen], loudness[chosen], draw)
    return _normalised(levels)


def mix_power(levels: Tensor, others: Tensor, shares: Tensor) -> Tensor:
    """Mix windows with others.

    Parameters
    ----------
    levels, others : float32 [shape=(n, audio.N_MELS, n_frames)], dB
    shares : float32 [shape=(n,)]
        Of `levels` in the power of the mixture, in [0, 1].

    Returns
    -------
    mixed : float32 [shape=(n, audio.N_MELS, n_frames)], dB
    """
    weights = shares[:, None, None]
    return _decibels(_power(levels) * weights + _power(others) * (1 - weights))


def random_crops(
    windows: audio.Spectrograms, n_frames: int, rng: np.random.Generator
) -> audio.Spectrograms:
    """Return a random excerpt of each window."""
    starts = rng.integers(windows.shape[2] - n_frames + 1, size=len(windows))
    return np.stack([w[:, s : s + n_frames] for w, s in zip(windows, starts, strict=True)])


def mask(windows: audio.Spectrograms, rng: np.random.Generator) -> audio.Spectrograms:
    """Replace random bands and moments, in place, with the mean level of the window.

    Park et al., "SpecAugment: A simple data augmentation method for automatic speech recognition",
    2019.
    """
    for window in windows:
        mean = window.mean()
        for lines, largest in ((window, MAX_BAND_MASK), (window.T, MAX_TIME_MASK)) * MASKS:
            if rng.random() < MASK_SHARE:
                size = rng.integers(2, min(largest, len(lines)))
                start = rng.integers(len(lines) - size)
                lines[start : start + size] = mean
    return windows


def reverberate(levels: Tensor, draw: torch.Generator) -> Tensor:
    """Add a tail of exponentially decaying power after each frame."""
    n = len(levels)
    rt60 = _uniform(*RT60_SECONDS, n, draw)
    seconds = torch.arange(1, TAIL_FRAMES + 1)[None] * audio.HOP / audio.SAMPLE_RATE
    tail = 10 ** (-6 * seconds / rt60)
    tail = tail / tail.sum(1, keepdim=True) * _power(_uniform(*REVERBERANT_DB, n, draw))
    response = torch.cat([torch.ones(n, 1), tail], 1).flip(1)[:, None]
    power = pad(_power(levels).transpose(0, 1), (TAIL_FRAMES, 0))
    return _decibels(conv1d(power, response, groups=n).transpose(0, 1)) if n else levels


def equalise(levels: Tensor, draw: torch.Generator) -> Tensor:
    """Apply a smooth random curve, and cut off both ends of the spectrum."""
    n, bands = len(levels), _bands()
    curve = _curve(n, draw)
    curve -= relu(bands - _uniform(*LOW_PASS, n, draw)) * _uniform(100, 400, n, draw)
    curve -= relu(_uniform(*HIGH_PASS, n, draw) - bands) * _uniform(100, 300, n, draw)
    return levels + curve[..., None]


def add_noise(levels: Tensor, loudness: Tensor, draw: torch.Generator) -> Tensor:
    """Add steady coloured noise whose power fluctuates as in a short-time spectrum."""
    n = len(levels)
    phase = math.pi * (2 * _bands() + _uniform(0, 2, n, draw))
    colour = _power(_uniform(-25, 10, n, draw) * _bands() + 6 * torch.cos(phase))
    colour = colour / colour.mean(1, keepdim=True)
    uniform = torch.rand(3, *levels.shape, generator=draw).clamp(min=1e-6)
    fluctuation = -uniform.log().mean(0)  # gamma-distributed with shape 3, mean 1
    power = _power(loudness - _uniform(*SNR_DB, n, draw)[..., None])
    return _decibels(_power(levels) + power * colour[..., None] * fluctuation)


def _normalised(levels: Tensor) -> audio.Spectrograms:
    levels = levels - levels.amax((1, 2), keepdim=True)
    return levels.clamp(min=-audio.SPAN_DB).numpy()


def _uniform(low: float, high: float, n: int, draw: torch.Generator) -> Tensor:
    """Draw a column; [shape=(n, 1)]."""
    return low + (high - low) * torch.rand(n, 1, generator=draw)


def _power(levels: Tensor) -> Tensor:
    return torch.as_tensor(10 ** (levels / 10))


def _decibels(power: Tensor) -> Tensor:
    return 10 * torch.log10(power + 1e-10)


def _bands() -> Tensor:
    """Return the position of each mel band, from 0 to 1; [shape=(1, audio.N_MELS)]."""
    return torch.linspace(0, 1, audio.N_MELS)[None]


def _shifted(levels: Tensor, draw: torch.Generator) -> Tensor:
    """Shift windows by some bands, which is about a change of pitch."""
    shift = torch.randint(-MAX_SHIFT, MAX_SHIFT + 1, (len(levels), 1), generator=draw)
    places = (torch.arange(audio.N_MELS)[None] - shift).clamp(0, audio.N_MELS - 1)
    return levels.gather(1, places[..., None].expand(levels.shape))


def _curve(n: int, draw: torch.Generator) -> Tensor:
    """Draw gains of an equaliser, dB; [shape=(n, audio.N_MELS)]."""
    curve = torch.zeros(n, audio.N_MELS)
    for wave in WAVES:
        phase = math.pi * (wave * _bands() + _uniform(0, 2, n, draw))
        curve += _uniform(-1, 1, n, draw) * torch.cos(phase) * WAVE_DB / math.sqrt(wave)
    return curve
