"""The features of the compared systems, by librosa and by the project's own front-end.

Every function takes windows, float32 [shape=(n, audio.N_SAMPLES)], and returns one feature of each,
[shape=(n, ...)]. After a change of a function, raise the `version` of its feature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from service import audio
from training.data.lazy_librosa import librosa
from training.studies.compare.danceability import danceability
from training.types import AnyFloats

STEP = 3  # frames of the front-end in a frame here: 0.1 s
N_STEPS = (audio.N_FRAMES - 1) // STEP  # 150
N_ROWS = audio.N_MELS // 2
N_BEATS = 48  # in 15 s at 192 a minute; slower music is repeated
CHROMA_FFT = 4_096  # samples: 5 Hz apart, for semitones from 90 Hz on
N_MFCC = 20
BRIGHT = 1_500.0  # Hz; Juslin, "Cue utilization in communication of emotion", 2000
QUIET = 1e-10  # negligible power

MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""Fit of each pitch class to a key: Krumhansl and Kessler, 1982."""


@dataclass(frozen=True)
class Feature:
    """A feature, as the table names it.

    Attributes
    ----------
    about : str
        A short description for the page.
    extract : callable
        Function from windows to an array.
    version : int
        Raised with every change of `extract`.
    removes_silences : bool
        Whether silences are removed before windows are cut.
    """

    about: str
    extract: Callable[[audio.Windows], AnyFloats]
    version: int = 1
    removes_silences: bool = False


def mel(windows: audio.Windows) -> AnyFloats:
    """Average the front-end's levels by two bands and three frames; [shape=(n, 64, 150)], dB."""
    levels = audio.log_mel(windows)[..., : STEP * N_STEPS]
    return np.asarray(levels.reshape(len(windows), N_ROWS, 2, N_STEPS, STEP).mean((2, 4)))


def chroma(windows: audio.Windows) -> AnyFloats:
    """Return the strength of each pitch class; [shape=(n, 12, 150)], the strongest 1."""
    curves = librosa.feature.chroma_stft(
        y=windows, sr=audio.SAMPLE_RATE, n_fft=CHROMA_FFT, hop_length=STEP * audio.HOP, tuning=0.0
    )
    return np.asarray(curves[..., :N_STEPS])


def by_beat(extract: Callable[[audio.Windows], AnyFloats], windows: audio.Windows) -> AnyFloats:
    """Return medians of a curve between beats; [shape=(n, n_rows, N_BEATS)], repeated to fit."""
    curves = extract(windows)
    return np.stack([_between_beats(*pair) for pair in zip(curves, windows, strict=True)])


def _between_beats(curve: AnyFloats, window: audio.Waveform) -> AnyFloats:
    _, beats = librosa.beat.beat_track(
        y=window, sr=audio.SAMPLE_RATE, hop_length=audio.HOP, units="frames"
    )
    edges = np.unique(np.clip(np.r_[0, beats].astype(int) // STEP, 0, curve.shape[-1] - 1))
    medians = librosa.util.sync(curve, edges.tolist(), aggregate=np.median)
    return np.asarray(medians[:, np.arange(N_BEATS) % medians.shape[1]])


def seventeen(windows: audio.Windows) -> AnyFloats:
    """Return seventeen numbers of level, spectrum, rhythm and key; [shape=(n, 17)]."""
    return np.stack([_seventeen(window) for window in windows])


def _seventeen(window: audio.Waveform) -> AnyFloats:
    amplitude = np.abs(librosa.stft(window, n_fft=audio.N_FFT, hop_length=audio.HOP))
    return np.array(
        [*_level(window), *_spectrum(amplitude), *_noise(window), *_rhythm(window), *_key(window)]
    )


def _level(window: audio.Waveform) -> tuple[float, ...]:
    """Return mean and deviation of RMS, and the share of frames below its mean."""
    rms = librosa.feature.rms(y=window, frame_length=audio.N_FFT, hop_length=audio.HOP)[0]
    return rms.mean(), rms.std(), (rms < rms.mean()).mean()


def _spectrum(amplitude: AnyFloats) -> tuple[float, ...]:
    """Return roll-off, centroid, bandwidth, flatness, contrast, brightness, entropy and flux."""
    of: dict[str, Any] = {"S": amplitude, "sr": audio.SAMPLE_RATE}
    total = amplitude.sum(axis=0) + QUIET
    shares = amplitude / total
    high = librosa.fft_frequencies(sr=audio.SAMPLE_RATE, n_fft=audio.N_FFT) >= BRIGHT
    return (
        librosa.feature.spectral_rolloff(**of).mean(),
        librosa.feature.spectral_centroid(**of).mean(),
        librosa.feature.spectral_bandwidth(**of).mean(),
        librosa.feature.spectral_flatness(S=amplitude).mean(),
        librosa.feature.spectral_contrast(**of).mean(),
        shares[high].sum(axis=0).mean(),
        -(shares * np.log2(shares + QUIET)).sum(axis=0).mean(),
        np.sqrt(np.square(np.diff(shares, axis=1)).sum(axis=0)).mean(),
    )


def _noise(window: audio.Waveform) -> tuple[float, ...]:
    """Return the share of samples at which the sign changes."""
    return (librosa.zero_crossings(window).mean(),)


def _rhythm(window: audio.Waveform) -> tuple[float, ...]:
    """Return tempo, clarity of the pulse and onsets a second."""
    onsets = librosa.onset.onset_strength(y=window, sr=audio.SAMPLE_RATE, hop_length=audio.HOP)
    timed: dict[str, Any] = {
        "onset_envelope": onsets,
        "sr": audio.SAMPLE_RATE,
        "hop_length": audio.HOP,
    }
    lags = librosa.autocorrelate(onsets - onsets.mean())
    found = librosa.onset.onset_detect(**timed)
    return (
        float(librosa.feature.tempo(**timed)[0]),
        float(lags[audio.SAMPLE_RATE // audio.HOP // STEP :].max() / (lags[0] + QUIET)),
        len(found) / audio.WINDOW_SECONDS,
    )


def _key(window: audio.Waveform) -> tuple[float, ...]:
    """Return the clarity of the key, and the difference between major and minor."""
    profile = chroma(window[None])[0].mean(axis=1)
    fits = [max(_fit(profile, np.roll(key, n)) for n in range(12)) for key in (MAJOR, MINOR)]
    return max(fits), fits[0] - fits[1]


def _fit(profile: AnyFloats, key: AnyFloats) -> float:
    """Return the correlation of two profiles; 0 where one is flat."""
    a, b = profile - profile.mean(), key - key.mean()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + QUIET))


def attributes(windows: audio.Windows) -> AnyFloats:
    """Put danceability before the seventeen numbers; [shape=(n, 18)]."""
    return np.concatenate([measured_danceability(windows), seventeen(windows)], axis=1)


def measured_danceability(windows: audio.Windows) -> AnyFloats:
    """Measure danceability as the project does; [shape=(n, 1)], 0 to 1."""
    return np.array([[danceability(window)] for window in windows])


def statistics(windows: audio.Windows) -> AnyFloats:
    """Sum up MFCC, tonnetz, tempo, harmonic and percussive power by seven numbers each."""
    return np.stack([seven_statistics(_curves(window)).ravel() for window in windows])


def _curves(window: audio.Waveform) -> AnyFloats:
    """Return 20 MFCC, 6 dimensions of tonnetz, tempo and two powers, [shape=(29, n_frames)]."""
    amplitude = np.abs(librosa.stft(window, n_fft=audio.N_FFT, hop_length=audio.HOP))
    power = librosa.feature.melspectrogram(S=amplitude**2, sr=audio.SAMPLE_RATE)
    level = librosa.power_to_db(power)
    pitches = librosa.feature.chroma_stft(S=amplitude**2, sr=audio.SAMPLE_RATE, tuning=0.0)
    onsets = librosa.onset.onset_strength(S=level, sr=audio.SAMPLE_RATE, hop_length=audio.HOP)
    tempo = librosa.feature.tempo(
        onset_envelope=onsets, sr=audio.SAMPLE_RATE, hop_length=audio.HOP, aggregate=None
    )
    parts = librosa.decompose.hpss(np.sqrt(power))
    return np.vstack(
        [
            librosa.feature.mfcc(S=level, n_mfcc=N_MFCC),
            librosa.feature.tonnetz(chroma=pitches),
            tempo[: level.shape[1]],
            *(librosa.power_to_db(np.square(part).sum(axis=0)) for part in parts),
        ]
    )


def seven_statistics(curves: AnyFloats) -> AnyFloats:
    """Return mean, deviation, minimum, maximum, median, skewness and kurtosis of curves."""
    mean, deviation = curves.mean(axis=1), curves.std(axis=1)
    standard = (curves - mean[:, None]) / (deviation[:, None] + 1e-6)
    return np.stack(
        [
            mean,
            deviation,
            curves.min(axis=1),
            curves.max(axis=1),
            np.median(curves, axis=1),
            (standard**3).mean(axis=1),
            (standard**4).mean(axis=1),
        ],
        axis=1,
    )


def picture(
    n_rows: int, n_columns: int, axis: Literal["linear", "log"], windows: audio.Windows
) -> AnyFloats:
    """Draw a spectrogram of a number of rows and columns; [shape=(n, n_rows, n_columns)], dB.

    The axis of frequency is linear or logarithmic; a row is the mean power between its edges.
    """
    hop = audio.N_SAMPLES // (n_columns - 1)
    power = np.square(np.abs(librosa.stft(windows, n_fft=audio.N_FFT, hop_length=hop)))
    below = np.pad(power.cumsum(axis=1), ((0, 0), (1, 0), (0, 0)))
    space = np.linspace if axis == "linear" else np.geomspace
    edges = space(audio.F_MIN, audio.F_MAX, n_rows + 1) * audio.N_FFT / audio.SAMPLE_RATE
    whole = edges.astype(int)
    part = (edges - whole)[:, None]
    up_to = below[:, whole] * (1 - part) + below[:, whole + 1] * part
    mean = np.diff(up_to, axis=1) / np.diff(edges)[:, None]
    return np.stack([librosa.power_to_db(each, ref=np.max, top_db=audio.SPAN_DB) for each in mean])


FEATURES = {
    "mel": Feature("64 mel bands, one frame per 0.1 s", mel),
    "chroma": Feature("12 pitch classes, one frame per 0.1 s", chroma),
    "mel by beat": Feature("their median between beats", partial(by_beat, mel)),
    "chroma by beat": Feature("their median between beats", partial(by_beat, chroma)),
    "log-mel": Feature("the project's own spectrogram, 128 x 451", audio.log_mel),
    "seventeen": Feature("17 numbers of level, spectrum, rhythm and key", seventeen),
    "attributes": Feature("the project's danceability, and the 17 numbers", attributes),
    "statistics": Feature(
        "MFCC, tonnetz, tempo, harmonic and percussive power, seven statistics of each", statistics
    ),
    "linear 279 x 271": Feature(
        "spectrogram with a linear frequency axis", partial(picture, 279, 271, "linear")
    ),
    "log 279 x 271": Feature(
        "spectrogram with a logarithmic frequency axis", partial(picture, 279, 271, "log")
    ),
    "log 558 x 543": Feature(
        "the same with a higher resolution", partial(picture, 558, 543, "log")
    ),
    "log 279 x 271, no silences": Feature(
        "the same after silences are removed",
        partial(picture, 279, 271, "log"),
        removes_silences=True,
    ),
}
"""Every feature that is computed from sound alone, by the name that rows use."""
