import io

import numpy as np
import pytest
import soundfile
import soxr

from service import audio, quality
from service.quality import warnings_of
from tools import signals
from tools.recordings import float_wav

RATE = 44_100


def warned(data):
    """Return the types of the warnings about an encoded recording."""
    recording = audio.decode(data)
    wrong = warnings_of(recording, audio.log_mel(audio.windows(recording.waveform)))
    assert all(each.detail.endswith(".") for each in wrong)
    return [each.type for each in wrong]


@pytest.fixture(scope="module")
def groove():
    return signals.groove(5, RATE)


def test_music_causes_no_warning(groove, clips):
    assert warned(signals.wav(groove, RATE)) == []
    for name, data in clips.items():
        assert warned(data) == [], name


@pytest.mark.parametrize("channels", [1, 2])
def test_an_overdriven_recording_is_clipped(groove, channels):
    loud = (40 * groove).clip(-1, 1)
    assert warned(signals.wav(loud, RATE, channels)) == ["clipped"]
    assert warned(signals.encode(loud, RATE, "m4a", channels)) == ["clipped"]


@pytest.mark.parametrize("name", ["wav", "mp3", "vorbis", "webm"])
def test_a_slightly_overdriven_recording_is_clipped(name):
    """A fifth of the samples is clipped; a lossy codec spreads them around full scale."""
    rate = 48_000
    loud = signals.groove(5, rate)
    clipped = (loud / np.quantile(np.abs(loud), 0.8)).clip(-1, 1)
    data = signals.encode(clipped, rate, name)
    assert "clipped" in warned(data)


@pytest.mark.parametrize("gain", [1, 2, 3])
@pytest.mark.parametrize("name", ["opus", "vorbis"])
def test_a_master_that_exceeds_full_scale_is_not_clipped(gain, name):
    """Floats are encoded beyond full scale, so that no top is flat."""
    noise = soxr.resample(np.random.default_rng(0).normal(0, 0.2, 5 * 8_000), 8_000, 48_000)
    file = io.BytesIO()
    soundfile.write(file, gain * noise, 48_000, format="OGG", subtype=name.upper())
    assert "clipped" not in warned(file.getvalue())


def test_one_clipped_channel_is_enough(groove):
    stereo = np.stack([(40 * groove).clip(-1, 1), 0.1 * groove], axis=1)
    assert warned(float_wav(stereo, RATE)) == ["clipped"]


def test_a_loud_master_is_not_clipped(groove):
    assert warned(signals.wav(groove / np.abs(groove).max(), RATE)) == []


@pytest.mark.parametrize("encoding", ["wav", "aiff", "flac"])
def test_the_count_does_not_depend_on_the_format(groove, encoding):
    loud = (40 * groove).clip(-1, 1)
    share = float(np.mean(np.abs(loud) >= audio.FULL_SCALE))
    found = audio.decode(signals.encode(loud, RATE, encoding)).at_full_scale
    assert found == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize(("gain", "expected"), [(0.05, []), (0.01, ["very_quiet"]), (0, [])])
def test_a_very_quiet_recording_causes_a_warning_unless_it_is_silent(groove, gain, expected):
    assert warned(float_wav(gain * groove, RATE)) == expected


def test_a_telephone_recording_is_narrow(groove):
    telephone = soxr.resample(groove, RATE, 8_000)
    assert warned(float_wav(telephone, 8_000)) == ["narrow_band"]
    assert warned(float_wav(soxr.resample(telephone, 8_000, RATE), RATE)) == ["narrow_band"]


def test_a_wider_band_is_not_narrow(groove):
    assert warned(float_wav(soxr.resample(groove, RATE, 16_000), 16_000)) == []
    assert quality.TELEPHONE_HZ < 8_000
