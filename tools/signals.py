"""Synthetic recordings, and their encodings in every container that phones and browsers send."""

import io
import wave
from functools import lru_cache

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from service import audio

FLOAT = NDArray[np.float32]


def sine(seconds: float, hz: float = 1_000, rate: int = audio.SAMPLE_RATE) -> FLOAT:
    """Return a full-scale sine; float32 [shape=(seconds * rate,)]."""
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@lru_cache(maxsize=16)
def groove(seconds: float, rate: int = 48_000, bpm: float = 124, seed: int = 0) -> FLOAT:
    """Return a plain dance groove: kick on every beat, hat between, bass and chord; peak 0.5.

    Returns float32 [shape=(seconds * rate,)], read-only, since calls share it.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    beat = time * bpm / 60
    since_beat = (beat % 1) * 60 / bpm
    since_offbeat = ((beat + 0.5) % 1) * 60 / bpm
    kick = np.sin(2 * np.pi * (50 * since_beat - 6 * np.exp(-30 * since_beat))) * np.exp(
        -9 * since_beat
    )
    hat = rng.normal(0, 0.3, len(time)) * np.exp(-40 * since_offbeat)
    root = 55 * 2 ** (np.array([0, 0, 3, 5])[(beat // 4).astype(int) % 4] / 12)
    phase = 2 * np.pi * np.cumsum(root) / rate
    bass = np.sign(np.sin(phase)) * (1 - np.exp(-8 * since_beat)) * 0.4
    chord = (
        sum(np.sin(phase * ratio) for ratio in (4, 4.756, 6)) * 0.15 * np.exp(-4 * since_offbeat)
    )
    mix = kick + hat + bass + chord
    found = (0.5 * mix / np.abs(mix).max()).astype(np.float32)
    found.flags.writeable = False
    return found


def wav(waveform: FLOAT, rate: int, channels: int = 1) -> bytes:
    """Return a 16-bit WAV with the waveform on every channel."""
    pcm = np.repeat((waveform * 32767).astype("<i2")[:, None], channels, axis=1)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, 2, rate, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    return file.getvalue()


def float_wav(channels: NDArray[np.floating], rate: int) -> bytes:
    """Return a 32-bit WAV of channels; [shape=(n_channels, n_samples)]."""
    file = io.BytesIO()
    soundfile.write(file, channels.T, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


ENCODINGS = {
    "wav": ("wav", "pcm_s16le", {}),
    "aiff": ("aiff", "pcm_s16be", {}),
    "flac": ("flac", "flac", {}),
    "mp3": ("mp3", "libmp3lame", {}),
    "opus": ("ogg", "libopus", {}),
    "webm": ("webm", "libopus", {"live": "1"}),  # as browsers record: no duration, no cues
    "m4a": ("ipod", "aac", {}),
    "fragmented-mp4": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    "adts": ("adts", "aac", {}),
}
"""Name of an encoding: FFmpeg's muxer, its encoder, the muxer's options."""
OTHER_ENCODINGS = {
    "caf": ("caf", "pcm_s16be", {}),
    "caf-alac": ("caf", "alac", {}),
    "caf-opus": ("caf", "libopus", {}),
    "amr": ("amr", "libopencore_amrnb", {}),
    "3gp": ("3gp", "libopencore_amrnb", {}),
    "rf64": ("wav", "pcm_s16le", {"rf64": "always"}),
    "w64": ("w64", "pcm_s16le", {}),
    "au": ("au", "pcm_s16be", {}),
    "mp2": ("mp2", "mp2", {}),
    "ac3": ("ac3", "ac3", {}),
    "eac3": ("eac3", "eac3", {}),
    "wma": ("asf", "wmav2", {}),
    "avi": ("avi", "mp2", {}),
    "flv": ("flv", "aac", {}),
    "mpegts": ("mpegts", "aac", {}),
    "mpeg": ("mpeg", "mp2", {}),
    "wavpack": ("wv", "wavpack", {}),
    "tta": ("tta", "tta", {}),
}
"""The same of containers that browsers do not write; mono and stereo."""
RATES = {"amr": 8_000, "3gp": 8_000, "ac3": 48_000, "eac3": 48_000, "mpeg": 48_000}
"""The one sample rate of some encodings, Hz."""
LAYOUTS = {1: "mono", 2: "stereo", 8: "7.1"}


class _Unseekable(io.BytesIO):
    """A stream without seeking, as recorders use: a muxer cannot fill in a header afterwards."""

    def seekable(self) -> bool:
        return False


def encode(waveform: FLOAT, rate: int, encoding: str, channels: int = 1) -> bytes:
    """Encode a waveform, repeated on every channel, at 96 kbit/s where the codec is lossy."""
    return encode_channels(np.repeat(waveform[None], channels, axis=0), rate, encoding)


def encode_channels(waveforms: NDArray[np.floating], rate: int, encoding: str) -> bytes:
    """Encode the waveforms of one, two or eight channels; [shape=(n_channels, n_samples)]."""
    channels = len(waveforms)
    if encoding == "vorbis":  # FFmpeg's own Vorbis encoder is experimental; libsndfile's is not
        file = io.BytesIO()
        soundfile.write(file, waveforms.T, rate, format="OGG")
        return file.getvalue()
    muxer, codec, options = (ENCODINGS | OTHER_ENCODINGS)[encoding]
    if rate != RATES.get(encoding, rate):
        waveforms = soxr.resample(waveforms.T, rate, RATES[encoding]).T.clip(-1, 1)
        rate = RATES[encoding]
    file = _Unseekable() if encoding == "webm" else io.BytesIO()
    with av.open(file, "w", format=muxer, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=LAYOUTS[channels])
        if codec == "libopencore_amrnb":
            stream.bit_rate = 12_200
        elif not codec.startswith("pcm") and codec != "flac":
            stream.bit_rate = 96_000
        pcm = (waveforms * 32767).astype(np.int16).T
        for start in range(0, len(pcm), 960):
            frame = av.AudioFrame.from_ndarray(
                pcm[start : start + 960].reshape(1, -1), "s16", LAYOUTS[channels]
            )
            frame.sample_rate = rate
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
