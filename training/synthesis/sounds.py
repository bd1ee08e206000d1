"""Sounds that are not music, so that models learn to recognise them.

Each kind has a function from a number of samples and a generator to float32 [shape=(n_samples,)],
at any level; `not_music` sets the level.
"""

from collections.abc import Callable

import numpy as np
from scipy.signal import chirp, fftconvolve, sawtooth, square

from service import audio
from training.synthesis.dsp import (
    amplitude,
    babble,
    coloured_noise,
    hum,
    log_uniform,
    loudness_curve,
    mix,
    noise,
    rumble,
    sample_times,
    steady_noise,
    unit_power,
)
from training.synthesis.speech import espeak_speech, formant_speech

PEAK_DB = (-30.0, 0.0)
NEAR_SILENCE_DB = (-90.0, -55.0)

Sound = Callable[[int, np.random.Generator], audio.Waveform]


def not_music(kind: str, seconds: float, rng: np.random.Generator) -> audio.Waveform:
    """Return a sound that is not music.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    seconds : float
    rng : Generator

    Returns
    -------
    waveform : float32 [shape=(round(seconds * SAMPLE_RATE),)]
        Its peak level is drawn from `PEAK_DB`, or from `NEAR_SILENCE_DB` for near silence.

    Raises
    ------
    EspeakMissingError
        If `kind` is ``espeak`` and espeak-ng is not installed.
    """
    sound = SYNTHESISERS[kind](round(seconds * audio.SAMPLE_RATE), rng)
    peak = amplitude(rng.uniform(*(NEAR_SILENCE_DB if kind == "near silence" else PEAK_DB)))
    levelled = sound * np.float32(peak / max(float(np.abs(sound).max(initial=0)), 1e-9))
    if kind == "near silence" and rng.random() < 0.5:
        levelled = np.round(levelled * 2**15) / np.float32(2**15)  # the resolution of 16-bit files
    return np.asarray(levelled, np.float32)


def modulated_noise(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return coloured noise of changing loudness: wind, surf, passing cars."""
    curve = loudness_curve(n_samples, rng, log_uniform(rng, 0.2, 12), rng.uniform(6, 40))
    return np.asarray(steady_noise(n_samples, rng) * curve, np.float32)


def tones(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return one to six steady or beeping tones of unrelated pitch."""
    time = sample_times(n_samples)
    sound = np.zeros(n_samples)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        phase = 2 * np.pi * log_uniform(rng, 50, 8_000) * time + rng.uniform(0, 6)
        shape = rng.choice((0, 0, 1, 2))  # mostly sines
        sound += (np.sin, sawtooth, square)[shape](phase) * rng.uniform(0.2, 1)
    if rng.random() < 0.4:
        period, share = log_uniform(rng, 0.1, 4), rng.uniform(0.1, 0.9)
        sound *= (time / period) % 1 < share
    return np.asarray(sound, np.float32)


def sweeps(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return a tone that glides repeatedly: a siren, a whistle, a test signal."""
    period = log_uniform(rng, 0.3, 15)
    low, high = sorted((log_uniform(rng, 60, 6_000), log_uniform(rng, 60, 9_000)))
    time = sample_times(n_samples)
    within = np.abs((2 * time / period) % 2 - 1) if rng.random() < 0.5 else (time / period) % 1
    if rng.random() < 0.2:
        return np.asarray(chirp(time, low, time[-1], high, "logarithmic"), np.float32)
    phase = 2 * np.pi * np.cumsum(low * (high / low) ** within) / audio.SAMPLE_RATE
    return np.asarray(np.sin(phase) + rng.uniform(0, 0.5) * np.sin(2 * phase), np.float32)


def room(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return the sound of an empty room: hum, rumble and the hiss of a microphone."""
    levels = [amplitude(level) for level in rng.uniform(-25, 0, 3)]
    layers = hum(n_samples, rng), rumble(n_samples, rng), coloured_noise(n_samples, rng, -0.5)
    return np.asarray(np.sum([a * b for a, b in zip(levels, layers, strict=True)], axis=0), "f4")


def knocks(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return irregular taps, clicks, steps or applause: impulses that ring briefly."""
    density = log_uniform(rng, 0.5, 150)  # a second
    n_knocks = 1 + rng.poisson(density * n_samples / audio.SAMPLE_RATE)
    impulses = np.zeros(n_samples, np.float32)
    strengths = rng.lognormal(0, rng.uniform(0.2, 1), n_knocks)
    np.add.at(
        impulses, rng.integers(0, n_samples, n_knocks), strengths * rng.choice((-1, 1), n_knocks)
    )
    time = sample_times(audio.SAMPLE_RATE // 4)
    ring = rng.normal(size=len(time)) * np.exp(-time / log_uniform(rng, 5e-4, 0.02))
    for _ in range(rng.integers(0, 5)):
        mode = np.sin(2 * np.pi * log_uniform(rng, 80, 6_000) * time)
        ring += rng.uniform(0, 2) * mode * np.exp(-time / log_uniform(rng, 0.002, 0.05))
    return np.asarray(fftconvolve(impulses, ring.astype(np.float32))[:n_samples], np.float32)


def rustle(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return bursts of noise, as of clothes, paper or a pocket."""
    rate = log_uniform(rng, 2, 20)
    bursts = loudness_curve(n_samples, rng, rate, 60) ** rng.uniform(1, 3)
    quick = loudness_curve(n_samples, rng, 15 * rate, 20)
    bursts *= coloured_noise(n_samples, rng, rng.uniform(-1, 1))
    return np.asarray(bursts * quick, np.float32)


def engine(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return the drone of a motor or a fan: a wavetable of changing speed, and noise."""
    table = np.zeros(1 + 4_096 // 2, complex)
    n_harmonics = rng.integers(10, 60)
    strengths = np.arange(1, n_harmonics + 1) ** -rng.uniform(0.3, 1.5)
    angles = np.exp(2j * np.pi * rng.uniform(size=n_harmonics))
    table[1 : n_harmonics + 1] = strengths * rng.uniform(0, 1, n_harmonics) * angles
    cycle = unit_power(np.fft.irfft(table).astype(np.float32))
    wander = 0.5 + loudness_curve(n_samples, rng, log_uniform(rng, 0.1, 3), 12) * rng.uniform()
    phase = np.cumsum(wander * log_uniform(rng, 20, 150) / audio.SAMPLE_RATE) % 1
    drone = np.interp(phase, np.linspace(0, 1, len(cycle)), cycle).astype(np.float32)
    beat = 1 + rng.uniform(0, 0.5) * np.sin(np.pi * phase)
    return mix((drone * beat).astype(np.float32), noise(n_samples, rng), rng.uniform(0, 25))


def near_silence(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return very quiet noise, or digital silence."""
    if rng.random() < 0.1:
        return np.zeros(n_samples, np.float32)
    return room(n_samples, rng) if rng.random() < 0.3 else steady_noise(n_samples, rng)


def mixture(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return two sounds at the same time."""
    kinds = [kind for kind in SYNTHESISERS if kind not in ("mixture", "near silence", "espeak")]
    first, second = rng.choice(kinds, 2, replace=False)
    return mix(
        SYNTHESISERS[first](n_samples, rng),
        SYNTHESISERS[second](n_samples, rng),
        rng.uniform(-5, 15),
    )


SYNTHESISERS: dict[str, Sound] = {
    "steady noise": steady_noise,
    "modulated noise": modulated_noise,
    "tones": tones,
    "sweeps": sweeps,
    "room": room,
    "knocks": knocks,
    "rustle": rustle,
    "babble": babble,
    "engine": engine,
    "near silence": near_silence,
    "formant speech": formant_speech,
    "espeak": espeak_speech,
    "mixture": mixture,
}
"""The function of each kind."""

KINDS = tuple(SYNTHESISERS)
