"""Channels that cancel one another, and channels that only seem to cancel."""

import numpy as np
import pytest

from service import audio
from service.quality import warnings_of
from tools import signals
from tools.recordings import float_wav
from tools.signals import encode_channels

RATE = audio.SAMPLE_RATE
ENCODINGS = ("wav", "flac", "mp3", "m4a", "webm", "wavpack")


@pytest.fixture(scope="module")
def groove():
    return signals.groove(6, 48_000)


@pytest.fixture(scope="module")
def wide():
    """Return a usual stereo mix: a common middle, and a side of a quarter of its power."""
    middle, side = signals.groove(6, 48_000), signals.groove(6, 48_000, 90, 3)
    return np.stack([middle + 0.5 * side, middle - 0.5 * side]) / 2


def decoded(channels, rate=48_000):
    return audio.decode(float_wav(np.stack(channels, axis=1).astype(np.float32), rate))


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_inverted_channel_changes_nothing(wide, name):
    right = audio.decode(encode_channels(wide, 48_000, name))
    inverted = audio.decode(encode_channels(wide * [[1], [-1]], 48_000, name))
    assert not right.out_of_phase
    assert inverted.out_of_phase
    difference = np.abs(
        audio.log_mel(audio.windows(right.waveform))
        - audio.log_mel(audio.windows(inverted.waveform))
    )
    assert np.median(difference) < (0.1 if name in ("wav", "flac", "wavpack") else 2)  # dB


@pytest.mark.parametrize("ratio", [-1, -0.95, -0.7])
def test_opposite_channels_are_audible(groove, ratio):
    recording = decoded([groove, ratio * groove])
    assert recording.out_of_phase
    assert recording.rms_dbfs == pytest.approx(audio.levels(groove * (1 - ratio) / 2)[1], abs=0.5)


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_two_of_several_channels_may_be_opposite(groove, channels):
    silent = np.zeros_like(groove)
    recording = decoded([groove, -groove, *[silent] * (channels - 2)])
    assert recording.out_of_phase
    assert recording.rms_dbfs > audio.levels(groove / channels)[1]


class TestNoCancelling:
    def test_mono(self, groove):
        assert not decoded([groove]).out_of_phase

    @pytest.mark.parametrize("channels", [2, 6, 8])
    def test_one_live_channel_among_dead_ones(self, groove, channels):
        silent = np.zeros_like(groove)
        for place in (0, channels - 1):
            parts = [silent] * channels
            parts[place] = groove
            assert not decoded(parts).out_of_phase

    @pytest.mark.parametrize("milliseconds", [1, 5, 20])
    def test_a_delay(self, groove, milliseconds):
        assert not decoded([groove, np.roll(groove, 48 * milliseconds)]).out_of_phase

    def test_a_wide_mix(self, wide):
        assert not decoded(wide).out_of_phase

    def test_channels_that_have_nothing_in_common(self):
        noise = np.random.default_rng(0).normal(0, 0.1, (2, 6 * RATE))
        assert not decoded(noise, RATE).out_of_phase

    def test_a_passage_does_not_decide(self, groove):
        third = len(groove) // 3
        right = groove.copy()
        right[:third] *= -1
        assert not decoded([groove, right]).out_of_phase

    def test_silence(self):
        silent = np.zeros(4 * RATE)
        assert not decoded([silent, silent], RATE).out_of_phase
        hiss = 1e-5 * np.random.default_rng(0).normal(0, 1, 4 * RATE)
        assert not decoded([hiss, -hiss], RATE).out_of_phase

    def test_a_common_offset_is_not_sound(self, groove):
        assert decoded([0.2 + groove, 0.2 - groove]).out_of_phase


def test_one_channel_is_used_if_phase_changes(groove):
    left = np.tile(groove, 4)
    right = left.copy()
    right[: len(right) * 6 // 10] *= -1
    recording = decoded([left, right])
    assert recording.out_of_phase
    assert recording.rms_dbfs == pytest.approx(audio.levels(groove)[1], abs=0.5)


def test_cancelling_channels_cause_a_warning(groove):
    recording = decoded([groove, -groove])
    spectrograms = audio.log_mel(audio.windows(recording.waveform))
    (warning,) = warnings_of(recording, spectrograms)
    assert warning.type == "out_of_phase"
    assert warning.detail.endswith(".")


@pytest.mark.parametrize("name", ["mp3", "adts"])
def test_joined_recordings_with_different_channels_are_judged_separately(wide, name):
    inverted = encode_channels(wide * [[1], [-1]], 48_000, name)
    mono = encode_channels(wide[:1], 48_000, name)
    recording = audio.decode(inverted + mono)
    assert recording.out_of_phase
    halves = [audio.levels(half)[1] for half in np.array_split(recording.waveform, 2)]
    assert abs(halves[0] - halves[1]) < 6
