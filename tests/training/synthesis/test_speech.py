import numpy as np
import pytest
from scipy.signal import lfilter

from service import audio
from tests.training.synthesis.test_sounds import ESPEAK, envelope, rng
from training.synthesis import speech
from training.synthesis.sounds import not_music


@pytest.mark.parametrize("kind", ["formant speech", ESPEAK])
def test_speech_has_pauses_and_syllables(kind):
    quiet, changes = [], []
    for seed in range(5):
        level = envelope(not_music(kind, 12, rng(seed)))
        level_db = 20 * np.log10(level / np.quantile(level, 0.9) + 1e-6)
        quiet.append((level_db < -18).mean())
        changes.append(np.sum(np.diff((level_db > -10).astype(int)) == 1) / 12)
    assert 0.1 < np.mean(quiet) < 0.7
    assert 1 < np.mean(changes) < 8  # a second


@pytest.mark.parametrize("kind", ["formant speech", ESPEAK])
def test_speech_has_no_beat(kind):
    """The envelope of speech does not repeat, unlike that of a groove."""
    strengths = []
    for seed in range(4):
        level = envelope(not_music(kind, 15, rng(seed)))
        level = level - level.mean()
        likeness = np.correlate(level, level, "full")[len(level) - 1 :]
        strengths.append((likeness[20:100] / likeness[0]).max())
    assert np.mean(strengths) < 0.5


def test_voices_differ():
    speakers = [speech.speaker(rng(seed)) for seed in range(200)]
    pitches = np.array([speaker.pitch for speaker in speakers])
    tracts = np.array([speaker.tract for speaker in speakers])
    assert pitches.min() < 100
    assert pitches.max() > 280
    assert tracts.max() / tracts.min() > 1.4
    assert np.corrcoef(pitches, tracts)[0, 1] > 0.5  # small speakers have high voices


def test_a_vowel_has_the_requested_formants():
    who = speech.speaker(rng())
    formants = np.array([[500.0], [1_500.0], [2_500.0]])
    gain = speech.tract_gain(who, formants)[:, 0]
    hz = np.linspace(0, audio.SAMPLE_RATE / 2, len(gain))
    for formant in formants[:, 0] * who.tract:
        near = np.abs(hz - formant) < 250
        assert abs(hz[near][np.argmax(gain[near])] - formant) < 60


def test_speech_has_the_pitch_of_the_voice():
    who = speech.speaker(rng(1))
    waveform = speech.speak(who, 10 * audio.SAMPLE_RATE, rng(1))
    period = audio.SAMPLE_RATE / who.pitch
    loud = np.argmax(envelope(waveform, 0.1)[5:-5]) + 5
    piece = waveform[round(loud * 0.1 * audio.SAMPLE_RATE) :][:2_205]
    piece = lfilter([1, -0.9], [1], piece)
    likeness = np.correlate(piece, piece, "full")[len(piece) - 1 :]
    lags = np.arange(int(period / 1.8), int(period * 1.8))
    assert likeness[lags].max() > 0.4 * likeness[0]
