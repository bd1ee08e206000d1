import numpy as np
import pytest

from service import audio
from tools import signals
from training.data import takes
from training.data.corpus import Track

RATE = audio.SAMPLE_RATE


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


def remaining_seconds(*parts):
    return len(takes.remove_silences(np.concatenate(parts))) / RATE


def test_long_silences_are_removed():
    parts = (silence(3), signals.sine(4), silence(2), signals.sine(5), silence(4))
    assert remaining_seconds(*parts) == pytest.approx(9, abs=0.25)


def test_short_rests_stay():
    remaining = remaining_seconds(signals.sine(4), silence(0.8), signals.sine(4))
    assert remaining == pytest.approx(8.8, abs=0.1)


@pytest.mark.parametrize("gain", [1, 1e-2, 1e-3])
def test_silences_are_removed_at_any_level(gain):
    remaining = remaining_seconds(gain * signals.sine(4), silence(5), gain * signals.sine(4))
    assert remaining == pytest.approx(8, abs=0.25)


def test_nothing_remains_of_digital_silence():
    assert remaining_seconds(silence(5)) == 0


def test_takes_differ_as_defined(tmp_path):
    track = Track("a", tmp_path / "a.wav", "a", "train")
    waveform = np.concatenate([signals.groove(8, RATE), silence(6), signals.groove(8, RATE)])
    found = {take: takes.take_spectrograms(track, waveform, take) for take in takes.TAKES}
    n_windows = {take: len(spectrograms) for take, spectrograms in found.items()}
    assert n_windows == {"trimmed": 1, "raw": 2, "phone": 2}  # 16 s of sound remain
    np.testing.assert_array_equal(found["raw"], audio.log_mel(audio.windows(waveform)))
    again = takes.take_spectrograms(track, waveform, "phone")
    np.testing.assert_array_equal(found["phone"], again)
    assert not np.allclose(found["phone"][0], found["raw"][0], atol=1)
