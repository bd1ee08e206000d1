"""Building blocks of synthetic sound: levels, filters, rooms and noises."""

from collections.abc import Callable

import numpy as np
from scipy import fft

from service import audio
from training.types import Floats

Noise = Callable[[int, np.random.Generator], audio.Waveform]

DIRECT_TO_REVERBERANT_DB = (-3.0, 14.0)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw from a range in which each octave has the same probability."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def amplitude(level_db: float) -> float:
    """Return the amplitude ratio of a level in decibels."""
    return float(10 ** (level_db / 20))


def peaking(centre: float, gain_db: float, quality: float) -> Floats:
    """Return a peaking equaliser as one second-order section.

    From R. Bristow-Johnson, *Cookbook formulae for audio EQ biquad filter coefficients*.

    Returns
    -------
    section : float64 [shape=(1, 6)]
        As `scipy.signal.sosfilt` takes it.
    """
    angle = 2 * np.pi * centre / audio.SAMPLE_RATE
    gain = 10 ** (gain_db / 40)
    alpha = np.sin(angle) / (2 * quality)
    cosine = -2 * np.cos(angle)
    numerator = np.array([1 + alpha * gain, cosine, 1 - alpha * gain])
    denominator = np.array([1 + alpha / gain, cosine, 1 - alpha / gain])
    return np.asarray(np.concatenate([numerator, denominator])[None] / denominator[0])


def soft_clipped(waveform: audio.Waveform, drive_db: float) -> audio.Waveform:
    """Saturate with a hyperbolic tangent whose knee is `drive_db` below the peak."""
    peak = max(float(np.abs(waveform).max(initial=0)), 1e-9)
    drive = np.float32(amplitude(drive_db))
    return np.asarray(np.tanh(waveform * (drive / peak)) * (peak / np.tanh(drive)), np.float32)


def room_response(rng: np.random.Generator, rt60: float) -> Floats:
    """Return a synthetic impulse response of a room.

    It has the direct sound, six to twenty early reflections in the first 5-60 ms, and a tail of
    Gaussian noise that decays exponentially, faster at high frequencies: the diffuse field of M. R.
    Schroeder, "Natural sounding artificial reverberation" (1962), in the form of J. A. Moorer,
    "About this reverberation business" (1979).

    Parameters
    ----------
    rng : Generator
    rt60 : float
        Seconds in which the tail decays by 60 dB, at 1 kHz.

    Returns
    -------
    response : float64 [shape=(ceil(1.2 * rt60 * SAMPLE_RATE),)]
        Its first sample is the direct sound, of amplitude 1.
    """
    length = int(np.ceil(1.2 * rt60 * audio.SAMPLE_RATE))
    tail = _diffuse_tail(rng, length, rt60)
    nearest = rng.uniform(0.001, 0.006)
    delays = nearest + rng.uniform(0, 0.055, rng.integers(6, 21))
    early = np.zeros(length)
    positions = np.minimum((delays * audio.SAMPLE_RATE).astype(int), length - 1)
    strengths = rng.choice((-1, 1), len(delays)) * rng.uniform(0.3, 1, len(delays))
    np.add.at(early, positions, strengths * nearest / delays * 10 ** (-3 * delays / rt60))
    reverberant = early / np.linalg.norm(early) + rng.uniform(0.5, 2) * tail
    reverberant *= amplitude(-rng.uniform(*DIRECT_TO_REVERBERANT_DB)) / np.linalg.norm(reverberant)
    reverberant[0] = 1
    return reverberant


def _diffuse_tail(rng: np.random.Generator, length: int, rt60: float) -> Floats:
    """Return decaying noise of unit energy; each octave has its own decay."""
    size = fft.next_fast_len(length, real=True)
    spectrum = fft.rfft(rng.normal(size=size))
    octave = np.log2(np.maximum(fft.rfftfreq(size, 1 / audio.SAMPLE_RATE), 1) / 1_000)
    time = np.arange(length) / audio.SAMPLE_RATE
    steepness = rng.uniform(0.05, 0.35)
    tail = np.zeros(length)
    for centre in range(-4, 4):  # 62 Hz to 8 kHz
        weight = np.clip(1 - np.abs(octave - centre), 0, 1)
        decay = 10 ** (-3 * time / (rt60 * 2 ** (-steepness * centre)))
        tail += fft.irfft(spectrum * weight, size)[:length] * decay
    tail *= 1 - np.exp(-time / rng.uniform(0.002, 0.03))  # the diffuse field builds up gradually
    return np.asarray(tail / np.linalg.norm(tail))


def mix(waveform: audio.Waveform, background: audio.Waveform, snr_db: float) -> audio.Waveform:
    """Add a background whose mean power is `snr_db` below that of the waveform."""
    power = float(np.square(waveform, dtype=np.float64).mean())
    of_background = float(np.square(background, dtype=np.float64).mean())
    gain = np.sqrt(power / max(of_background, 1e-20)) * amplitude(-snr_db)
    return np.asarray(waveform + background * np.float32(gain), np.float32)


def noise(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return background noise of a room: one to three of `NOISES`, of unit power in total.

    Returns
    -------
    noise : float32 [shape=(n_samples,)]
    """
    chosen = rng.choice(list(NOISES), rng.integers(1, 4), replace=False)
    layers = [NOISES[name](n_samples, rng) * amplitude(rng.uniform(-12, 0)) for name in chosen]
    return unit_power(np.sum(layers, axis=0, dtype=np.float32))


def unit_power(waveform: audio.Waveform) -> audio.Waveform:
    """Scale a waveform to a mean power of 1; silence stays silent."""
    power = float(np.square(waveform, dtype=np.float64).mean()) if len(waveform) else 0.0
    return np.asarray(waveform / np.sqrt(max(power, 1e-20)), np.float32)


def coloured_noise(n_samples: int, rng: np.random.Generator, exponent: float) -> audio.Waveform:
    """Return Gaussian noise of power density proportional to ``frequency ** exponent``.

    Shaped in the frequency domain, after J. Timmer and M. König, "On generating power law noise"
    (1995).

    Parameters
    ----------
    n_samples : int
    rng : Generator
    exponent : float
        0 white, -1 pink, -2 brown, 1 blue. The density is constant below 20 Hz.

    Returns
    -------
    noise : float32 [shape=(n_samples,)]
        Of unit power.
    """
    return _shaped_noise(
        n_samples, rng, lambda frequency: np.maximum(frequency, 20) ** (exponent / 2)
    )


def _shaped_noise(
    n_samples: int, rng: np.random.Generator, gain: Callable[[Floats], Floats]
) -> audio.Waveform:
    """Return Gaussian noise of unit power with an amplitude spectrum, a function of Hz."""
    size = fft.next_fast_len(max(n_samples, 1), real=True)
    spectrum = fft.rfft(rng.standard_normal(size, dtype=np.float32))
    spectrum *= gain(fft.rfftfreq(size, 1 / audio.SAMPLE_RATE)).astype(np.float32)
    return unit_power(fft.irfft(spectrum, size)[:n_samples])


def babble(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return the murmur of a crowd; float32 [shape=(n_samples,)], of unit power.

    Three to eight talkers, each of them noise with the spectrum of speech (constant up to about
    500 Hz, then falling by 6-12 dB an octave) whose loudness changes at the rate of syllables.
    """
    murmur = np.zeros(n_samples, np.float32)
    for _ in range(rng.integers(3, 9)):
        talker = _shaped_noise(n_samples, rng, _voice_spectrum(rng))
        murmur += talker * loudness_curve(n_samples, rng, rng.uniform(3, 6), depth_db=18)
    return unit_power(murmur)


def _voice_spectrum(rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """Return the long-term amplitude spectrum of a talker, a function of Hz."""
    corner, steepness = log_uniform(rng, 300, 1_200), rng.uniform(0.5, 1)

    def gain(frequency: Floats) -> Floats:
        rise = frequency / (frequency + 150)
        return np.asarray(rise / (1 + (frequency / corner) ** 2) ** steepness)

    return gain


def loudness_curve(
    n_samples: int, rng: np.random.Generator, rate: float, depth_db: float
) -> audio.Waveform:
    """Return gains in [0, 1] that change smoothly between random levels.

    Parameters
    ----------
    n_samples : int
    rng : Generator
    rate : float
        Number of levels per second.
    depth_db : float
        Levels are drawn between 1 and this far below it.

    Returns
    -------
    gains : float32 [shape=(n_samples,)]
    """
    seconds = n_samples / audio.SAMPLE_RATE
    knots = 10 ** (-rng.uniform(0, depth_db, int(seconds * rate) + 2) / 20)
    time = np.arange(n_samples) * (rate / audio.SAMPLE_RATE)
    return np.asarray(np.interp(time, np.arange(len(knots)), knots), np.float32)


def hum(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return mains hum; float32 [shape=(n_samples,)], of unit power.

    50 or 60 Hz within 0.2 %, with harmonics of falling random strength.
    """
    mains = rng.choice((50.0, 60.0)) * rng.uniform(0.998, 1.002)
    phase = np.arange(n_samples) * (2 * np.pi * mains / audio.SAMPLE_RATE)
    slope = rng.uniform(0.3, 1.5)
    layers = np.zeros(n_samples)
    for harmonic in range(1, rng.integers(4, 13)):
        strength = rng.uniform(0.1, 1) * harmonic**-slope
        layers += strength * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    return unit_power(layers.astype(np.float32))


def rumble(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return the rumble of traffic, ventilation or handling: float32, of unit power.

    Noise that falls by 12 dB an octave above 40-200 Hz and swells slowly.
    """
    corner = log_uniform(rng, 40, 200)
    steady = _shaped_noise(n_samples, rng, lambda f: 1 / (1 + (f / corner) ** 2))
    return unit_power(steady * loudness_curve(n_samples, rng, rng.uniform(0.2, 2), depth_db=12))


NOISES: dict[str, Noise] = {
    "white": lambda n, rng: coloured_noise(n, rng, 0),
    "pink": lambda n, rng: coloured_noise(n, rng, -1),
    "brown": lambda n, rng: coloured_noise(n, rng, -2),
    "babble": babble,
    "hum": hum,
    "rumble": rumble,
}
"""Background noises, each float32 [shape=(n_samples,)] of unit power."""


def steady_noise(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return steady noise of a random colour between brown and blue."""
    return coloured_noise(n_samples, rng, rng.choice((-2, -1, 0, 1, rng.uniform(-2.5, 1))))


def sample_times(n_samples: int) -> Floats:
    """Seconds of each sample; float64 [shape=(n_samples,)]."""
    return np.arange(n_samples) / audio.SAMPLE_RATE
