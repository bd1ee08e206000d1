import numpy as np
import pytest

from service import audio
from tools import signals
from training.studies.compare import features
from training.studies.compare.features import FEATURES


def windows(*seconds_of_sound):
    return np.concatenate([audio.windows(each) for each in seconds_of_sound])


@pytest.fixture(scope="module")
def grooves():
    return windows(*(signals.groove(4, audio.SAMPLE_RATE, bpm) for bpm in (96, 140)))


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_finite_and_has_one_shape(name, grooves):
    silence = np.zeros((1, audio.N_SAMPLES), np.float32)
    found, silent = (FEATURES[name].extract(each) for each in (grooves, silence))
    assert found.shape == (2, *silent.shape[1:])
    assert np.isfinite(found).all()
    assert np.isfinite(silent).all()
    np.testing.assert_allclose(FEATURES[name].extract(grooves[1:])[0], found[1], atol=1e-3)


def test_chroma_is_highest_at_the_pitch():
    curves = features.chroma(windows(signals.sine(15, 440)))
    assert (curves[0].mean(axis=1).argmax(), curves.shape) == (9, (1, 12, 150))


def test_medians_between_beats_are_shorter(grooves):
    by_beat = FEATURES["mel by beat"].extract(grooves)
    assert by_beat.shape == (2, 64, features.N_BEATS)


@pytest.mark.parametrize("axis", ["linear", "log"])
def test_a_tone_is_at_its_frequency_on_the_axis(axis):
    drawn = features.picture(279, 271, axis, windows(signals.sine(15, 2_000)))
    space = np.linspace if axis == "linear" else np.geomspace
    edges = space(audio.F_MIN, audio.F_MAX, 280)
    row = drawn[0].mean(axis=1).argmax()
    width = audio.SAMPLE_RATE / audio.N_FFT
    assert edges[row] - width <= 2_000 <= edges[row + 1] + width
    assert drawn.max() == pytest.approx(0)


def test_a_faster_groove_has_a_faster_tempo():
    slow, fast = (windows(signals.groove(15, audio.SAMPLE_RATE, bpm)) for bpm in (90, 130))
    tempo = [features.seventeen(each)[0, 12] for each in (slow, fast)]
    assert tempo == pytest.approx([90, 130], rel=0.05)


def test_seven_statistics():
    curves = np.array([[0.0, 0, 0, 4], [1, 1, 1, 1]])
    seven = features.seven_statistics(curves)
    np.testing.assert_allclose(seven[0, :5], [1, np.sqrt(3), 0, 4, 0])
    assert seven[0, 5] == pytest.approx(2 / np.sqrt(3), rel=1e-3)
    np.testing.assert_allclose(seven[1], [1, 0, 1, 1, 1, 0, 0])
