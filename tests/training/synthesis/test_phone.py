import numpy as np
import pytest
from scipy.signal import correlate

from service import audio
from tools import signals
from training.synthesis import dsp, phone

SECONDS = 6
N_SAMPLES = SECONDS * audio.SAMPLE_RATE


@pytest.fixture(scope="module")
def groove():
    return signals.groove(SECONDS, audio.SAMPLE_RATE)


@pytest.fixture(scope="module")
def clicks():
    """Broad-band bursts at irregular times: what an alignment can be read from."""
    rng = np.random.default_rng(0)
    clicks = np.zeros(N_SAMPLES, np.float32)
    for start in rng.integers(0, N_SAMPLES - 400, 20):
        clicks[start : start + 400] = rng.normal(0, 0.2, 400)
    return clicks


def power(waveform):
    return float(np.square(waveform, dtype=np.float64).mean())


def share_above(waveform, hz):
    """Share of the power above a frequency."""
    spectrum = np.square(np.abs(np.fft.rfft(waveform)))
    above = np.fft.rfftfreq(len(waveform), 1 / audio.SAMPLE_RATE) > hz
    return spectrum[above].sum() / spectrum.sum()


def lag(waveform, other):
    """By how many samples the other is later."""
    return int(np.argmax(np.abs(correlate(other, waveform, method="fft")))) - len(waveform) + 1


@pytest.mark.parametrize("seed", range(6))
def test_a_phone_recording_is_as_long_and_in_place(clicks, seed):
    recorded = phone.phone(clicks, np.random.default_rng(seed))
    assert recorded.shape == clicks.shape
    assert recorded.dtype == np.float32
    assert np.isfinite(recorded).all()
    assert abs(lag(clicks, recorded)) < 0.005 * audio.SAMPLE_RATE


def test_a_seed_says_what_comes_out(groove):
    first, again, other = (phone.phone(groove, np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


def test_a_phone_recording_keeps_what_the_service_can_analyse(groove):
    windows = audio.windows(phone.phone(groove, np.random.default_rng(0)))
    assert np.isfinite(audio.log_mel(windows)).all()


def test_silence_stays_silence():
    silence = np.zeros(N_SAMPLES, np.float32)
    assert np.abs(phone.phone(silence, np.random.default_rng(0))).max() < 1e-3


def test_a_phone_hears_little_above_its_microphone():
    white = dsp.coloured_noise(N_SAMPLES, np.random.default_rng(0), 0)
    shares = [
        share_above(phone.phone(white, np.random.default_rng(seed)), 10_500) for seed in range(8)
    ]
    assert max(shares) < share_above(white, 10_500) / 2


def test_the_microphone_takes_both_ends_of_the_band():
    white = dsp.coloured_noise(N_SAMPLES, np.random.default_rng(0), 0)
    heard = phone.microphone_band(white, 200, 4_000)
    assert share_above(heard, 8_000) < 1e-3
    assert 1 - share_above(heard, 50) < 1e-4
    assert lag(white, heard) < 5


@pytest.mark.parametrize("snr_db", [0, 10, 20])
def test_the_noise_is_as_loud_as_asked(groove, snr_db):
    disturbance = dsp.noise(N_SAMPLES, np.random.default_rng(0))
    added = dsp.mix(groove, disturbance, snr_db) - groove
    assert 10 * np.log10(power(groove) / power(added)) == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("name", dsp.NOISES)
def test_every_noise_has_unit_power_and_no_offset(name):
    made = dsp.NOISES[name](N_SAMPLES, np.random.default_rng(1))
    assert made.shape == (N_SAMPLES,)
    assert made.dtype == np.float32
    assert power(made) == pytest.approx(1, rel=1e-3)
    assert abs(made.mean()) < 0.15


@pytest.mark.parametrize("exponent", [-2, -1, 0, 1])
def test_coloured_noise_falls_as_its_exponent_says(exponent):
    made = dsp.coloured_noise(20 * audio.SAMPLE_RATE, np.random.default_rng(0), exponent)
    spectrum = np.square(np.abs(np.fft.rfft(made)))
    hz = np.fft.rfftfreq(len(made), 1 / audio.SAMPLE_RATE)
    low, high = (spectrum[(hz > f) & (hz < 1.2 * f)].mean() for f in (200, 3_200))
    assert np.log2(high / low) / 4 == pytest.approx(exponent, abs=0.1)


@pytest.mark.parametrize("rt60", [0.2, 0.6])
def test_a_room_decays_in_its_time(rt60):
    """By Schroeder's backward integration, from -5 to -25 dB."""
    responses = [dsp.room_response(np.random.default_rng(seed), rt60) for seed in range(12)]
    energy = np.sum([np.square(response[400:]) for response in responses], axis=0)
    decay = 10 * np.log10(np.cumsum(energy[::-1])[::-1] / energy.sum())
    fall = np.argmax(decay < -25) - np.argmax(decay < -5)
    assert 3 * fall / audio.SAMPLE_RATE == pytest.approx(rt60, rel=0.5)
    assert all(np.argmax(np.abs(response)) == 0 for response in responses)


def test_reverberation_rings_after_the_sound():
    impulse = np.zeros(N_SAMPLES, np.float32)
    impulse[1_000] = 1
    wet = phone.reverberation(impulse, np.random.default_rng(0))
    assert not np.abs(wet[:990]).max() > 1e-5
    assert wet[1_000] == pytest.approx(1, abs=1e-4)
    assert np.abs(wet[1_010:]).max() > 0.01


def test_an_equaliser_lifts_its_own_band():
    section = dsp.peaking(1_000, 6, 2)[0]
    z = np.exp(-2j * np.pi * np.array([20, 1_000, 10_000]) / audio.SAMPLE_RATE)
    gains = np.abs(np.polyval(section[2::-1], z) / np.polyval(section[:2:-1], z))
    np.testing.assert_allclose(20 * np.log10(gains), [0, 6, 0], atol=0.2)


def test_soft_clipping_bounds_and_adds_harmonics():
    tone = signals.sine(1)
    clipped = dsp.soft_clipped(tone, 12)
    assert np.abs(clipped).max() == pytest.approx(1, rel=1e-3)
    assert share_above(clipped, 2_500) > 100 * share_above(tone, 2_500)


def test_automatic_gain_brings_loud_and_quiet_together():
    tone = signals.sine(SECONDS) * np.repeat([0.1, 1.0], N_SAMPLES // 2).astype(np.float32)
    levelled = phone.automatic_gain(tone, np.random.default_rng(0))
    first, second = np.split(levelled, 2)
    assert power(second) / power(first) < 0.8 * 100


@pytest.mark.parametrize("bit_rate", [32_000, 64_000])
@pytest.mark.parametrize("codec", phone.CODECS)
def test_a_codec_is_real(groove, codec, bit_rate):
    data = phone.encode(groove, codec, bit_rate)
    recording = audio.decode(data)
    assert recording.codec == codec.partition("-")[0]
    assert recording.sample_rate == phone.CODECS[codec][2]
    assert recording.channels == 1
    assert 0.5 * bit_rate < 8 * len(data) / SECONDS < 1.5 * bit_rate


@pytest.mark.parametrize("codec", phone.CODECS)
def test_a_codec_changes_samples_and_not_their_place(clicks, codec):
    transcode = phone.transcode(clicks, codec, 64_000)
    assert transcode.shape == clicks.shape
    assert lag(clicks, transcode) == 0
    assert not np.allclose(transcode, clicks, atol=1e-3)
    assert np.corrcoef(transcode, clicks)[0, 1] > 0.7
