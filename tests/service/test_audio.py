import io
import struct
import subprocess
import sys
import tracemalloc
from functools import partial

import av
import numpy as np
import pytest
import soundfile
import soxr

from service import audio
from tests.conftest import CLIP_RATE, CLIP_SECONDS
from tools import signals
from tools.reference import librosa_log_mel
from training.data.lazy_librosa import librosa

LOSSLESS = ("wav", "aiff", "flac")
CONTAINERS = {
    "wav": ("wav", "pcm_s16le"),
    "aiff": ("aiff", "pcm_s16be"),
    "flac": ("flac", "flac"),
    "mp3": ("mp3", "mp3"),
    "opus": ("ogg", "opus"),
    "vorbis": ("ogg", "vorbis"),
    "webm": ("webm", "opus"),
    "m4a": ("mp4", "aac"),
    "fragmented-mp4": ("mp4", "aac"),
    "adts": ("adts", "aac"),
}


def float_wav(samples, rate=audio.SAMPLE_RATE):
    """A WAV of 32-bit floats; `samples` float32 [shape=(n, channels)]."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def video(muxer, codec):
    """A film of one grey second, without sound."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=5, width=64, height=64, pix_fmt="yuv420p")
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def in_its_own_order(data):
    """A stereo AIFF that says where each of its channels belongs, right before left."""
    places = b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in (2, 1))
    layout = struct.pack(">III", 0, 0, 2) + places
    chunk = b"CHAN" + struct.pack(">I", len(layout)) + layout
    size = struct.pack(">I", int.from_bytes(data[4:8]) + len(chunk))
    return data[:4] + size + data[8:].replace(b"SSND", chunk + b"SSND", 1)


def of_codec_nobody_knows(data):
    """A WAV that says its sound is of a codec that FFmpeg does not know."""
    return data.replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x62\x20")


HUGE = 2**31 - 256
TAG_OF_2_GB = (  # each part within the one around it, or FFmpeg would not believe it
    b"RIFF" + struct.pack("<I", HUGE) + b"WAVELIST" + struct.pack("<I", HUGE - 32)
    + b"INFOINAM" + struct.pack("<I", HUGE - 64) + b"x"
)  # fmt: skip


def silent_opus(seconds):
    """Ogg with Opus packets of two bytes: six frames of 20 ms that hold nothing."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        with av.open(io.BytesIO(signals.encode(signals.sine(1), 48_000, "opus"))) as real:
            stream = container.add_stream_from_template(real.streams.audio[0])
        for number in range(round(seconds / 0.12)):
            packet = av.Packet(b"\xfb\x06")
            packet.stream, packet.pts, packet.dts = stream, number * 5_760, number * 5_760
            packet.duration = 5_760
            container.mux_one(packet)
    return file.getvalue()


class TestConstants:
    def test_divide_exactly(self):
        assert audio.SAMPLE_RATE % audio.HOP == 0
        assert audio.N_SAMPLES % audio.HOP == 0

    def test_every_mel_band_hears_something(self):
        assert (audio._mel_filters().sum(axis=1) > 0).all()


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
        def heard(name):
            return audio.log_mel(audio.windows(audio.decode(clips[name]).waveform))[0, :150]

        difference = np.abs(heard(name).mean(axis=1) - heard("wav").mean(axis=1))
        assert np.median(difference) < (0.01 if name in LOSSLESS else 2)  # dB

    @pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
    @pytest.mark.parametrize("channels", [1, 2, 8])
    def test_is_blind_to_rate_and_channels(self, rate, channels):
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
        """Eight of a lossy codec are eight planes: PyAV, asked for all, reads a ninth, and dies."""
        recording = audio.decode(signals.encode(signals.groove(4), 48_000, name, 8))
        assert recording.channels == 8
        assert recording.duration_seconds == pytest.approx(4, abs=0.08)
        assert audio.levels(recording.waveform)[1] > -30

    def test_reads_channels_in_an_order_of_their_own(self):
        """PyAV 17.1 to 18.1 free such a layout twice, at every frame."""
        data = signals.encode(signals.groove(4), 48_000, "aiff", 2)
        recording = audio.decode(in_its_own_order(data))
        np.testing.assert_array_equal(recording.waveform, audio.decode(data).waveform)

    @pytest.mark.parametrize("name", ["mp3", "webm", "flac"])
    def test_it_does_not_matter_how_much_is_resampled_at_a_time(self, clips, monkeypatch, name):
        whole = audio.decode(clips[name])
        monkeypatch.setattr(audio, "BLOCK_SAMPLES", 1)
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

    def test_exactly_the_longest_duration_is_whole(self):
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

    def test_whoever_wants_it_no_more_can_end_it(self, clips, monkeypatch):
        monkeypatch.setattr(audio, "CHECK_SECONDS", 0)
        calls = 0

        def leave():
            nonlocal calls
            calls += 1
            if calls == 3:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            audio.decode(clips["mp3"], audio.Bounds(check=leave))

    def test_that_is_asked_now_and_then(self):
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
            signals.wav(np.zeros(0, np.float32), 44_100),
        ],
    )
    def test_what_is_no_audio_is_refused(self, data):
        with pytest.raises(audio.NotAudioError):
            audio.decode(data)

    def test_a_codec_that_nobody_knows_is_refused(self):
        data = signals.wav(signals.sine(4), 44_100)
        with pytest.raises(audio.NotAudioError, match="No decoder"):
            audio.decode(of_codec_nobody_knows(data))

    def test_a_tag_that_claims_gigabytes_has_none(self):
        """In a process of its own, whose memory is its own."""
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
    def test_a_silent_film_holds_no_audio_stream(self, muxer, codec):
        with pytest.raises(audio.NoAudioStreamError):
            audio.decode(video(muxer, codec))

    @pytest.mark.parametrize("name", sorted(CONTAINERS.keys() - {"m4a"}))
    def test_a_file_that_breaks_off_ends_there(self, clips, name):
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
        monkeypatch.setattr(audio, "MAX_DAMAGED", most)
        recording = audio.decode(clips["adts"] + bytes(header) * 200 + clips["adts"])
        assert recording.duration_seconds == pytest.approx(seconds, abs=0.1)

    def test_what_is_not_a_number_is_silence(self):
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

    def test_tags_may_be_invalid_text(self, clips):
        text = b"\x03\xff\xfe\xc3\x28\x80"
        frame = b"TIT2" + len(text).to_bytes(4) + b"\0\0" + text
        tagged = b"ID3\x03\0\0" + len(frame).to_bytes(4) + frame + clips["mp3"]
        assert audio.decode(tagged).codec == "mp3"


class TestWindows:
    @pytest.mark.parametrize("seconds", [3, 3.7, 14.9, 15, 17.9, 18, 29, 30, 33, 47.3, 600])
    def test_windows_follow_one_another(self, seconds):
        n_samples = round(seconds * audio.SAMPLE_RATE)
        starts = audio.window_starts(n_samples)
        steps = np.diff(starts)
        assert starts[0] == 0
        assert (steps[:-1] == audio.N_SAMPLES).all()  # only the last may overlap
        assert (steps[-1:] <= audio.N_SAMPLES).all()
        left_out = n_samples - (starts[-1] + audio.N_SAMPLES)
        assert left_out < audio.MIN_SECONDS * audio.SAMPLE_RATE
        assert len(starts) == 1 or left_out <= 0 or steps[-1] == audio.N_SAMPLES
        assert audio.analysed_seconds(n_samples) <= seconds + 1e-4

    @pytest.mark.parametrize(
        ("seconds", "analysed"), [(4, 4), (15, 15), (17, 15), (18, 18), (32, 30), (33, 33)]
    )
    def test_a_short_remainder_is_left_out(self, seconds, analysed):
        assert audio.analysed_seconds(seconds * audio.SAMPLE_RATE) == analysed

    def test_windows_are_cut_where_they_start(self):
        waveform = np.arange(40 * audio.SAMPLE_RATE, dtype=np.float32)
        cut = audio.windows(waveform)
        assert cut.shape == (3, audio.N_SAMPLES)
        assert cut[:, 0].tolist() == audio.window_starts(len(waveform))
        assert cut[-1, -1] == waveform[-1]

    def test_a_short_clip_is_repeated(self):
        waveform = signals.groove(4, audio.SAMPLE_RATE)
        (window,) = audio.windows(waveform)
        assert len(window) == audio.N_SAMPLES
        assert (window == np.tile(waveform, 4)[: audio.N_SAMPLES]).all()

    @pytest.mark.parametrize("n_samples", [0, 1, 3 * audio.SAMPLE_RATE - 1])
    def test_less_than_the_least_is_refused(self, n_samples):
        with pytest.raises(audio.ClipTooShortError, match="at least 3 s"):
            audio.windows(np.zeros(n_samples, np.float32))


class TestLogMel:
    @pytest.mark.parametrize("name", ["groove", "noise", "sine"])
    def test_is_that_of_librosa(self, name):
        window = {
            "groove": signals.groove(15, audio.SAMPLE_RATE),
            "noise": np.random.default_rng(0).normal(0, 0.1, audio.N_SAMPLES).astype(np.float32),
            "sine": signals.sine(15, 440),
        }[name]
        difference = audio.log_mel(window[None])[0] - librosa_log_mel(window)
        assert np.abs(difference).max() < 0.01  # dB

    def test_bands_are_those_of_librosa(self):
        theirs = librosa.mel_frequencies(audio.N_MELS + 2, fmin=audio.F_MIN, fmax=audio.F_MAX)
        assert np.allclose(audio.mel_edges(), theirs)

    @pytest.mark.parametrize(("f_min", "f_max"), [(1_200.0, 8_000.0), (0.0, 900.0)])
    def test_bands_on_one_side_of_the_knee(self, monkeypatch, f_min, f_max):
        monkeypatch.setattr(audio, "F_MIN", f_min)
        monkeypatch.setattr(audio, "F_MAX", f_max)
        theirs = librosa.mel_frequencies(audio.N_MELS + 2, fmin=f_min, fmax=f_max)
        assert np.allclose(audio.mel_edges(), theirs)

    def test_shape_and_range(self):
        windows = np.stack([signals.groove(15, audio.SAMPLE_RATE, seed=seed) for seed in range(2)])
        spectrograms = audio.log_mel(windows)
        assert spectrograms.shape == (2, audio.N_MELS, audio.N_FRAMES)
        assert spectrograms.dtype == np.float32
        assert spectrograms.max(axis=(1, 2)).tolist() == [0, 0]
        assert spectrograms.min() >= -audio.SPAN_DB

    def test_a_window_is_alone_in_its_batch(self):
        windows = np.stack([signals.sine(15), 0.01 * signals.groove(15, audio.SAMPLE_RATE)])
        together = audio.log_mel(windows)
        alone = np.concatenate([audio.log_mel(window[None]) for window in windows])
        assert np.allclose(together, alone, atol=1e-3)

    def test_silence_is_floor(self):
        assert (audio.log_mel(np.zeros((1, audio.N_SAMPLES), np.float32)) == -80).all()

    @pytest.mark.parametrize("gain", [0.01, 0.1, 3, 100])
    def test_the_level_of_a_recording_has_no_part(self, gain):
        window = signals.groove(15, audio.SAMPLE_RATE)[None]
        difference = audio.log_mel(gain * window) - audio.log_mel(window)
        assert np.abs(difference).max() < 0.01  # dB

    @pytest.mark.parametrize("hz", [100, 440, 1_000, 5_000])
    def test_a_sine_is_loudest_in_its_band(self, hz):
        (spectrogram,) = audio.log_mel(signals.sine(15, hz)[None])
        nearest = np.abs(audio.mel_edges()[1:-1] - hz).argmin()
        assert abs(spectrogram.mean(axis=1).argmax() - nearest) <= 2

    def test_frames_are_centred_on_their_time(self):
        click = np.zeros((1, audio.N_SAMPLES), np.float32)
        click[0, 100 * audio.HOP] = 1
        assert audio.log_mel(click)[0].mean(axis=0).argmax() == 100


class TestLevels:
    def test_of_a_sine(self):
        peak, rms = audio.levels(0.5 * signals.sine(3))
        assert peak == pytest.approx(-6.02, abs=0.01)
        assert rms == pytest.approx(-9.03, abs=0.01)

    def test_of_silence(self):
        assert audio.levels(np.zeros(100, np.float32)) == (audio.SILENT_DBFS, audio.SILENT_DBFS)


class TestSignature:
    @pytest.fixture
    def signature(self):
        yield audio.signature()
        audio._mel_filters.cache_clear()

    def changed_skew(self, signature):
        audio._mel_filters.cache_clear()
        return audio.skew(signature)

    def test_is_stable(self, signature):
        assert signature.shape == (audio.N_MELS,)
        assert audio.skew(signature) == 0
        assert audio.skew(signature.tolist()) == 0

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SAMPLE_RATE", 22_000),
            ("N_SAMPLES", 14 * 22_050),
            ("N_FFT", 2_000),
            ("HOP", 734),
            ("N_MELS", 127),
            ("F_MIN", 21.0),
            ("F_MAX", 10_990.0),
            ("SPAN_DB", 79.9),
            ("QUIETEST_POWER", 1e-4),
        ],
    )
    def test_notices_another_number(self, signature, monkeypatch, name, value):
        monkeypatch.setattr(audio, name, value)
        assert self.changed_skew(signature) > audio.SKEW_TOLERANCE

    def test_notices_another_window(self, signature, monkeypatch):
        monkeypatch.setattr(audio, "_hann", lambda: np.hamming(audio.N_FFT).astype(np.float32))
        assert self.changed_skew(signature) > audio.SKEW_TOLERANCE

    @pytest.mark.parametrize(
        "change", [{"center": False}, {"pad_mode": "reflect"}, {"win_length": 1_024}]
    )
    def test_notices_another_transform(self, signature, monkeypatch, change):
        monkeypatch.setattr(
            audio, "log_mel", lambda windows: librosa_log_mel(windows[0], **change)[None]
        )
        assert self.changed_skew(signature) > audio.SKEW_TOLERANCE

    @pytest.mark.parametrize("change", [{"htk": True}, {"norm": None}])
    def test_notices_other_filters(self, signature, monkeypatch, change):
        filters = librosa.filters.mel(
            sr=audio.SAMPLE_RATE, n_fft=audio.N_FFT, n_mels=audio.N_MELS,
            fmin=audio.F_MIN, fmax=audio.F_MAX, **change,
        )  # fmt: skip
        monkeypatch.setattr(audio, "_mel_filters", lambda: filters)
        assert audio.skew(signature) > audio.SKEW_TOLERANCE

    def test_notices_another_resampler(self, signature, monkeypatch):
        monkeypatch.setattr(soxr, "ResampleStream", partial(soxr.ResampleStream, quality="QQ"))
        assert self.changed_skew(signature) > audio.SKEW_TOLERANCE

    def test_notices_another_rule_for_short_clips(self, signature, monkeypatch):
        def padded(waveform):
            return np.pad(waveform, (0, audio.N_SAMPLES - len(waveform)))[None]

        monkeypatch.setattr(audio, "windows", padded)
        assert self.changed_skew(signature) > audio.SKEW_TOLERANCE
