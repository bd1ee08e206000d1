"""Files with a few wrong bytes: the sound stays close to a player's, and there is a warning."""

import io

import av
import numpy as np
import pytest

from service import audio
from service.audio.downmix import LOUDEST_LOSSY, check
from service.quality import warnings_of
from tests.conftest import CLIP_SECONDS
from tools import signals
from tools.recordings import float_wav

LOSSY = ("mp3", "m4a", "adts", "opus", "webm", "vorbis")


def warned(data):
    recording = audio.decode(data)
    spectrograms = audio.log_mel(audio.windows(recording.waveform))
    return [each.type for each in warnings_of(recording, spectrograms)]


def with_noise(data, seed, count):
    """Return a file with some bytes replaced, after its first thousand."""
    rng = np.random.default_rng(seed)
    damaged = bytearray(data)
    for at in rng.integers(1_000, len(data) - 1_000, count):
        damaged[at] = rng.integers(256)
    return bytes(damaged)


@pytest.fixture(scope="module")
def spiky(clips):
    """Return damaged files, by codec, that decode to samples that no recording has."""
    found = {}
    for name in ("mp3", "adts"):
        for seed in range(100):
            data = with_noise(clips[name], seed, 80)
            if audio.decode(data).damaged_samples:
                found[name] = data
                break
    return found


class TestSpikes:
    @pytest.mark.parametrize("name", ["mp3", "adts"])
    def test_impossible_samples_are_clipped_at_full_scale(self, spiky, clips, name):
        damaged, whole = audio.decode(spiky[name]), audio.decode(clips[name])
        assert damaged.peak_dbfs < 6  # the resampler overshoots where a sample was clipped
        assert damaged.rms_dbfs < whole.rms_dbfs + 12

    @pytest.mark.parametrize("name", ["mp3", "adts"])
    def test_impossible_samples_cause_a_warning(self, spiky, name):
        assert "damaged" in warned(spiky[name])

    @pytest.mark.parametrize("name", LOSSY)
    def test_damage_never_exceeds_the_limit_of_undamaged_recordings(self, clips, name):
        for seed in range(6):
            try:
                recording = audio.decode(with_noise(clips[name], seed, 30))
            except audio.NotAudioError:  # a page of Ogg with a wrong checksum is left out
                continue
            assert np.abs(recording.waveform).max() < 1.5 * LOUDEST_LOSSY

    def test_overs_of_a_loud_master_stay_unchanged(self):
        planes = np.float32([[3.9, -3.9, 0.5]])
        assert check(planes, bounded=True).planes is planes

    @pytest.mark.parametrize("extreme", [4.1, 1e4, -1e9, np.inf, np.nan])
    def test_a_block_with_a_spike_is_clipped_at_full_scale(self, extreme):
        planes = np.float32([[0.5, 1.5, extreme, 0], [0.5, 0.5, 0.5, 0.5]])
        block = check(planes, bounded=True)
        assert block.damaged == 1
        assert np.abs(block.planes).max() == 1
        assert (block.planes[:, 0] == 0.5).all()

    @pytest.mark.parametrize("muxer", ["wav", "matroska", "caf"])
    def test_floats_of_a_recorder_may_be_loud(self, muxer):
        """At +30 dB, as a recorder of floats leaves it."""
        loud = 32 * signals.groove(4, audio.SAMPLE_RATE)
        file = io.BytesIO()
        with av.open(file, "w", format=muxer) as container:
            stream = container.add_stream("pcm_f32le", rate=audio.SAMPLE_RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(loud[None], "flt", "mono")
            frame.sample_rate = audio.SAMPLE_RATE
            container.mux([*stream.encode(frame), *stream.encode(None)])
        recording = audio.decode(file.getvalue())
        assert recording.peak_dbfs == pytest.approx(20 * np.log10(np.abs(loud).max()), abs=0.1)
        assert recording.damaged_samples == 0


class TestPackets:
    def test_many_damaged_packets_cause_a_warning(self, clips):
        assert "damaged" in warned(with_noise(clips["adts"], 0, 150))

    @pytest.mark.parametrize("name", LOSSY)
    def test_an_intact_recording_has_no_damaged_packet(self, clips, name):
        recording = audio.decode(clips[name])
        assert (recording.damaged_packets, recording.damaged_samples) == (0, 0)

    @pytest.mark.parametrize("name", ["mp3", "adts", "mp2", "ac3"])
    def test_a_recording_may_begin_or_end_within_a_packet(self, name):
        data = signals.encode(signals.groove(8), 48_000, name, 2)
        for start in (0.2, 0.35, 0.5):
            assert "damaged" not in warned(data[round(start * len(data)) : -100]), start

    @pytest.mark.parametrize("name", ["mp3", "adts", "mp2", "opus", "vorbis", "webm"])
    def test_recordings_may_be_joined(self, clips, name):
        other = signals.encode(signals.groove(CLIP_SECONDS, 48_000, 90, 1), 48_000, name)
        assert "damaged" not in warned(other + signals.encode(signals.groove(5), 48_000, name))

    @pytest.mark.parametrize("name", ["mp3", "adts", "wav", "flac", "webm", "opus"])
    def test_a_recording_may_be_truncated(self, clips, name):
        assert "damaged" not in warned(clips[name][: len(clips[name]) * 4 // 5])


def test_nan_counts_as_damage():
    waveform = signals.sine(4)
    waveform[1_000:1_100] = np.nan
    assert "damaged" in warned(float_wav(waveform))
