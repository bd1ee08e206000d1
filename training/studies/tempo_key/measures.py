"""How right tempi and keys are, clip by clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.music.fitted import TempoRanker
from training.studies.tempo_key.clips import Clip, Heard, Sound, halves
from training.studies.tempo_key.fit import RIGHT, fit_key, fit_tempo
from training.types import Floats, Indices

OCTAVES = (1, 2, 3, 1 / 2, 1 / 3)  # a tempo that is right within one of these counts for Accuracy2
HALF_AND_DOUBLE = (1, 2, 1 / 2)


@dataclass(frozen=True)
class Estimates:
    """The answers to the same clips, or sounds.

    Attributes
    ----------
    bpm : float64 [shape=(n,)]
        NaN without a candidate.
    key : int64 [shape=(n,)]
    tempo_confidence, key_confidence : float64 [shape=(n,)]
        Probability of the answer.
    no_tempo, no_key : float64 [shape=(n,)]
        Probability that there is none.
    """

    bpm: Floats
    key: Indices
    tempo_confidence: Floats
    key_confidence: Floats
    no_tempo: Floats
    no_key: Floats


@dataclass(frozen=True)
class HeldOut:
    """The answers of models that were fitted to other artists.

    Attributes
    ----------
    middle, whole : Estimates
        For the middle 15 s, and for the parts that the service listens to.
    sounds : Estimates
        For the sounds that were not fitted, of both halves.
    """

    middle: Estimates
    whole: Estimates
    sounds: Estimates


def held_out(clips: Sequence[Clip], sounds: Sequence[Sound], seed: int) -> HeldOut:
    """Fit on one half of the artists and answer for the other, both ways."""
    half = halves(clips, np.random.default_rng(seed))
    answers: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = {}
    to_sounds: list[tuple[float, ...]] = []
    for side in (0, 1):
        fitted = [clip for clip, its in zip(clips, half, strict=True) if its != side]
        ranker = fit_tempo(fitted, sounds[side::2], seed)
        weights = fit_key(fitted, sounds[side::2])
        for index in np.flatnonzero(half == side).tolist():
            clip = clips[index]
            answers[index] = (
                _answer(clip.middle, ranker, weights),
                _answer(clip.whole, ranker, weights),
            )
        to_sounds += [_answer(sound.heard, ranker, weights) for sound in sounds[1 - side :: 2]]
    ordered = [answers[index] for index in range(len(clips))]
    return HeldOut(
        _estimates([middle for middle, _ in ordered]),
        _estimates([whole for _, whole in ordered]),
        _estimates(to_sounds),
    )


def _answer(heard: Heard, ranker: TempoRanker, weights: Floats) -> tuple[float, ...]:
    scores = heard.key_features @ weights
    keys = np.exp(scores - scores.max())
    keys /= keys.sum()
    key = int(np.argmax(keys[:-1]))
    if not len(heard.tempi):
        return np.nan, key, 0.0, keys[key], 1.0, keys[-1]
    tempi = ranker.probabilities(heard.tempo_features)
    best = int(np.argmax(tempi[:-1]))
    return heard.tempi[best], key, tempi[best], keys[key], tempi[-1], keys[-1]


def _estimates(answers: Sequence[tuple[float, ...]]) -> Estimates:
    bpm, key, *others = np.array(answers).T
    return Estimates(bpm, key.astype(np.int64), *others)


def tempo_right(bpm: Floats, truth: Floats, ratios: Sequence[float] = (1,)) -> Floats:
    """Return 1 where a tempo, or a multiple of it, is within `RIGHT` of the truth, else 0."""
    relative = bpm[:, None] * np.array(ratios) / truth[:, None]
    return np.asarray(np.any(np.abs(relative - 1) <= RIGHT, axis=1), np.float64)


def key_score(key: Indices, truth: Indices) -> Floats:
    """Return MIREX's weighted score: 1 for the key, 0.5 for a key a fifth away.

    The relative key scores 0.3, the parallel key 0.2, any other key 0.
    """
    return np.array([_score(int(ours), int(its)) for ours, its in zip(key, truth, strict=True)])


def _score(ours: int, truth: int) -> float:
    interval = (ours - truth) % 12
    same_mode = ours // 12 == truth // 12
    if same_mode:
        return {0: 1.0, 5: 0.5, 7: 0.5}.get(interval, 0.0)
    return {0: 0.2, 9 if truth < 12 else 3: 0.3}.get(interval, 0.0)


def relative_major(key: Indices) -> Indices:
    """Return the tonic of the major key with the same signature."""
    return np.where(key < 12, key, (key + 3) % 12)
