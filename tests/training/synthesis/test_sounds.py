import numpy as np
import pytest
from scipy.signal import lfilter

from service import audio
from training.synthesis import dsp, sounds, speech
from training.synthesis.sounds import KINDS, MAKERS, NEAR_SILENCE_DB, PEAK_DB, not_music

SECONDS = 6
WITHOUT_ESPEAK = [kind for kind in KINDS if kind != "espeak"]
ESPEAK = pytest.param(
    "espeak",
    marks=pytest.mark.skipif(
        not speech.espeak_installed(),
        reason="espeak-ng is not installed: its speech was not tested (apt install espeak-ng)",
    ),
)


def rng(seed=0):
    return np.random.default_rng(seed)


def envelope(waveform, seconds=0.02):
    """RMS of blocks."""
    block = round(seconds * audio.SAMPLE_RATE)
    blocks = waveform[: len(waveform) // block * block].reshape(-1, block)
    return np.sqrt(np.square(blocks).mean(axis=1))


def spectrum(waveform):
    """Power, and the frequency of each bin."""
    power = np.square(np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))))
    return power, np.fft.rfftfreq(len(waveform), 1 / audio.SAMPLE_RATE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [*WITHOUT_ESPEAK, ESPEAK])
def test_every_kind_is_a_waveform(kind, seed):
    made = not_music(kind, SECONDS, rng(seed))
    assert made.shape == (SECONDS * audio.SAMPLE_RATE,)
    assert made.dtype == np.float32
    assert np.isfinite(audio.log_mel(audio.windows(made))).all()
    low, high = NEAR_SILENCE_DB if kind == "near silence" else PEAK_DB
    peak = audio.levels(made)[0]
    assert peak <= high + 0.1
    assert peak >= low - 0.1 or kind == "near silence"


@pytest.mark.parametrize("kind", [*WITHOUT_ESPEAK, ESPEAK])
def test_a_seed_says_what_comes_out(kind):
    first, again, other = (not_music(kind, 3, rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


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
    """What repeats from beat to beat in a groove does not in speech."""
    strengths = []
    for seed in range(4):
        level = envelope(not_music(kind, 15, rng(seed)))
        level = level - level.mean()
        likeness = np.correlate(level, level, "full")[len(level) - 1 :]
        strengths.append((likeness[20:100] / likeness[0]).max())
    assert np.mean(strengths) < 0.5


def test_speakers_differ():
    speakers = [speech.speaker(rng(seed)) for seed in range(200)]
    pitches = np.array([speaker.pitch for speaker in speakers])
    tracts = np.array([speaker.tract for speaker in speakers])
    assert pitches.min() < 100
    assert pitches.max() > 280
    assert tracts.max() / tracts.min() > 1.4
    assert np.corrcoef(pitches, tracts)[0, 1] > 0.5  # the small have high voices


def test_a_vowel_has_the_formants_it_was_given():
    who = speech.speaker(rng())
    formants = np.array([[500.0], [1_500.0], [2_500.0]])
    gain = speech._resonances(who, formants)[:, 0]
    hz = np.linspace(0, audio.SAMPLE_RATE / 2, len(gain))
    for formant in formants[:, 0] * who.tract:
        near = np.abs(hz - formant) < 250
        assert abs(hz[near][np.argmax(gain[near])] - formant) < 60


def test_speech_is_at_its_speakers_pitch():
    who = speech.speaker(rng(1))
    said = speech.spoken(who, 10 * audio.SAMPLE_RATE, rng(1))
    period = audio.SAMPLE_RATE / who.pitch
    loud = np.argmax(envelope(said, 0.1)[5:-5]) + 5
    piece = said[round(loud * 0.1 * audio.SAMPLE_RATE) :][:2_205]
    piece = lfilter([1, -0.9], [1], piece)
    likeness = np.correlate(piece, piece, "full")[len(piece) - 1 :]
    lags = np.arange(int(period / 1.8), int(period * 1.8))
    assert likeness[lags].max() > 0.4 * likeness[0]


def test_a_colour_is_steady_and_a_modulated_one_is_not():
    steady = envelope(dsp.steady_noise(8 * audio.SAMPLE_RATE, rng(2)), 0.2)
    moved = envelope(sounds.modulated_noise(8 * audio.SAMPLE_RATE, rng(2)), 0.2)
    assert steady.std() / steady.mean() < moved.std() / moved.mean()


@pytest.mark.parametrize("seed", range(4))
def test_tones_are_lines_and_knocks_are_not(seed):
    def peakiness(kind):
        power, _ = spectrum(MAKERS[kind](SECONDS * audio.SAMPLE_RATE, rng(seed)))
        return np.sort(power)[-200:].sum() / power.sum()

    assert peakiness("tones") > 0.4
    assert peakiness("tones") > peakiness("knocks")


def test_a_room_hums_at_the_mains():
    power, hz = spectrum(dsp.hum(SECONDS * audio.SAMPLE_RATE, rng(0)))
    strongest = hz[np.argmax(power)]
    assert min(abs(strongest / mains - round(strongest / mains)) for mains in (50, 60)) < 0.03


def test_knocks_come_at_irregular_times():
    contrasts = []
    for seed in range(12):
        level = envelope(sounds.knocks(10 * audio.SAMPLE_RATE, rng(seed)), 0.01)
        contrasts.append(np.quantile(level, 0.99) / (np.median(level) + 1e-9))
    assert np.median(contrasts) > 3  # the densest are applause


def test_near_silence_is_near_silence():
    peaks = [np.abs(not_music("near silence", 3, rng(seed))).max() for seed in range(30)]
    assert max(peaks) < 2e-3
    assert min(peaks) == 0  # now and then digital silence


def test_without_espeak_it_says_so(monkeypatch):
    monkeypatch.setattr(speech.shutil, "which", lambda program: None)
    assert not speech.espeak_installed()
    with pytest.raises(speech.EspeakMissingError, match="espeak-ng"):
        not_music("espeak", 3, rng())
    assert np.isfinite(not_music("mixture", 3, rng())).all()
