import numpy as np
import pytest

from service import audio
from tests.training.synthesis.test_phone import N_SAMPLES, power, share_above
from tools import signals
from training.synthesis import dsp


@pytest.fixture(scope="module")
def groove():
    return signals.groove(6, audio.SAMPLE_RATE)


@pytest.mark.parametrize("snr_db", [0, 10, 20])
def test_the_background_has_the_requested_level(groove, snr_db):
    background = dsp.noise(N_SAMPLES, np.random.default_rng(0))
    added = dsp.mix(groove, background, snr_db) - groove
    assert 10 * np.log10(power(groove) / power(added)) == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("name", dsp.NOISES)
def test_every_noise_has_unit_power_and_no_offset(name):
    noise = dsp.NOISES[name](N_SAMPLES, np.random.default_rng(1))
    assert noise.shape == (N_SAMPLES,)
    assert noise.dtype == np.float32
    assert power(noise) == pytest.approx(1, rel=1e-3)
    assert abs(noise.mean()) < 0.15


@pytest.mark.parametrize("exponent", [-2, -1, 0, 1])
def test_the_slope_of_coloured_noise_is_its_exponent(exponent):
    noise = dsp.coloured_noise(20 * audio.SAMPLE_RATE, np.random.default_rng(0), exponent)
    spectrum = np.square(np.abs(np.fft.rfft(noise)))
    hz = np.fft.rfftfreq(len(noise), 1 / audio.SAMPLE_RATE)
    low, high = (spectrum[(hz > f) & (hz < 1.2 * f)].mean() for f in (200, 3_200))
    assert np.log2(high / low) / 4 == pytest.approx(exponent, abs=0.1)


@pytest.mark.parametrize("rt60", [0.2, 0.6])
def test_a_room_has_the_requested_decay_time(rt60):
    """By Schroeder's backward integration, from -5 to -25 dB."""
    responses = [dsp.room_response(np.random.default_rng(seed), rt60) for seed in range(12)]
    energy = np.sum([np.square(response[400:]) for response in responses], axis=0)
    decay = 10 * np.log10(np.cumsum(energy[::-1])[::-1] / energy.sum())
    fall = np.argmax(decay < -25) - np.argmax(decay < -5)
    assert 3 * fall / audio.SAMPLE_RATE == pytest.approx(rt60, rel=0.5)
    assert all(np.argmax(np.abs(response)) == 0 for response in responses)


def test_an_equaliser_amplifies_its_own_band():
    section = dsp.peaking(1_000, 6, 2)[0]
    z = np.exp(-2j * np.pi * np.array([20, 1_000, 10_000]) / audio.SAMPLE_RATE)
    gains = np.abs(np.polyval(section[2::-1], z) / np.polyval(section[:2:-1], z))
    np.testing.assert_allclose(20 * np.log10(gains), [0, 6, 0], atol=0.2)


def test_soft_clipping_keeps_the_peak_and_adds_harmonics():
    tone = signals.sine(1)
    clipped = dsp.soft_clipped(tone, 12)
    assert np.abs(clipped).max() == pytest.approx(1, rel=1e-3)
    assert share_above(clipped, 2_500) > 100 * share_above(tone, 2_500)
