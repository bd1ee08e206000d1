"""The domain: an encoded recording -> what a model hears in it. No HTTP here."""

from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from service import audio
from service.card import Emotion
from service.model import Model, Scores
from service.schemas import Analysis, AudioFacts, GenreProbability, ModelName, Timings
from service.verdict import decide, reason

PROBES = Path(__file__).parent / "probes"

PROBABILITY_DIGITS = 7  # nine rounded probabilities still sum to 1 within 1e-6
SCORE_DIGITS = 4
LEVEL_DIGITS = 1  # dB
SECONDS_DIGITS = 3
MILLISECONDS_DIGITS = 2


class ProbeError(RuntimeError):
    """A file that belongs to the service cannot be decoded: the installation is broken."""


def analyse(data: bytes, model: Model, bounds: audio.Bounds = audio.UNBOUNDED) -> Analysis:
    """Say what a model hears in a recording.

    Parameters
    ----------
    data : bytes
        A whole file in one of `audio.FORMATS`.
    model : Model
    bounds : audio.Bounds
        Its check is called between the stages, too.

    Returns
    -------
    analysis : Analysis
        The mean over the recording's windows, whatever the verdict on it.

    Raises
    ------
    audio.AudioError
        If the recording cannot be analysed.
    """
    started = perf_counter()
    recording = audio.decode(data, bounds)
    decoded = perf_counter()
    bounds.check()
    spectrograms = audio.log_mel(audio.windows(recording.waveform))
    transformed = perf_counter()
    bounds.check()
    scores = model.score(spectrograms)
    scored = perf_counter()
    peak, rms = audio.levels(recording.waveform)
    genres = _ranked(model.card.genres, scores)
    music, known = (float(each.mean(dtype=np.float64)) for each in (scores.music, scores.known))
    probabilities = [genre.probability for genre in genres]
    verdict = decide(peak, music, known, probabilities, model.card.thresholds)
    return Analysis(
        verdict=verdict,
        reason=reason(verdict, [genre.genre for genre in genres]),
        genre=genres[0].genre,
        genres=genres,
        music=round(music, SCORE_DIGITS),
        known=round(known, SCORE_DIGITS),
        **_emotions(model.card.emotions, scores),
        audio=_facts(recording, peak, rms),
        model=ModelName(name=model.card.name, version=model.card.version, digest=model.digest),
        timings=Timings(
            decode_ms=_milliseconds(started, decoded),
            spectrogram_ms=_milliseconds(decoded, transformed),
            inference_ms=_milliseconds(transformed, scored),
        ),
    )


def _ranked(names: list[str], scores: Scores) -> list[GenreProbability]:
    """Average genres over the windows, the most probable first."""
    mean: NDArray[np.float64] = scores.genres.mean(axis=0, dtype=np.float64)
    probabilities = (mean / mean.sum()).round(PROBABILITY_DIGITS).tolist()
    genres = [
        GenreProbability(genre=name, probability=probability)
        for name, probability in zip(names, probabilities, strict=True)
    ]
    return sorted(genres, key=lambda genre: -genre.probability)


def _emotions(names: list[Emotion], scores: Scores) -> dict[Emotion, float]:
    """Average the emotions that a model has learnt over the windows, by name."""
    mean = scores.emotion.mean(axis=0, dtype=np.float64).round(SCORE_DIGITS)
    return dict(zip(names, mean.tolist(), strict=True))


def _facts(recording: audio.Recording, peak: float, rms: float) -> AudioFacts:
    """Describe what was decoded; its levels are in dBFS."""
    return AudioFacts(
        container=recording.container,
        codec=recording.codec,
        sample_rate=recording.sample_rate,
        channels=recording.channels,
        duration_seconds=round(recording.duration_seconds, SECONDS_DIGITS),
        analysed_seconds=round(audio.analysed_seconds(len(recording.waveform)), SECONDS_DIGITS),
        truncated=recording.truncated,
        peak_dbfs=round(peak, LEVEL_DIGITS),
        rms_dbfs=round(rms, LEVEL_DIGITS),
    )


def _milliseconds(start: float, end: float) -> float:
    """Return the time between two readings of `perf_counter`, in ms."""
    return round(1_000 * (end - start), MILLISECONDS_DIGITS)


def warm_up(models: Iterable[Model]) -> None:
    """Prove that the installation works, and load what is loaded at first use.

    Decodes what phones send, a WebM with Opus and an MP4 with AAC, and has every model answer.

    Raises
    ------
    ProbeError
        If one of the two files is missing or cannot be decoded.
    service.model.ModelMismatchError
        If a model answers otherwise than when it was exported.
    """
    for name in ("probe.webm", "probe.m4a"):
        try:
            audio.decode((PROBES / name).read_bytes())
        except (OSError, audio.AudioError) as error:
            raise ProbeError(f"{name} cannot be decoded: {error}") from error
    for model in models:
        model.verify()
