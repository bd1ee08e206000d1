import asyncio
import io
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile

from service import audio
from service.audio import blocks, bounds, packets
from tests.conftest import CLIP_RATE, CLIP_SECONDS
from tools import signals
from tools.recordings import (
    CONTAINERS,
    TAG_OF_2_GB,
    float_wav,
    in_its_own_order,
    of_codec_nobody_knows,
    silent_opus,
    video,
)

LOSSLESS = ("wav", "aiff", "flac")


class TestDecode:
    @pytest.mark.parametrize("name", CONTAINERS)
    def test_reads_every_container(self, clips, name):
        recording = audio.decode(clips[name])
        assert (recording.container, recording.codec) == CONTAINERS[name]
        assert (recording.sample_rate, recording.channels) == (CLIP_RATE, 1)
        assert recording.duration_seconds == pytest.approx(CLIP_SECONDS, abs=0.08)
        assert recording.waveform.dtype == np.float32
        assert len(recording.waveform) == pytest.approx(
            recording.duration_seconds * audio.SAMPLE_RATE, abs=2
        )
        assert not recording.truncated

    @pytest.mark.parametrize("name", CONTAINERS)
    def test_all_containers_sound_alike(self, clips, name):
        def spectrogram_of(name):
            return audio.log_mel(audio.windows(audio.decode(clips[name]).waveform))[0, :150]

        difference = np.abs(spectrogram_of(name).mean(axis=1) - spectrogram_of("wav").mean(axis=1))
        assert np.median(difference) < (0.01 if name in LOSSLESS else 2)  # dB

    @pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
    @pytest.mark.parametrize("channels", [1, 2, 8])
    def test_rate_and_channels_do_not_change_the_sound(self, rate, channels):
        recording = audio.decode(signals.wav(signals.sine(4, rate=rate), rate, channels))
        assert (recording.sample_rate, recording.channels) == (rate, channels)
        assert recording.duration_seconds == 4
        assert abs(len(recording.waveform) - 4 * audio.SAMPLE_RATE) <= 2
        middle = slice(audio.SAMPLE_RATE, 3 * audio.SAMPLE_RATE)
        assert np.allclose(recording.waveform[middle], signals.sine(4)[middle], atol=2e-3)

    @pytest.mark.parametrize("channels", [2, 3, 5, 6, 8])
    def test_averages_channels(self, channels):
        waveforms = np.random.default_rng(0).uniform(-0.5, 0.5, (66_150, channels))
        together = audio.decode(float_wav(waveforms.astype(np.float32)))
        assert np.allclose(together.waveform, waveforms.mean(axis=1), atol=1e-6)

    @pytest.mark.parametrize("name", sorted(CONTAINERS.keys() - {"mp3"}))
    def test_reads_eight_channels(self, name):
        """A lossy codec has eight planes for them; PyAV's `planes` would read a ninth and crash."""
        recording = audio.decode(signals.encode(signals.groove(4), 48_000, name, 8))
        assert recording.channels == 8
        assert recording.duration_seconds == pytest.approx(4, abs=0.08)
        assert audio.levels(recording.waveform)[1] > -30

    def test_reads_channels_in_a_custom_order(self):
        """PyAV 17.1 to 18.1 free such a layout twice, at every frame."""
        data = signals.encode(signals.groove(4), 48_000, "aiff", 2)
        recording = audio.decode(in_its_own_order(data))
        np.testing.assert_array_equal(recording.waveform, audio.decode(data).waveform)

    @pytest.mark.parametrize("name", ["mp3", "webm", "flac"])
    def test_the_block_size_does_not_change_the_waveform(self, clips, monkeypatch, name):
        whole = audio.decode(clips[name])
        monkeypatch.setattr(blocks, "BLOCK_SAMPLES", 1)
        by_frame = audio.decode(clips[name])
        np.testing.assert_allclose(by_frame.waveform, whole.waveform, atol=1e-6)
        assert by_frame.at_full_scale == whole.at_full_scale

    @pytest.mark.parametrize(
        ("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23)]
    )
    def test_full_scale_is_one_in_every_sample_format(self, subtype, step):
        file = io.BytesIO()
        ramp = np.linspace(-1, 1 - step, 4 * audio.SAMPLE_RATE)
        soundfile.write(file, ramp, audio.SAMPLE_RATE, format="WAV", subtype=subtype)
        assert np.allclose(audio.decode(file.getvalue()).waveform, ramp, atol=2 * step)

    @pytest.mark.parametrize("rate", [7_999, 192_001, 384_000])
    def test_refuses_a_rate_outside_the_limits(self, rate):
        with pytest.raises(audio.UnsupportedAudioError, match=f"{rate} Hz; send 8000 to 192000"):
            audio.decode(signals.wav(np.zeros(4_000, np.float32), rate))

    def test_refuses_too_many_channels(self):
        with pytest.raises(audio.UnsupportedAudioError, match="9 channels; send 1 to 8"):
            audio.decode(signals.wav(np.zeros(4_000, np.float32), 44_100, 9))

    def test_refuses_samples_of_64_bits(self):
        data = bytearray(signals.wav(signals.sine(4), 44_100))
        data[32:36] = (8).to_bytes(2, "little") + (64).to_bytes(2, "little")  # bytes, bits
        with pytest.raises(audio.UnsupportedAudioError, match="64-bit integers"):
            audio.decode(bytes(data))

    @pytest.mark.parametrize("name", ["adts", "mp3"])
    @pytest.mark.parametrize("rates", [(48_000, 16_000), (16_000, 44_100)])
    def test_joined_files_may_differ_in_rate(self, name, rates):
        parts = [signals.encode(signals.sine(3, 500, rate), rate, name) for rate in rates]
        recording = audio.decode(b"".join(parts))
        assert recording.duration_seconds == pytest.approx(6, abs=0.15)
        assert len(recording.waveform) == pytest.approx(
            recording.duration_seconds * audio.SAMPLE_RATE, abs=4
        )

    @pytest.mark.parametrize("name", ["mp3", "adts"])
    def test_joined_files_may_differ_in_channels(self, name):
        groove = signals.groove(4, 44_100)
        parts = [signals.encode(groove, 44_100, name, channels) for channels in (2, 1, 2)]
        recording = audio.decode(b"".join(parts))
        assert recording.channels == 2
        assert recording.duration_seconds == pytest.approx(12, abs=0.3)
        thirds = [audio.levels(part)[1] for part in np.array_split(recording.waveform, 3)]
        assert max(thirds) - min(thirds) < 1

    def test_stops_at_the_longest_duration(self):
        data = signals.wav(signals.sine(7), audio.SAMPLE_RATE)
        recording = audio.decode(data, audio.Bounds(max_seconds=5))
        assert recording.truncated
        assert recording.duration_seconds == 5
        assert len(recording.waveform) == 5 * audio.SAMPLE_RATE

    def test_exactly_the_longest_duration_is_not_truncated(self):
        data = signals.wav(signals.sine(5), audio.SAMPLE_RATE)
        recording = audio.decode(data, audio.Bounds(max_seconds=5))
        assert not recording.truncated
        assert recording.duration_seconds == 5

    def test_hours_in_a_small_file_cost_little(self):
        data = silent_opus(4 * 3_600)
        assert len(data) < 2**20
        tracemalloc.start()
        try:
            recording = audio.decode(data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert recording.truncated
        assert len(recording.waveform) == audio.MAX_SECONDS * audio.SAMPLE_RATE
        assert peak < 3 * recording.waveform.nbytes  # four hours would be 24 times as much


class TestBounds:
    def test_decoding_that_takes_too_long_is_refused(self, clips):
        with pytest.raises(audio.DecodeTimeoutError, match="longer than 1e-09 s"):
            audio.decode(clips["mp3"], audio.Bounds(decode_seconds=1e-9))

    def test_the_check_can_end_a_search_for_something_to_decode(self, clips, monkeypatch):
        monkeypatch.setattr(bounds, "CHECK_SECONDS", 0)
        calls = []
        audio.decode(clips["opus"], audio.Bounds(check=lambda: calls.append(1)))
        most = len(calls) + 10

        def leave():
            calls.append(1)
            if len(calls) == most:
                raise InterruptedError

        calls.clear()
        with pytest.raises(InterruptedError):
            audio.decode(clips["opus"] + 100_000 * b"OggS", audio.Bounds(check=leave))
        assert len(calls) <= most + 1  # no search goes on

    @pytest.mark.parametrize("stop", [InterruptedError, asyncio.CancelledError])
    def test_the_check_can_end_it_wherever_ffmpeg_is(self, stop, monkeypatch):
        monkeypatch.setattr(bounds, "CHECK_SECONDS", 0)
        data = b"ID3" + bytes(199_997)
        for last in range(1, 5):
            calls = iter(range(last))

            def leave(calls=calls):
                if next(calls, None) is None:
                    raise stop

            with pytest.raises(stop):
                audio.decode(data, audio.Bounds(check=leave))

    def test_the_check_can_end_decoding(self, clips, monkeypatch):
        monkeypatch.setattr(bounds, "CHECK_SECONDS", 0)
        calls = 0

        def leave():
            nonlocal calls
            calls += 1
            if calls == 3:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            audio.decode(clips["mp3"], audio.Bounds(check=leave))

    def test_the_check_is_called_at_intervals(self):
        calls = []
        audio.decode(
            signals.wav(signals.sine(60), 48_000), audio.Bounds(check=lambda: calls.append(0))
        )
        assert 1 <= len(calls) <= 100  # of some 700 packets


class TestDamage:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\0" * 10_000,
            b"not audio",
            b"RIFF\xff\xff\xff\xffWAVE",
            b"ID3\x04\0\0\0\0\0\0",
            b"OggS",
            b"\x1aE\xdf\xa3",
            b"fLaC",
            b"\0\0\0\x18ftypM4A ",
        ],
    )
    def test_files_that_are_not_audio_are_refused(self, data):
        with pytest.raises(audio.NotAudioError):
            audio.decode(data)

    def test_an_unknown_codec_is_refused(self):
        data = signals.wav(signals.sine(4), 44_100)
        with pytest.raises(audio.NotAudioError, match="is not supported"):
            audio.decode(of_codec_nobody_knows(data))

    def test_a_tag_that_claims_gigabytes_costs_no_memory(self):
        """The file is decoded in a separate process, whose memory can be measured."""
        program = f"""
import resource
from service import audio
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    audio.decode({TAG_OF_2_GB!r})
except audio.NotAudioError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
        grown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        assert int(grown.stdout) < 2**10 * audio.MAX_ALLOCATION / 2**20

    @pytest.mark.parametrize(
        "playlist",
        [
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1/a.wav\n",
            b"ffconcat version 1.0\nfile /etc/passwd\n",
            b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/'\n",
            b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'></MPD>",
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        ],
    )
    def test_playlists_are_refused(self, playlist):
        with pytest.raises(audio.NotAudioError):
            audio.decode(playlist)

    @pytest.mark.parametrize(("muxer", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx")])
    def test_a_silent_film_has_no_audio_stream(self, muxer, codec):
        with pytest.raises(audio.NoAudioStreamError):
            audio.decode(video(muxer, codec))

    @pytest.mark.parametrize("name", sorted(CONTAINERS.keys() - {"m4a"}))
    def test_a_truncated_file_is_decoded_up_to_its_end(self, clips, name):
        data = clips[name]
        recording = audio.decode(data[: len(data) * 3 // 5])
        assert CLIP_SECONDS * 0.4 < recording.duration_seconds < CLIP_SECONDS * 0.7

    def test_an_mp4_without_its_index_is_refused(self, clips):
        with pytest.raises(audio.NotAudioError):
            audio.decode(clips["m4a"][:-2_000])

    @pytest.mark.parametrize("name", ["mp3", "m4a", "adts", "opus", "webm", "flac"])
    def test_damaged_packets_are_left_out(self, clips, name):
        data = bytearray(clips[name])
        middle = len(data) // 2
        data[middle : middle + 600] = bytes(np.random.default_rng(0).bytes(600))
        recording = audio.decode(bytes(data))
        assert CLIP_SECONDS * 0.75 < recording.duration_seconds < CLIP_SECONDS * 1.1

    @pytest.mark.parametrize(("most", "seconds"), [(100, CLIP_SECONDS), (300, 2 * CLIP_SECONDS)])
    def test_too_many_damaged_packets_end_a_file(self, clips, monkeypatch, most, seconds):
        header = bytearray(clips["adts"][:7])
        header[3] &= 0xFC
        header[4], header[5] = 0, 7 << 5 | header[5] & 0x1F  # a frame of 7 bytes: the header
        monkeypatch.setattr(packets, "MAX_DAMAGED", most)
        recording = audio.decode(clips["adts"] + bytes(header) * 200 + clips["adts"])
        assert recording.duration_seconds == pytest.approx(seconds, abs=0.1)

    def test_nan_is_decoded_as_silence(self):
        waveform = signals.sine(4)
        holed = waveform.copy()
        holed[1_000:1_100] = np.nan
        decoded = audio.decode(float_wav(holed)).waveform
        assert (decoded[1_010:1_090] == 0).all()
        assert np.allclose(decoded[2_000:-100], waveform[2_000:-100], atol=1e-6)

    @pytest.mark.parametrize("extreme", [np.inf, -np.inf, 3e38])
    def test_overs_are_finite(self, extreme):
        loud = signals.sine(4)
        loud[::7] = extreme
        recording = audio.decode(float_wav(loud))
        assert np.isfinite(recording.waveform).all()
        assert np.isfinite(audio.log_mel(audio.windows(recording.waveform))).all()

    @pytest.mark.parametrize("extreme", [np.inf, -np.inf, 1e30, 70_000, np.nan])
    @pytest.mark.parametrize("bits", [32, 64])
    def test_an_impossible_sample_changes_nothing_else(self, extreme, bits):
        sound = signals.groove(4, audio.SAMPLE_RATE)
        spoiled = sound.astype(f"f{bits // 8}")
        spoiled[30_000] = extreme
        plain = audio.decode(float_wav(sound))
        found = audio.decode(float_wav(spoiled, bits=bits))
        assert found.damaged_samples == 1
        assert found.peak_dbfs == pytest.approx(plain.peak_dbfs, abs=0.1)
        assert found.loudness.integrated_lufs == pytest.approx(
            plain.loudness.integrated_lufs, abs=0.1
        )

    def test_tags_may_hold_invalid_text(self, clips):
        text = b"\x03\xff\xfe\xc3\x28\x80"
        frame = b"TIT2" + len(text).to_bytes(4) + b"\0\0" + text
        tagged = b"ID3\x03\0\0" + len(frame).to_bytes(4) + frame + clips["mp3"]
        assert audio.decode(tagged).codec == "mp3"
