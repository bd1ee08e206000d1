import numpy as np
import pytest

from service import music
from service.music.key import MAJOR, MINOR, MODES
from tests.service.music.sounds import cadence, noise

ALL_KEYS = [(tonic, mode) for mode in MODES for tonic in range(12)]


def found(waveform):
    return music.keys(music.chroma(music.parts(waveform)))


@pytest.mark.parametrize(("tonic", "mode"), ALL_KEYS)
def test_a_cadence_has_its_key(tonic, mode):
    keys, _ = found(cadence(tonic, mode))
    assert (keys[0].tonic, keys[0].mode) == (tonic, mode)


@pytest.mark.parametrize("a4", [430, 446, 452])
def test_the_tuning_does_not_matter(a4):
    keys, _ = found(cadence(9, "minor", a4))
    assert (keys[0].name, keys[0].mode) == ("A", "minor")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tonic", [1, 6, 11])
def test_transposed_chroma_has_the_same_probabilities(tonic, mode):
    plain = music.chroma([cadence(0, mode)])
    moved = music.Chroma(np.roll(plain.levels, tonic), plain.tuning)
    (keys, none), (others, other_none) = music.keys(plain), music.keys(moved)
    assert other_none == pytest.approx(none)
    expected = {((key.tonic + tonic) % 12, key.mode): key.probability for key in keys}
    assert {(key.tonic, key.mode): key.probability for key in others} == pytest.approx(expected)


@pytest.mark.parametrize("gain", [0.001, 3])
def test_gain_does_not_matter(gain):
    sound = cadence(2, "major")
    (keys, none), (others, other_none) = found(sound), found(np.float32(gain) * sound)
    assert [key.probability for key in others] == pytest.approx(
        [key.probability for key in keys], abs=1e-3
    )
    assert other_none == pytest.approx(none, abs=1e-3)


def test_probabilities_sum_to_one():
    keys, none = found(cadence(5, "minor"))
    assert len(keys) == 24
    assert sum(key.probability for key in keys) + none == pytest.approx(1)


def test_silence_has_no_key():
    assert found(np.zeros(3 * 22_050, np.float32)) == ([], 1)


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_probably_no_key(seed):
    keys, none = found(noise(seed=seed))
    assert none > keys[0].probability


def test_names_and_pitch_classes_belong_together():
    for names in (MAJOR, MINOR):
        assert [music.pitch_class(name) for name in names] == list(range(12))
