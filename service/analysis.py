"""The domain: an encoded recording -> its analysis by a model. No HTTP here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from service import audio
from service.card import Card, EmbeddingSpace, Emotion
from service.features import describe
from service.heads import Head
from service.model import Scorer, Scores
from service.mood import Middle, middle_of, mood_of
from service.quality import warnings_of
from service.schemas import (
    Analysis,
    AudioFacts,
    EmbeddingFound,
    EmotionRange,
    GenreProbability,
    HeardWindow,
    ModelName,
    Timings,
)
from service.taxonomy import MODELS_OWN, Taxonomy
from service.verdict import decide, reason

PROBES = Path(__file__).parent / "probes"

PROBABILITY_DIGITS = 7  # nine rounded probabilities still sum to 1 within 1e-6
SCORE_DIGITS = 4
EMBEDDING_DIGITS = 5  # the cosine of two recordings is within 1e-4
LEVEL_DIGITS = 1  # dB
PERCENTILE_DIGITS = 1
SECONDS_DIGITS = 3
MILLISECONDS_DIGITS = 2


@dataclass(frozen=True)
class Names:
    """Names of the columns of `Scores`, and the borders of the moods."""

    genres: list[str]
    emotions: list[Emotion]
    middle: Middle


@dataclass(frozen=True)
class Heard:
    """The first windows of a recording, already transformed and scored.

    Attributes
    ----------
    spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB
    scores : Scores
    seconds : tuple of float
        Time that decoding, spectrograms and scores took.
    """

    spectrograms: audio.Spectrograms
    scores: Scores | None
    seconds: tuple[float, float, float]

    def first(self, count: int) -> "Heard":
        """Return at most so many windows."""
        scores = self.scores.windows(0, count) if self.scores and count else None
        return Heard(self.spectrograms[:count], scores, self.seconds)


NOTHING_HEARD = np.empty((0, audio.N_MELS, audio.N_FRAMES), np.float32)


class ProbeError(RuntimeError):
    """A file that belongs to the service cannot be decoded: the installation is broken."""


def analyze(
    data: bytes | BinaryIO,
    model: Scorer,
    bounds: audio.Bounds = audio.UNBOUNDED,
    taxonomy: Taxonomy = MODELS_OWN,
    *,
    timeline: bool = False,
    embedding: bool = False,
    head: Head | None = None,
) -> Analysis:
    """Analyse a recording with a model.

    Parameters
    ----------
    data : bytes or file
        A whole file in one of `audio.FORMATS`.
    model : Scorer
    bounds : audio.Bounds
        Its check is also called between the stages.
    taxonomy : Taxonomy
        The verdict is about the genres of this taxonomy.
    timeline : bool
        Whether to include the scores of each window.
    embedding : bool
        Whether to include the embedding.
    head : Head or None
        Its labels are included.

    Returns
    -------
    analysis : Analysis
        Means over the windows that hold sound, whatever the verdict is.

    Raises
    ------
    audio.AudioError
        If the recording cannot be analysed.
    service.model.NoEmbeddingError
        If the embedding or a head is requested, and the model has none.
    service.heads.OtherSpaceError
        If the head does not belong to the model.
    """
    if embedding or head:
        model.space()
    if head:
        head.require(model)
    started = perf_counter()
    recording = audio.decode(data, bounds)
    heard = Heard(NOTHING_HEARD, None, (perf_counter() - started, 0, 0))
    return conclude(
        recording,
        heard,
        model,
        bounds.check,
        taxonomy,
        timeline=timeline,
        embedding=embedding,
        head=head,
    )


def conclude(
    recording: audio.Recording,
    heard: Heard,
    model: Scorer,
    check: Callable[[], None],
    taxonomy: Taxonomy,
    *,
    timeline: bool,
    embedding: bool,
    head: Head | None = None,
) -> Analysis:
    """Analyse a decoded recording; as `analyze`.

    Parameters
    ----------
    recording : audio.Recording
    heard : Heard
        Its windows so far; they are not computed again.
    model, taxonomy, timeline, embedding, head
        As of `analyze`.
    check : callable
        Called between the stages.
    """
    check()
    started = perf_counter()
    cut = audio.cut(recording.waveform)
    heard = heard.first(len(recording.waveform) // audio.N_SAMPLES)
    sounding = cut.sounding(model.card.thresholds.silence_dbfs)
    spectrograms = _all_spectrograms(cut, heard)
    transformed = perf_counter()
    check()
    scores = _all_scores(model, spectrograms, heard)
    scored = perf_counter()
    scores, names = named(scores, model.card, taxonomy)
    chosen = scores.chosen(sounding) if sounding.any() else scores
    answer = summary(cut, chosen, names, model.card)
    space = model.space() if embedding or head else None
    check()
    members = describe(recording, answer["verdict"])
    described = perf_counter()
    decode, transform, score = heard.seconds
    timings = Timings(
        decode_ms=_milliseconds(decode),
        spectrogram_ms=_milliseconds(transform + transformed - started),
        inference_ms=_milliseconds(score + scored - transformed),
        music_ms=_milliseconds(described - scored),
    )
    members["features"] = members["features"].model_copy(update=_learned(chosen, model.card))
    return Analysis(
        **answer,
        **members,
        warnings=warnings_of(recording, spectrograms[sounding]),
        timeline=timeline_of(cut, scores, names, sounding) if timeline else None,
        **_compared(chosen, space, head, embedding=embedding, silent=not sounding.any()),
        audio=_facts(recording, cut.seconds(sounding)),
        model=ModelName(name=model.card.name, version=model.card.version, digest=model.digest),
        timings=timings,
    )


def _all_spectrograms(cut: audio.Cut, heard: Heard) -> audio.Spectrograms:
    """Return the spectrograms of all windows; those that were heard are there already."""
    rest = cut.windows[len(heard.spectrograms) :]
    if not len(rest):
        return heard.spectrograms
    new = audio.log_mel(rest)
    return np.concatenate([heard.spectrograms, new]) if len(heard.spectrograms) else new


def _all_scores(model: Scorer, spectrograms: audio.Spectrograms, heard: Heard) -> Scores:
    """Return the scores of all windows; those that were heard are there already."""
    rest = spectrograms[len(heard.spectrograms) :]
    known = [heard.scores] if heard.scores else []
    return Scores.together([*known, model.score(rest)] if len(rest) else known)


def named(scores: Scores, card: Card, taxonomy: Taxonomy) -> tuple[Scores, Names]:
    """Return scores about the genres of a taxonomy, and the names of their columns."""
    merged = replace(scores, genres=taxonomy.merge(card.genres, scores.genres))
    return merged, Names(taxonomy.rename(card.genres), card.emotions, middle_of(card))


def summary(cut: audio.Cut, scores: Scores, names: Names, card: Card) -> dict[str, Any]:
    """Return the members of an analysis that describe the whole recording.

    Parameters
    ----------
    cut : audio.Cut
        Only its levels are read.
    scores : Scores
        Of the windows that hold sound, with genres of the taxonomy.
    names : Names
    card : Card
    """
    genres = _ranked(names.genres, scores.genres)
    music, known = _mean(scores.music), _mean(scores.known)
    probabilities = [genre.probability for genre in genres]
    verdict = decide(float(cut.peaks_dbfs.max()), music, known, probabilities, card.thresholds)
    return {
        "verdict": verdict,
        "reason": reason(verdict, [genre.genre for genre in genres]),
        **_averages(scores, names),
        "emotion": _ranges(scores, card),
    }


def _learned(scores: Scores, card: Card) -> dict[str, float]:
    """Average the audio-features that the model predicts over the windows."""
    names: list[str] = [*card.emotions, *card.features]
    return dict(zip(names, [*_means(scores.emotion), *_means(scores.features)], strict=True))


def _compared(
    scores: Scores,
    space: EmbeddingSpace | None,
    head: Head | None,
    *,
    embedding: bool,
    silent: bool,
) -> dict[str, Any]:
    """Return the members of the analysis that depend on the embedding."""
    if space is None:
        return {}
    vector = _embedding(scores, space)
    labels, found = head.judge(vector.values, silent=silent) if head else (None, None)
    return {"embedding": vector if embedding else None, "labels": labels, "head": found}


def _embedding(scores: Scores, space: EmbeddingSpace) -> EmbeddingFound:
    """Return the mean embedding of the windows, scaled to length 1."""
    mean = scores.embedding.mean(axis=0, dtype=np.float64)
    unit = mean / max(float(np.linalg.norm(mean)), np.finfo(float).tiny)
    return EmbeddingFound(space=space.space, values=unit.round(EMBEDDING_DIGITS).tolist())


def _averages(scores: Scores, names: Names) -> dict[str, Any]:
    """Average scores over the windows, and return them by name."""
    genres = _ranked(names.genres, scores.genres)
    means = _means(scores.emotion)
    emotions: dict[str, float] = dict(zip(names.emotions, means, strict=True))
    return {
        "genre": genres[0].genre,
        "genres": genres,
        "music": round(_mean(scores.music), SCORE_DIGITS),
        "known": round(_mean(scores.known), SCORE_DIGITS),
        **emotions,
        "mood": mood_of(emotions.get("valence"), emotions.get("energy"), names.middle),
    }


def _means(scores: NDArray[np.float32]) -> list[float]:
    """Average each column over windows, rounded."""
    means: list[float] = scores.mean(axis=0, dtype=np.float64).round(SCORE_DIGITS).tolist()
    return means


def _mean(values: NDArray[np.float32]) -> float:
    """Average over windows."""
    return float(values.mean(dtype=np.float64))


def _ranked(names: list[str], scores: NDArray[np.floating]) -> list[GenreProbability]:
    """Average genres over the windows, and sort them by probability."""
    mean: NDArray[np.float64] = scores.mean(axis=0, dtype=np.float64)
    probabilities = (mean / mean.sum()).round(PROBABILITY_DIGITS).tolist()
    genres = [
        GenreProbability(genre=name, probability=probability)
        for name, probability in zip(names, probabilities, strict=True)
    ]
    return sorted(genres, key=lambda genre: -genre.probability)


def _ranges(scores: Scores, card: Card) -> dict[Emotion, EmotionRange]:
    """Return the interval of each emotion, and its percentile in the reference corpus."""
    means = scores.emotion.mean(axis=0, dtype=np.float64).tolist()
    return {
        emotion: EmotionRange(
            low=round(max(0.0, mean - card.intervals[emotion]), SCORE_DIGITS),
            high=round(min(1.0, mean + card.intervals[emotion]), SCORE_DIGITS),
            percentile=percentile(mean, card.percentiles.get(emotion)),
        )
        for emotion, mean in zip(card.emotions, means, strict=True)
    }


def percentile(score: float, corpus: list[float] | None) -> float | None:
    """Return the percentile of a score in a corpus.

    Parameters
    ----------
    score : float
    corpus : list of float [shape=(101,)] or None
        The scores at the percentiles of the corpus.

    Returns
    -------
    percentile : float or None
        Linearly interpolated. If several percentiles equal the score, it is their mean.
    """
    if corpus is None:
        return None
    equal = np.flatnonzero(np.asarray(corpus) == score)
    rank = equal.mean() if len(equal) else np.interp(score, corpus, np.arange(len(corpus)))
    return round(float(rank), PERCENTILE_DIGITS)


def timeline_of(
    cut: audio.Cut, scores: Scores, names: Names, sounding: NDArray[np.bool_]
) -> list[HeardWindow]:
    """Return the scores of each window."""
    return [
        HeardWindow(
            start_seconds=round(start / audio.SAMPLE_RATE, SECONDS_DIGITS),
            end_seconds=round(end / audio.SAMPLE_RATE, SECONDS_DIGITS),
            silence=not sounding[index],
            **_averages(scores.windows(index, index + 1), names),
        )
        for index, (start, end) in enumerate(zip(cut.starts, cut.ends, strict=True))
    ]


def _facts(recording: audio.Recording, analysed_seconds: float) -> AudioFacts:
    """Return the facts of the decoded audio."""
    return AudioFacts(
        container=recording.container,
        codec=recording.codec,
        sample_rate=recording.sample_rate,
        channels=recording.channels,
        duration_seconds=round(recording.duration_seconds, SECONDS_DIGITS),
        analysed_seconds=round(analysed_seconds, SECONDS_DIGITS),
        truncated=recording.truncated,
        peak_dbfs=round(recording.peak_dbfs, LEVEL_DIGITS),
        rms_dbfs=round(recording.rms_dbfs, LEVEL_DIGITS),
    )


def _milliseconds(seconds: float) -> float:
    """Return a time in ms."""
    return round(1_000 * seconds, MILLISECONDS_DIGITS)


def warm_up(models: Iterable[Scorer]) -> None:
    """Check the installation, and load everything that is loaded at first use.

    This decodes the formats that phones send, WebM with Opus and MP4 with AAC, and verifies every
    model.

    Raises
    ------
    ProbeError
        If one of the two files is missing or cannot be decoded.
    service.model.ModelMismatchError
        If the scores of a model differ from those at its export.
    """
    for name in ("probe.webm", "probe.m4a"):
        try:
            audio.decode((PROBES / name).read_bytes())
        except (OSError, audio.AudioError) as error:
            raise ProbeError(f"{name} cannot be decoded: {error}") from error
    for model in models:
        model.verify()
