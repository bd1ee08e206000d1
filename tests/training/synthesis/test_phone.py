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
    """Broad-band bursts at irregular times, for the measurement of alignment."""
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
    """The delay of the other, in samples."""
    return int(np.argmax(np.abs(correlate(other, waveform, method="fft")))) - len(waveform) + 1


@pytest.mark.parametrize("seed", range(6))
def test_a_recording_keeps_length_and_alignment(clicks, seed):
    recorded = phone.record(clicks, np.random.default_rng(seed))
    assert recorded.shape == clicks.shape
    assert recorded.dtype == np.float32
    assert np.isfinite(recorded).all()
    assert abs(lag(clicks, recorded)) < 0.005 * audio.SAMPLE_RATE


def test_the_seed_determines_the_recording(groove):
    first, again, other = (phone.record(groove, np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


def test_a_recording_can_be_analysed(groove):
    windows = audio.windows(phone.record(groove, np.random.default_rng(0)))
    assert np.isfinite(audio.log_mel(windows)).all()


def test_silence_stays_silent():
    silence = np.zeros(N_SAMPLES, np.float32)
    assert np.abs(phone.record(silence, np.random.default_rng(0))).max() < 1e-3


def test_a_recording_has_little_above_the_band_of_the_microphone():
    white = dsp.coloured_noise(N_SAMPLES, np.random.default_rng(0), 0)
    shares = [
        share_above(phone.record(white, np.random.default_rng(seed)), 10_500) for seed in range(8)
    ]
    assert max(shares) < share_above(white, 10_500) / 2


def test_the_microphone_attenuates_both_ends_of_the_spectrum():
    white = dsp.coloured_noise(N_SAMPLES, np.random.default_rng(0), 0)
    recorded = phone.microphone_band(white, 200, 4_000)
    assert share_above(recorded, 8_000) < 1e-3
    assert 1 - share_above(recorded, 50) < 1e-4
    assert lag(white, recorded) < 5


def test_reverberation_follows_the_sound():
    impulse = np.zeros(N_SAMPLES, np.float32)
    impulse[1_000] = 1
    wet = phone.reverberation(impulse, np.random.default_rng(0))
    assert not np.abs(wet[:990]).max() > 1e-5
    assert wet[1_000] == pytest.approx(1, abs=1e-4)
    assert np.abs(wet[1_010:]).max() > 0.01


def test_automatic_gain_reduces_differences_of_level():
    tone = signals.sine(SECONDS) * np.repeat([0.1, 1.0], N_SAMPLES // 2).astype(np.float32)
    levelled = phone.automatic_gain(tone, np.random.default_rng(0))
    first, second = np.split(levelled, 2)
    assert power(second) / power(first) < 0.8 * 100


@pytest.mark.parametrize("bit_rate", [32_000, 64_000])
@pytest.mark.parametrize("codec", phone.CODECS)
def test_files_have_the_format_of_the_codec(groove, codec, bit_rate):
    data = phone.encode(groove, codec, bit_rate)
    recording = audio.decode(data)
    assert recording.codec == codec.partition("-")[0]
    assert recording.sample_rate == phone.CODECS[codec][2]
    assert recording.channels == 1
    assert 0.5 * bit_rate < 8 * len(data) / SECONDS < 1.5 * bit_rate


@pytest.mark.parametrize("codec", phone.CODECS)
def test_a_codec_changes_samples_but_not_their_position(clicks, codec):
    transcode = phone.transcode(clicks, codec, 64_000)
    assert transcode.shape == clicks.shape
    assert lag(clicks, transcode) == 0
    assert not np.allclose(transcode, clicks, atol=1e-3)
    assert np.corrcoef(transcode, clicks)[0, 1] > 0.7
