import json

import numpy as np
import pytest

from service import audio
from tools import signals
from training.studies.compare import danceability
from training.studies.compare.danceability import COEFFICIENTS, DESCRIPTORS, FORMULA

SECONDS = 15
N = SECONDS * audio.SAMPLE_RATE
RNG = np.random.default_rng(0)


def hits(times, seconds=SECONDS, seed=0):
    """A kick and a hat at each time; float32 [shape=(seconds * SAMPLE_RATE,)], peak 0.5."""
    rng = np.random.default_rng(seed)
    since = np.arange(audio.SAMPLE_RATE // 4) / audio.SAMPLE_RATE
    kick = np.sin(2 * np.pi * (50 * since - 6 * np.exp(-30 * since))) * np.exp(-15 * since)
    hat = rng.normal(0, 0.3, len(since)) * np.exp(-60 * since)
    mix = np.zeros(seconds * audio.SAMPLE_RATE + len(since))
    for start in (np.asarray(times) * audio.SAMPLE_RATE).astype(int):
        mix[start : start + len(since)] += kick + hat
    mix = mix[: seconds * audio.SAMPLE_RATE]
    return (0.5 * mix / np.abs(mix).max()).astype(np.float32)


def four_on_the_floor(bpm=120, seconds=SECONDS):
    return hits(np.arange(0, seconds, 60 / bpm), seconds)


SILENCE = np.zeros(N, np.float32)
NOISE = RNG.normal(0, 0.1, N).astype(np.float32)
TONE = 0.5 * signals.sine(SECONDS, 440)
AT_RANDOM = hits(np.sort(RNG.uniform(0, SECONDS, 30)))
GROOVE = signals.groove(2 * SECONDS, audio.SAMPLE_RATE)

CLICK = np.zeros(N, np.float32)
CLICK[N // 2] = 1
ODD = {
    "silence": SILENCE,
    "three seconds": SILENCE[: 3 * audio.SAMPLE_RATE],
    "one click": CLICK,
    "a click a sample": np.tile(np.array([1, -1], np.float32), N // 2),
    "constant": np.ones(N, np.float32),
    "full-scale square": np.sign(TONE),
    "nearly silent": 1e-7 * NOISE,
    "far over full scale": 1e4 * NOISE,
    "sound, then silence": np.concatenate([GROOVE[:N], SILENCE]),
}


@pytest.mark.parametrize("bpm", [100, 120, 130])
@pytest.mark.parametrize("other", [AT_RANDOM, TONE, NOISE, SILENCE])
def test_a_steady_beat_is_more_danceable_than_sounds_without_one(bpm, other):
    beat = danceability.danceability(four_on_the_floor(bpm))
    assert beat > danceability.danceability(other) + 0.1


def test_a_groove_is_above_the_median_of_the_corpus():
    assert danceability.danceability(GROOVE) > 0.5


def test_a_beat_is_more_regular_and_clearer_than_random_hits():
    steady = danceability.describe(four_on_the_floor())
    random = danceability.describe(AT_RANDOM)
    assert all(steady[name] > random[name] + 0.3 for name in ("regularity", "clarity"))


def test_half_and_double_tempo_have_similar_regularity():
    scores = [danceability.describe(four_on_the_floor(bpm))["regularity"] for bpm in (60, 120, 240)]
    assert np.ptp(scores) < 0.25


@pytest.mark.parametrize("gain", [1e-2, 0.3, 4])
def test_gain_does_not_matter(gain):
    louder = danceability.danceability((gain * GROOVE).astype(np.float32))
    assert louder == pytest.approx(danceability.danceability(GROOVE), abs=1e-3)


def test_both_halves_of_a_groove_agree_with_the_whole():
    whole, first, second = (
        danceability.danceability(part) for part in (GROOVE, GROOVE[:N], GROOVE[N:])
    )
    assert first == pytest.approx(second, abs=0.05)
    assert min(first, second) - 0.01 <= whole <= max(first, second) + 0.01


@pytest.mark.parametrize("waveform", ODD.values(), ids=ODD.keys())
def test_danceability_of_odd_recordings_is_finite(waveform):
    assert np.isfinite(list(danceability.describe(waveform).values())).all()
    assert 0 <= danceability.danceability(waveform) <= 1


def test_silence_is_not_danceable():
    assert danceability.danceability(SILENCE) < 0.1


def test_a_recording_that_is_too_short_is_an_error():
    with pytest.raises(audio.ClipTooShortError):
        danceability.describe(SILENCE[: 2 * audio.SAMPLE_RATE])


def test_every_descriptor_is_computed():
    assert tuple(danceability.describe(GROOVE)) == DESCRIPTORS


def test_the_coefficients_fit_the_descriptors():
    table = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    assert tuple(table["terms"]) == FORMULA
    assert set(FORMULA) <= set(DESCRIPTORS)
    assert all(term["weight"] >= 0 and term["scale"] > 0 for term in table["terms"].values())
    assert table["scale"] > 0
