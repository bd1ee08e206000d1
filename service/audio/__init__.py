"""Audio front-end: encoded recording -> waveform -> windows -> log-mel spectrograms.

This package is the only definition of a model's input. `training` and the rest of `service` import
it; nothing else in the project decodes, resamples or transforms a recording. It needs NumPy, SciPy,
PyAV and soxr, and never torch, FastAPI or ONNX Runtime.

Data flows one way::

    decoding (formats, gaps, blocks, downmix, loudness, weighting, resampling)
                                                      bytes -> Recording, which knows its levels
    windowing                                         waveform -> Cut, which knows its windows
    spectrogram                                       windows -> log-mel spectrograms
    identity                                          a fixed recording -> the signature

`spec` defines the numbers that shape a spectrogram, and the conventions.
"""

from service.audio.blocks import MAX_CHANNELS, MAX_RATE, MIN_RATE
from service.audio.bounds import MAX_SECONDS, UNBOUNDED, Bounds
from service.audio.decoding import Recording, decode, follow
from service.audio.downmix import FULL_SCALE
from service.audio.errors import (
    AudioError,
    ClipTooShortError,
    DecodeTimeoutError,
    NoAudioStreamError,
    NotAudioError,
    UnsupportedAudioError,
    UnsupportedFormatError,
)
from service.audio.formats import FORMATS, MAX_ALLOCATION, MAX_STREAMS
from service.audio.growing import BrokenOffError, Growing
from service.audio.identity import SKEW_TOLERANCE, reference_windows, signature, skew
from service.audio.levels import levels
from service.audio.loudness import Loudness
from service.audio.spec import (
    F_MAX,
    F_MIN,
    HOP,
    MIN_SECONDS,
    N_FFT,
    N_FRAMES,
    N_MELS,
    N_SAMPLES,
    N_SHORT_FRAMES,
    N_SHORT_SAMPLES,
    QUIETEST_POWER,
    SAMPLE_RATE,
    SILENT_DBFS,
    SPAN_DB,
    WINDOW_SECONDS,
    Spectrograms,
    Waveform,
    Windows,
    front_end,
)
from service.audio.spectrogram import LogMel, log_mel, mel_edges, mel_filters
from service.audio.windowing import Cut, cut, window_starts, windows

__all__ = [
    "FORMATS",
    "FULL_SCALE",
    "F_MAX",
    "F_MIN",
    "HOP",
    "MAX_ALLOCATION",
    "MAX_CHANNELS",
    "MAX_RATE",
    "MAX_SECONDS",
    "MAX_STREAMS",
    "MIN_RATE",
    "MIN_SECONDS",
    "N_FFT",
    "N_FRAMES",
    "N_MELS",
    "N_SAMPLES",
    "N_SHORT_FRAMES",
    "N_SHORT_SAMPLES",
    "QUIETEST_POWER",
    "SAMPLE_RATE",
    "SILENT_DBFS",
    "SKEW_TOLERANCE",
    "SPAN_DB",
    "UNBOUNDED",
    "WINDOW_SECONDS",
    "AudioError",
    "Bounds",
    "BrokenOffError",
    "ClipTooShortError",
    "Cut",
    "DecodeTimeoutError",
    "Growing",
    "LogMel",
    "Loudness",
    "NoAudioStreamError",
    "NotAudioError",
    "Recording",
    "Spectrograms",
    "UnsupportedAudioError",
    "UnsupportedFormatError",
    "Waveform",
    "Windows",
    "cut",
    "decode",
    "follow",
    "front_end",
    "levels",
    "log_mel",
    "mel_edges",
    "mel_filters",
    "reference_windows",
    "signature",
    "skew",
    "window_starts",
    "windows",
]
