"""Simulates the recording of music by a phone in a room.

The stages are loudspeaker, room, microphone with noise, level and codec. Their parameters are drawn
from the given generator, so that a seed determines the result; the codec is a real one. Libraries
have some of the stages (audiomentations, pedalboard, colorednoise). These have one source of random
numbers, and the service's own decoder.

Conventions
-----------
* Every stage keeps the length of the waveform, and the position of the direct sound.
* Ratios of levels are ratios of power, in decibels.
* The ranges are those of common devices and rooms. Parameters are drawn uniformly; frequencies and
  times on a logarithmic scale.
"""

import io
from typing import Literal

import av
import numpy as np
from scipy.signal import butter, oaconvolve, sosfilt

from service import audio
from training.synthesis.dsp import (
    amplitude,
    log_uniform,
    mix,
    noise,
    peaking,
    room_response,
    soft_clipped,
)

CODECS: dict[str, tuple[str, Literal["aac", "libopus"], int]] = {
    "aac": ("ipod", "aac", 44_100),
    "aac-48": ("ipod", "aac", 48_000),
    "opus": ("ogg", "libopus", 48_000),
    "opus-webm": ("webm", "libopus", 48_000),
}
"""FFmpeg's muxer, its encoder and the sample rate in Hz, by the name of the codec."""

ENCODER_OPTIONS = {
    "aac": {"aac_coder": "fast"},  # five times as fast as FFmpeg's default
    "libopus": {"vbr": "constrained"},  # otherwise it uses up to twice the bit rate
}
BIT_RATES = (32_000, 40_000, 48_000, 56_000, 64_000)  # bit/s
RT60_SECONDS = (0.15, 0.8)
MICROPHONE_LOW, MICROPHONE_HIGH = (80.0, 300.0), (3_500.0, 10_000.0)  # Hz
SNR_DB = (10.0, 20.0)
PEAK_DB = (-30.0, 0.0)  # of the recording, full scale being 0


def record(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Simulate the recording of a waveform, played in a room, by a phone.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
    rng : Generator

    Returns
    -------
    waveform : float32 [shape=(n_samples,)]
        Decoded by `audio.decode`, and aligned with the input to a few milliseconds.
    """
    low, high = log_uniform(rng, *MICROPHONE_LOW), log_uniform(rng, *MICROPHONE_HIGH)
    sound = microphone_band(reverberation(loudspeaker(waveform, rng), rng), low, high)
    background = microphone_band(noise(len(waveform), rng), low, high)
    recorded = mix(sound, background, rng.uniform(*SNR_DB))
    if rng.random() < 0.3:
        recorded = automatic_gain(recorded, rng)
    levelled = recorded * (amplitude(rng.uniform(*PEAK_DB)) / max(np.abs(recorded).max(), 1e-9))
    return transcode(
        np.asarray(levelled, np.float32), str(rng.choice([*CODECS])), int(rng.choice(BIT_RATES))
    )


def loudspeaker(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Simulate a loudspeaker, from a hi-fi to the speaker of a phone.

    It has a random band, one to four gentle resonances or dips, and sometimes an overdriven cone.
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


def reverberation(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Add the reverberation of a random room."""
    response = room_response(rng, log_uniform(rng, *RT60_SECONDS))
    wet = oaconvolve(waveform, response.astype(np.float32))[: len(waveform)]
    return np.asarray(wet, np.float32)


def microphone_band(waveform: audio.Waveform, low: float, high: float) -> audio.Waveform:
    """Apply the band of a phone's microphone and its voice processing.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
    low, high : float
        Hz, of 3 dB attenuation; the slopes are 12 dB and 24 dB an octave.
    """
    below = butter(2, low, "highpass", fs=audio.SAMPLE_RATE, output="sos")
    above = butter(4, high, "lowpass", fs=audio.SAMPLE_RATE, output="sos")
    return np.asarray(sosfilt(np.concatenate([below, above]), waveform), np.float32)


def automatic_gain(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Reduce the difference of loud and quiet passages, as recording apps do, by up to 12 dB."""
    block = int(rng.uniform(0.1, 0.5) * audio.SAMPLE_RATE)
    blocks = np.pad(waveform, (0, -len(waveform) % block)).reshape(-1, block)
    level = np.sqrt(np.square(blocks).mean(axis=1)) + 1e-9
    gain = np.clip((np.median(level) / level) ** rng.uniform(0.2, 0.7), 0.25, 4)
    centres = (np.arange(len(gain)) + 0.5) * block
    return np.asarray(waveform * np.interp(np.arange(len(waveform)), centres, gain), np.float32)


def transcode(waveform: audio.Waveform, codec: str, bit_rate: int) -> audio.Waveform:
    """Encode a waveform, and decode it with the service's decoder; the length stays the same."""
    decoded = audio.decode(encode(waveform, codec, bit_rate)).waveform[: len(waveform)]
    return np.pad(decoded, (0, len(waveform) - len(decoded)))


def encode(waveform: audio.Waveform, codec: str, bit_rate: int) -> bytes:
    """Encode a waveform with a codec of phones and browsers.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]
        Samples beyond full scale are clipped.
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
