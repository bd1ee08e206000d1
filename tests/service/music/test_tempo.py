import numpy as np
import pytest

from service import audio, music
from tests.service.music.sounds import clicks, noise
from tools import signals


def found(waveform):
    return music.tempi(music.tempogram(music.parts(waveform)))


@pytest.mark.parametrize("bpm", [80, 97, 110, 124, 133.3, 150])
def test_the_tempo_of_a_groove_is_exact(bpm):
    tempo = found(signals.groove(15, audio.SAMPLE_RATE, bpm))
    assert tempo.bpm[0] == pytest.approx(bpm, rel=0.005)


@pytest.mark.parametrize("bpm", [50, 70, 90, 120, 140, 170, 200])
def test_the_tempo_of_clicks_is_among_the_candidates(bpm):
    tempo = found(clicks(bpm))
    assert np.abs(tempo.bpm / bpm - 1).min() < 0.01


@pytest.mark.parametrize("bpm", [70, 120, 140])
def test_half_or_double_is_a_candidate(bpm):
    bpms = found(clicks(bpm)).bpm
    octaves = np.abs(np.log2(bpms[:, None] / bpms[None]))
    assert (np.abs(octaves - 1) < 0.05).any()


def test_probabilities_fall_and_leave_room_for_none():
    tempo = found(signals.groove(15, audio.SAMPLE_RATE, 118))
    assert (np.diff(tempo.probabilities) <= 0).all()
    assert 0 < tempo.probabilities.sum() + tempo.none <= 1 + 1e-9


@pytest.mark.parametrize("gain", [0.001, 10])
def test_gain_does_not_matter(gain):
    sound = signals.groove(15, audio.SAMPLE_RATE, 124)
    plain, other = found(sound), found(np.float32(gain) * sound)
    assert other.bpm == pytest.approx(plain.bpm, rel=1e-3)
    assert other.probabilities == pytest.approx(plain.probabilities, abs=1e-3)


def test_silence_has_no_candidate():
    tempo = found(np.zeros(15 * audio.SAMPLE_RATE, np.float32))
    assert (len(tempo.bpm), tempo.none) == (0, 1)


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_probably_no_beat(seed):
    tempo = found(noise(seed=seed))
    assert tempo.none > tempo.probabilities[0]


@pytest.mark.parametrize("seconds", [3, 7, 20, 60])
def test_any_length_has_the_tempo(seconds):
    tempo = found(signals.groove(seconds, audio.SAMPLE_RATE, 124))
    assert np.abs(tempo.bpm / 124 - 1).min() < 0.01


@pytest.mark.parametrize(
    ("seconds", "count", "part"),
    [(3, 1, 3), (15, 1, 15), (22, 1, 15), (23, 2, 15), (30, 2, 15), (61, 4, 15), (600, 8, 15)],
)
def test_the_parts_of_a_recording(seconds, count, part):
    waveform = np.arange(seconds * audio.SAMPLE_RATE, dtype=np.float32)
    parts = music.parts(waveform)
    assert [len(each) for each in parts] == [part * audio.SAMPLE_RATE] * count
    if count == 1:
        assert parts[0].mean() == pytest.approx(waveform.mean(), abs=1)
    else:
        assert (parts[0][0], parts[-1][-1]) == (waveform[0], waveform[-1])
    assert all(np.shares_memory(each, waveform) for each in parts)
