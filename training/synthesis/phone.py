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
"""Name of a codec: FFmpeg's muxer, its encoder, the sample rate in Hz."""

ENCODER_OPTIONS = {
    "aac": {"aac_coder": "fast"},  # a fifth of the time of FFmpeg's choice
    "libopus": {"vbr": "constrained"},  # otherwise it spends up to twice the bit rate
}
BIT_RATES = (32_000, 40_000, 48_000, 56_000, 64_000)  # bit/s
RT60_SECONDS = (0.15, 0.8)
MICROPHONE_LOW, MICROPHONE_HIGH = (80.0, 300.0), (3_500.0, 10_000.0)  # Hz
SNR_DB = (10.0, 20.0)
PEAK_DB = (-30.0, 0.0)  # of the recording, full scale being 0


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
    recorded = mix(heard, disturbance, rng.uniform(*SNR_DB))
    if rng.random() < 0.3:
        recorded = automatic_gain(recorded, rng)
    levelled = recorded * (amplitude(rng.uniform(*PEAK_DB)) / max(np.abs(recorded).max(), 1e-9))
    return transcode(
        np.asarray(levelled, np.float32), str(rng.choice([*CODECS])), int(rng.choice(BIT_RATES))
    )


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


def reverberation(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Put a waveform into a random room; its direct sound stays where it was."""
    response = room_response(rng, log_uniform(rng, *RT60_SECONDS))
    wet = oaconvolve(waveform, response.astype(np.float32))[: len(waveform)]
    return np.asarray(wet, np.float32)


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


def automatic_gain(waveform: audio.Waveform, rng: np.random.Generator) -> audio.Waveform:
    """Turn loud passages down and quiet ones up, as recording apps do, by up to 12 dB."""
    block = int(rng.uniform(0.1, 0.5) * audio.SAMPLE_RATE)
    blocks = np.pad(waveform, (0, -len(waveform) % block)).reshape(-1, block)
    level = np.sqrt(np.square(blocks).mean(axis=1)) + 1e-9
    gain = np.clip((np.median(level) / level) ** rng.uniform(0.2, 0.7), 0.25, 4)
    centres = (np.arange(len(gain)) + 0.5) * block
    return np.asarray(waveform * np.interp(np.arange(len(waveform)), centres, gain), np.float32)


def transcode(waveform: audio.Waveform, codec: str, bit_rate: int) -> audio.Waveform:
    """Encode a waveform and decode it with the service's own decoder, to the same length."""
    decoded = audio.decode(encode(waveform, codec, bit_rate)).waveform[: len(waveform)]
    return np.pad(decoded, (0, len(waveform) - len(decoded)))


def encode(waveform: audio.Waveform, codec: str, bit_rate: int) -> bytes:
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
