"""The signature of a front-end: the spectrogram of a fixed recording."""

import io
import wave
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from service.audio.decoding import decode
from service.audio.spec import Windows
from service.audio.spectrogram import log_mel
from service.audio.windowing import windows

SKEW_TOLERANCE = 0.01  # dB: two front-ends count as equal up to this difference


def reference_windows() -> Windows:
    """Decode a fixed recording for comparing front-ends and models, and cut it into windows.

    The recording is a 10 s stereo WAV at 44.1 kHz: a 55 Hz pulse train between two silences, on one
    channel. It passes through decoding, averaging, resampling and the rule for short clips, and its
    spectrogram reaches every band, the floor and both edges of a sound.

    Returns
    -------
    windows : float32 [shape=(1, N_SAMPLES)]
    """
    rate = 44_100
    pcm = np.zeros((10 * rate, 2), dtype="<i2")
    pcm[3 * rate : 8 * rate : rate // 55, 0] = 2**14
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes(pcm.tobytes())
    return windows(decode(file.getvalue()).waveform)


def signature() -> NDArray[np.float32]:
    """Return the mean spectrum of a fixed recording, which identifies this front-end.

    `training.release` writes it into the model file; `service.model` compares it with its own
    before serving, and `training.data` compares it with the signature of cached spectrograms before
    using them.

    Returns
    -------
    levels : float32 [shape=(N_MELS,)], dB
        The mean level of each mel band over `reference_windows`.
    """
    return np.asarray(log_mel(reference_windows())[0].mean(axis=1))


def skew(other: Iterable[float]) -> float:
    """Return the largest difference, in dB, between another front-end's signature and this one's.

    The difference is infinite if the numbers of mel bands differ.
    """
    theirs = np.asarray(list(other), dtype=np.float32)
    ours = signature()
    return float(np.abs(ours - theirs).max()) if theirs.shape == ours.shape else float("inf")
