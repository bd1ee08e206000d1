"""Makes of a clean waveform what a phone would have recorded of it, played in a room.

The chain is loudspeaker, room, microphone with noise, level, codec. Every number of it is drawn
from the generator that is passed in, so that a seed says what comes out; the codec is a real one.

Conventions
-----------
* Every stage keeps the length, and the direct sound in its place.
* Ratios of levels are of powers, in decibels.
* Ranges are of what people hold in their hands: they are drawn uniformly, frequencies and times
  on a logarithmic scale.
"""

import io
from collections.abc import Callable
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import butter, oaconvolve, sosfilt

from service import audio

CODECS: dict[str, tuple[str, Literal["aac", "libopus"], int]] = {
    "aac": ("ipod", "aac", 44_100),
    "aac-48": ("ipod", "aac", 48_000),
    "opus": ("ogg", "libopus", 48_000),
    "opus-webm": ("webm", "libopus", 48_000),
}
"""Name of a codec: FFmpeg's muxer, its encoder, the sample rate in Hz."""

ENCODER_OPTIONS = {
    "aac": {"aac_coder": "fast"},  # a fifth of the time of FFmpeg's choice
    "libopus": {"vbr": "constrained"},  # otherwise it spends up to twice the bit rate
}
BIT_RATES = (32_000, 40_000, 48_000, 56_000, 64_000)  # bit/s
RT60_SECONDS = (0.15, 0.8)
DIRECT_TO_REVERBERANT_DB = (-3.0, 14.0)
MICROPHONE_LOW, MICROPHONE_HIGH = (80.0, 300.0), (3_500.0, 10_000.0)  # Hz
SNR_DB = (10.0, 20.0)
PEAK_DB = (-30.0, 0.0)  # of the recording, full scale being 0

Response = NDArray[np.float64]


def phone(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Play a waveform in a room and record it with a phone.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
    rng : Generator

    Returns
    -------
    waveform : float32 [shape=(n_samples,)]
        Decoded by `audio.decode`; aligned with the input to a few milliseconds.
    """
    low, high = log_uniform(rng, *MICROPHONE_LOW), log_uniform(rng, *MICROPHONE_HIGH)
    heard = microphone_band(reverberation(loudspeaker(waveform, rng), rng), low, high)
    disturbance = microphone_band(noise(len(waveform), rng), low, high)
    recorded = mixed(heard, disturbance, rng.uniform(*SNR_DB))
    if rng.random() < 0.3:
        recorded = automatic_gain(recorded, rng)
    levelled = recorded * (amplitude(rng.uniform(*PEAK_DB)) / max(np.abs(recorded).max(), 1e-9))
    return coded(
        np.asarray(levelled, np.float32), str(rng.choice([*CODECS])), int(rng.choice(BIT_RATES))
    )


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw from a range so that each octave of it is as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def amplitude(level_db: float) -> float:
    """Return the ratio of amplitudes of a level."""
    return float(10 ** (level_db / 20))


def loudspeaker(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Play through anything from a hi-fi to a phone's own speaker.

    A random band, one to four gentle resonances or dips, and sometimes an overdriven cone.
    """
    low = log_uniform(rng, 40, 400)
    sections = [butter(2, low, "highpass", fs=audio.SAMPLE_RATE, output="sos")]
    if rng.random() < 0.5:
        high = log_uniform(rng, 5_000, 10_500)
        sections.append(butter(2, high, "lowpass", fs=audio.SAMPLE_RATE, output="sos"))
    sections += [
        peaking(log_uniform(rng, 80, 9_000), rng.uniform(-8, 8), rng.uniform(0.5, 3))
        for _ in range(rng.integers(1, 5))
    ]
    played = np.asarray(sosfilt(np.concatenate(sections), waveform), np.float32)
    return soft_clipped(played, rng.uniform(0, 12)) if rng.random() < 0.3 else played


def peaking(centre: float, gain_db: float, quality: float) -> Response:
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
    """Saturate with a hyperbolic tangent whose knee lies `drive_db` below the peak."""
    peak = max(float(np.abs(waveform).max(initial=0)), 1e-9)
    drive = np.float32(amplitude(drive_db))
    return np.asarray(np.tanh(waveform * (drive / peak)) * (peak / np.tanh(drive)), np.float32)


def reverberation(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Put a waveform into a random room; its direct sound stays where it was."""
    response = room_response(rng, log_uniform(rng, *RT60_SECONDS))
    wet = oaconvolve(waveform, response.astype(np.float32))[: len(waveform)]
    return np.asarray(wet, np.float32)


def room_response(rng: np.random.Generator, rt60: float) -> Response:
    """Return a synthetic impulse response of a room.

    Direct sound, six to twenty early reflections in the first 5-60 ms, and a tail of Gaussian
    noise that decays exponentially, faster at high frequencies: the diffuse field of M. R.
    Schroeder, "Natural sounding artificial reverberation" (1962), in the form of J. A. Moorer,
    "About this reverberation business" (1979).

    Parameters
    ----------
    rng : Generator
    rt60 : float
        Seconds in which the tail falls by 60 dB, at 1 kHz.

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


def _diffuse_tail(rng: np.random.Generator, length: int, rt60: float) -> Response:
    """Return decaying noise of unit energy, each octave with its own decay."""
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
    tail *= 1 - np.exp(-time / rng.uniform(0.002, 0.03))  # the field takes a while to fill
    return np.asarray(tail / np.linalg.norm(tail))


def microphone_band(waveform: audio.Waveform, low: float, high: float) -> audio.Waveform:
    """Keep what a phone's microphone and its voice processing keep.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
    low, high : float
        Hz, where 3 dB are lost; below it fall 12 dB an octave, above 24.
    """
    below = butter(2, low, "highpass", fs=audio.SAMPLE_RATE, output="sos")
    above = butter(4, high, "lowpass", fs=audio.SAMPLE_RATE, output="sos")
    return np.asarray(sosfilt(np.concatenate([below, above]), waveform), np.float32)


def mixed(waveform: audio.Waveform, disturbance: audio.Waveform, snr_db: float) -> audio.Waveform:
    """Add a disturbance so that the waveform's mean power is `snr_db` above it."""
    power = float(np.square(waveform, dtype=np.float64).mean())
    disturbing = float(np.square(disturbance, dtype=np.float64).mean())
    gain = np.sqrt(power / max(disturbing, 1e-20)) * amplitude(-snr_db)
    return np.asarray(waveform + disturbance * np.float32(gain), np.float32)


def noise(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return what else is heard in a room: one to three of `NOISES`, of unit power in all.

    Returns
    -------
    noise : float32 [shape=(n_samples,)]
    """
    chosen = rng.choice(list(NOISES), rng.integers(1, 4), replace=False)
    layers = [NOISES[name](n_samples, rng) * amplitude(rng.uniform(-12, 0)) for name in chosen]
    return unit_power(np.sum(layers, axis=0, dtype=np.float32))


def unit_power(waveform: audio.Waveform) -> audio.Waveform:
    """Scale a waveform to a mean power of 1; silence stays silence."""
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
        0 white, -1 pink, -2 brown, 1 blue. The density is level below 20 Hz.

    Returns
    -------
    noise : float32 [shape=(n_samples,)]
        Of unit power.
    """
    return _shaped_noise(
        n_samples, rng, lambda frequency: np.maximum(frequency, 20) ** (exponent / 2)
    )


def _shaped_noise(
    n_samples: int, rng: np.random.Generator, gain: Callable[[Response], Response]
) -> audio.Waveform:
    """Return Gaussian noise of unit power, its amplitude spectrum a function of frequency in Hz."""
    size = fft.next_fast_len(max(n_samples, 1), real=True)
    spectrum = fft.rfft(rng.standard_normal(size, dtype=np.float32))
    spectrum *= gain(fft.rfftfreq(size, 1 / audio.SAMPLE_RATE)).astype(np.float32)
    return unit_power(fft.irfft(spectrum, size)[:n_samples])


def babble(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return noise that murmurs as a crowd does; float32 [shape=(n_samples,)], of unit power.

    Three to eight talkers, each noise of a speech-like spectrum (level to some 500 Hz, then
    falling by 6-12 dB an octave) whose loudness moves at the rate of syllables.
    """
    murmur = np.zeros(n_samples, np.float32)
    for _ in range(rng.integers(3, 9)):
        talker = _shaped_noise(n_samples, rng, _voice_spectrum(rng))
        murmur += talker * loudness_curve(n_samples, rng, rng.uniform(3, 6), depth_db=18)
    return unit_power(murmur)


def _voice_spectrum(rng: np.random.Generator) -> Callable[[Response], Response]:
    """Return the amplitude spectrum of a talker over a while, a function of frequency in Hz."""
    corner, steepness = log_uniform(rng, 300, 1_200), rng.uniform(0.5, 1)

    def gain(frequency: Response) -> Response:
        rise = frequency / (frequency + 150)
        return np.asarray(rise / (1 + (frequency / corner) ** 2) ** steepness)

    return gain


def loudness_curve(
    n_samples: int, rng: np.random.Generator, rate: float, depth_db: float
) -> audio.Waveform:
    """Return gains in [0, 1] that move smoothly between random levels.

    Parameters
    ----------
    n_samples : int
    rng : Generator
    rate : float
        New levels a second.
    depth_db : float
        Levels are drawn from this range below 1.

    Returns
    -------
    gains : float32 [shape=(n_samples,)]
    """
    seconds = n_samples / audio.SAMPLE_RATE
    knots = 10 ** (-rng.uniform(0, depth_db, int(seconds * rate) + 2) / 20)
    time = np.arange(n_samples) * (rate / audio.SAMPLE_RATE)
    return np.asarray(np.interp(time, np.arange(len(knots)), knots), np.float32)


def hum(n_samples: int, rng: np.random.Generator) -> audio.Waveform:
    """Return a mains hum; float32 [shape=(n_samples,)], of unit power.

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


NOISES: dict[str, Callable[[int, np.random.Generator], audio.Waveform]] = {
    "white": lambda n, rng: coloured_noise(n, rng, 0),
    "pink": lambda n, rng: coloured_noise(n, rng, -1),
    "brown": lambda n, rng: coloured_noise(n, rng, -2),
    "babble": babble,
    "hum": hum,
    "rumble": rumble,
}
"""What disturbs a recording, each float32 [shape=(n_samples,)] of unit power."""


def automatic_gain(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Turn loud passages down and quiet ones up, as recording apps do, by up to 12 dB."""
    block = int(rng.uniform(0.1, 0.5) * audio.SAMPLE_RATE)
    blocks = np.pad(waveform, (0, -len(waveform) % block)).reshape(-1, block)
    level = np.sqrt(np.square(blocks).mean(axis=1)) + 1e-9
    gain = np.clip((np.median(level) / level) ** rng.uniform(0.2, 0.7), 0.25, 4)
    centres = (np.arange(len(gain)) + 0.5) * block
    return np.asarray(waveform * np.interp(np.arange(len(waveform)), centres, gain), np.float32)


def coded(waveform: audio.Waveform, codec: str, bit_rate: int) -> audio.Waveform:
    """Encode a waveform and decode it with the service's own decoder, to the same length."""
    decoded = audio.decode(encoded(waveform, codec, bit_rate)).waveform[: len(waveform)]
    return np.pad(decoded, (0, len(waveform) - len(decoded)))


def encoded(waveform: audio.Waveform, codec: str, bit_rate: int) -> bytes:
    """Encode a waveform as a phone or a browser does.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
        What lies beyond full scale is clipped.
    codec : str
        One of `CODECS`.
    bit_rate : int
        Bits a second.

    Returns
    -------
    data : bytes
        A whole file, mono.
    """
    muxer, encoder, rate = CODECS[codec]
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(
            encoder, rate=rate, layout="mono", options=ENCODER_OPTIONS[encoder]
        )
        stream.bit_rate = bit_rate
        clipped = np.clip(waveform, -1, 1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(clipped, "fltp", "mono")
        frame.sample_rate = audio.SAMPLE_RATE
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
