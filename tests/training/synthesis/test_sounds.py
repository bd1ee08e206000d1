import numpy as np
import pytest

from service import audio
from training.synthesis import dsp, sounds, speech
from training.synthesis.sounds import KINDS, NEAR_SILENCE_DB, PEAK_DB, SYNTHESISERS, not_music

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
def test_every_kind_is_a_waveform_of_the_right_level(kind, seed):
    sound = not_music(kind, SECONDS, rng(seed))
    assert sound.shape == (SECONDS * audio.SAMPLE_RATE,)
    assert sound.dtype == np.float32
    assert np.isfinite(audio.log_mel(audio.windows(sound))).all()
    low, high = NEAR_SILENCE_DB if kind == "near silence" else PEAK_DB
    peak = audio.levels(sound)[0]
    assert peak <= high + 0.1
    assert peak >= low - 0.1 or kind == "near silence"


@pytest.mark.parametrize("kind", [*WITHOUT_ESPEAK, ESPEAK])
def test_the_seed_determines_the_sound(kind):
    first, again, other = (not_music(kind, 3, rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_steady_noise_is_steadier_than_modulated_noise():
    steady = envelope(dsp.steady_noise(8 * audio.SAMPLE_RATE, rng(2)), 0.2)
    moved = envelope(sounds.modulated_noise(8 * audio.SAMPLE_RATE, rng(2)), 0.2)
    assert steady.std() / steady.mean() < moved.std() / moved.mean()


@pytest.mark.parametrize("seed", range(4))
def test_tones_have_a_line_spectrum_and_knocks_do_not(seed):
    def peakiness(kind):
        power, _ = spectrum(SYNTHESISERS[kind](SECONDS * audio.SAMPLE_RATE, rng(seed)))
        return np.sort(power)[-200:].sum() / power.sum()

    assert peakiness("tones") > 0.4
    assert peakiness("tones") > peakiness("knocks")


def test_hum_has_the_frequency_of_the_mains():
    power, hz = spectrum(dsp.hum(SECONDS * audio.SAMPLE_RATE, rng(0)))
    strongest = hz[np.argmax(power)]
    assert min(abs(strongest / mains - round(strongest / mains)) for mains in (50, 60)) < 0.03


def test_knocks_are_short():
    contrasts = []
    for seed in range(12):
        level = envelope(sounds.knocks(10 * audio.SAMPLE_RATE, rng(seed)), 0.01)
        contrasts.append(np.quantile(level, 0.99) / (np.median(level) + 1e-9))
    assert np.median(contrasts) > 3  # the densest are like applause


def test_near_silence_is_very_quiet():
    peaks = [np.abs(not_music("near silence", 3, rng(seed))).max() for seed in range(30)]
    assert max(peaks) < 2e-3
    assert min(peaks) == 0  # sometimes digital silence


def test_without_espeak_its_kind_is_an_error_and_mixtures_work(monkeypatch):
    monkeypatch.setattr(speech.shutil, "which", lambda program: None)
    assert not speech.espeak_installed()
    with pytest.raises(speech.EspeakMissingError, match="espeak-ng"):
        not_music("espeak", 3, rng())
    assert np.isfinite(not_music("mixture", 3, rng())).all()
