"""Files with a few wrong bytes: the sound stays close to a player's, and there is a warning."""

import io

import av
import numpy as np
import pytest

from service import audio
from service.audio.downmix import LOUDEST_LOSSY, check
from service.quality import warnings_of
from tests.conftest import CLIP_SECONDS
from tests.growing import Arriving
from tools import signals
from tools.recordings import float_wav

SECONDS, RATE = 12, 48_000
HOLED = (
    "flac", "mp3", "opus", "vorbis", "webm", "m4a", "fragmented-mp4", "adts", "caf-alac", "mp2",
    "ac3", "eac3", "wma", "flv", "mpegts", "mpeg", "wavpack", "fragments",
)  # fmt: skip
"""Encodings in which a hole can be found: samples of PCM may be anything."""
FRAGMENTS = {"movflags": "empty_moov+default_base_moof", "frag_duration": "500000"}
CUT = ("flac", "opus", "vorbis", "webm", "fragments", "wma", "flv", "mpegts", "mpeg")
"""Encodings whose packets have timestamps, and whose header has no positions of packets."""
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
        damage = recording.damaged_packets, recording.damaged_samples, recording.missing_seconds
        assert damage == (0, 0, 0)

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


@pytest.fixture(scope="module")
def long():
    """A groove of `SECONDS` in the encodings of `HOLED`, by name."""
    groove = signals.groove(SECONDS, RATE)
    encodings = {name: signals.encode(groove, RATE, name, 2) for name in HOLED[:-1]}
    return encodings | {"fragments": encoded("mp4", "aac", groove, FRAGMENTS)}


def holed(data, share=0.3):
    """Return a file with a block of zeros in its middle."""
    start, size = round(0.35 * len(data)), round(share * len(data))
    return data[:start] + bytes(size) + data[start + size :]


def cut(data, share=0.3):
    """Return a file without a block of its middle."""
    start = round(0.35 * len(data))
    return data[:start] + data[start + round(share * len(data)) :]


def pages(data):
    """Return the positions of the pages of an Ogg file."""
    found, at = [], 0
    while (at := data.find(b"OggS", at)) >= 0:
        found.append(at)
        at += 4
    return found


def without_sums(data, numbers):
    """Return an Ogg file in which some pages, by number, have a wrong checksum."""
    changed = bytearray(data)
    for number in numbers:
        changed[pages(data)[number] + 22] ^= 1
    return bytes(changed)


class TestMissing:
    @pytest.mark.parametrize(
        ("name", "damage"), [*((name, holed) for name in HOLED), *((name, cut) for name in CUT)]
    )
    def test_a_hole_or_a_part_that_was_cut_out_is_told(self, long, name, damage):
        data = damage(long[name])
        recording = audio.decode(data)
        assert "damaged" in warned(data)
        assert recording.duration_seconds + recording.missing_seconds == pytest.approx(
            SECONDS, abs=1.1
        )

    @pytest.mark.parametrize("name", ["opus", "vorbis"])
    @pytest.mark.parametrize("lost", [[5], [4, 6, 8], [-1, -2, -3], [5, 7, 8, -1, -2]])
    def test_a_page_with_a_wrong_checksum_is_told(self, long, name, lost):
        data = without_sums(long[name], lost)
        recording = audio.decode(data)
        assert recording.duration_seconds < SECONDS - 0.2
        assert recording.duration_seconds + recording.missing_seconds == pytest.approx(
            SECONDS, abs=0.05
        )
        assert ("damaged" in warned(data)) == (recording.missing_seconds > 0.02 * SECONDS)

    @pytest.mark.parametrize("name", HOLED)
    @pytest.mark.parametrize("damage", [holed, cut, lambda data: with_noise(data, 0, 10)])
    def test_a_live_recording_has_the_same_damage(self, long, name, damage):
        data = damage(long[name])
        try:
            posted = audio.decode(data)
        except audio.NotAudioError:
            with pytest.raises(audio.NotAudioError):
                audio.decode(Arriving(data))
            return
        live = audio.decode(Arriving(data))
        for part in ("duration_seconds", "missing_seconds", "damaged_packets", "damaged_samples"):
            assert getattr(live, part) == getattr(posted, part)

    @pytest.mark.parametrize("name", HOLED)
    def test_a_whole_recording_misses_nothing(self, long, name):
        data = long[name]
        for each in (data, data + b"TAG" + bytes(125), data[: len(data) * 4 // 5]):
            if name == "caf-alac" and len(each) < len(data):
                continue  # its index is behind the sound
            try:
                assert audio.decode(each).missing_seconds == 0, len(each)
            except audio.NotAudioError:
                assert name == "m4a"
                assert len(each) < len(data)

    def test_the_answer_says_how_much_is_missing(self, long):
        recording = audio.decode(holed(long["opus"]))
        spectrograms = audio.log_mel(audio.windows(recording.waveform))
        (warning,) = warnings_of(recording, spectrograms)
        assert f"{recording.missing_seconds:.1f} s of its 12.0 s are missing" in warning.detail
        assert "packets" not in warning.detail


class TestTimestamps:
    """Timestamps that leave something out, although nothing is missing."""

    @pytest.mark.parametrize("muxer", ["ogg", "webm"])
    def test_silence_may_be_left_out(self, muxer):
        """Opus sends one packet of 20 then."""
        data = encoded(muxer, "libopus", signals.groove(10, RATE), left_out=range(150, 400))
        recording = audio.decode(data)
        assert recording.duration_seconds < 6
        assert recording.missing_seconds == 0

    @pytest.mark.parametrize("muxer", ["ogg", "webm", "matroska", "mp4", "mpegts", "flv"])
    def test_a_recording_may_begin_late(self, muxer):
        codec = "libopus" if muxer in ("ogg", "webm") else "aac"
        data = encoded(muxer, codec, signals.groove(5, RATE), start=40)
        assert audio.decode(data).missing_seconds == 0

    @pytest.mark.parametrize("codec", ["libopus", "flac"])
    def test_joined_recordings_may_have_their_own_time(self, codec):
        first = encoded("ogg", codec, signals.groove(5, RATE))
        late = encoded("ogg", codec, signals.groove(5, RATE), start=40)
        for data in (first + late, late + first, first + first):
            recording = audio.decode(data)
            assert recording.duration_seconds == pytest.approx(10, abs=0.1)
            assert recording.missing_seconds == 0


def encoded(muxer, codec, sound, options=None, *, start=0, left_out=()):
    """Return a recording of which the timestamps begin at `start` seconds.

    Of the packets that are `left_out`, by number, only every 20th is written.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, options=options or {}) as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        packets = []
        for at in range(0, len(sound), 960):
            pcm = (sound[None, at : at + 960] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(pcm, "s16", "mono")
            frame.sample_rate, frame.pts = RATE, at + start * RATE
            packets += stream.encode(frame)
        for number, packet in enumerate([*packets, *stream.encode(None)]):
            if number not in left_out or number % 20 == 0:
                container.mux(packet)
    return file.getvalue()


def test_nan_counts_as_damage():
    waveform = signals.sine(4)
    waveform[1_000:1_100] = np.nan
    assert "damaged" in warned(float_wav(waveform))
