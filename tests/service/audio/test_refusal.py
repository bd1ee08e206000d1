"""The error text of a refused file names its kind."""

import io
import struct

import av
import numpy as np
import pytest

from service import audio
from tools import signals
from tools.recordings import video

KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76" * 16,
    "encryption_kid": "a7" * 16,
}


def sentence(data):
    with pytest.raises(audio.AudioError) as refused:
        audio.decode(data)
    assert str(refused.value).endswith(".")
    return type(refused.value), str(refused.value)


class TestWhatItIs:
    @pytest.mark.parametrize(
        ("data", "name"),
        [
            (b"\x7f\xfe\x80\x01" + bytes(9_000), "DTS"),
            (b"\0\0\x10\0\xf8\x72\x6f\xba" + bytes(9_000), "TrueHD"),
            (b"DSD " + bytes(9_000), "DSF"),
            (b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk" + bytes(900), "MIDI"),
            (b"Creative Voice File\x1a" + bytes(9_000), "VOC"),
            (b"nut/multimedia container\0" + bytes(900), "NUT"),
            (b"\x02#!SILK_V3" + bytes(900), "SILK"),
        ],
    )
    def test_sound_in_a_format_that_is_not_accepted(self, data, name):
        kind, text = sentence(data)
        assert kind is audio.UnsupportedFormatError
        assert kind.slug == "unsupported-format"
        assert name in text
        assert "format that is not accepted" in text

    @pytest.mark.parametrize(
        ("muxer", "codec"), [("voc", "pcm_u8"), ("nut", "pcm_s16le"), ("latm", "aac")]
    )
    def test_a_real_file_in_such_a_format(self, muxer, codec):
        file = io.BytesIO()
        with av.open(file, "w", format=muxer) as container:
            stream = container.add_stream(codec, rate=44_100, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 44_100), np.int16), "s16", "mono")
            frame.sample_rate = 44_100
            container.mux([*stream.encode(frame), *stream.encode(None)])
        assert sentence(file.getvalue())[0] is audio.UnsupportedFormatError

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            (b"<!DOCTYPE html><html></html>" + bytes(99), "web page"),
            (b"\n <html><body>Log in</body></html>" + bytes(99), "web page"),
            (b'{"audio": "AAAA"}' + b" " * 99, "JSON"),
            (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", "playlist"),
            (b"PK\x03\x04" + bytes(99), "ZIP"),
            (b"\x1f\x8b\x08" + bytes(99), "gzip"),
            (b"%PDF-1.7" + bytes(99), "PDF"),
            (b"\x89PNG\r\n\x1a\n" + bytes(99), "PNG"),
            (b"\xff\xd8\xff\xe0" + bytes(99), "JPEG"),
            (b"data:audio/webm;base64,GkXfo59ChoEBQveBAULygQRC84EIQoKE", "data URL"),
            (bytes(9_000), "zeros"),
        ],
    )
    def test_a_file_without_sound(self, data, name):
        kind, text = sentence(data)
        assert kind is audio.NotAudioError
        assert name in text

    def test_an_empty_file(self):
        assert sentence(b"") == (audio.NotAudioError, "The file is empty.")

    @pytest.mark.parametrize("data", [b"\0", b"RIFF", b"OggS\0\2", b"ID3\4\0\0\0\0\0\0"])
    def test_a_file_smaller_than_any_header(self, data):
        assert f"only {len(data)} bytes" in sentence(data)[1]

    def test_a_file_without_samples(self):
        kind, text = sentence(signals.wav(np.zeros(0, np.float32), 44_100))
        assert kind is audio.ClipTooShortError
        assert "0.0 s" in text


class TestMiddle:
    """Later chunks of a recorder, without the first one."""

    def test_webm(self, clips):
        data = clips["webm"]
        cluster = data.index(b"\x1f\x43\xb6\x75")
        assert "begins in the middle" in sentence(data[cluster:])[1]
        block = data.index(b"\xa3", cluster + 20)
        assert "begins in the middle" in sentence(data[block:])[1]

    def test_mp4(self, clips):
        data = clips["fragmented-mp4"]
        assert "begins in the middle" in sentence(data[data.index(b"moof") - 4 :])[1]

    def test_ogg(self, clips):
        data = clips["opus"]
        assert "begins in the middle" in sentence(data[data.index(b"OggS", 200) :])[1]

    def test_an_unfinished_mp4(self, clips):
        assert "no usable index" in sentence(clips["m4a"][:-2_000])[1]


class TestNoDecoder:
    @pytest.mark.parametrize("codec", [b"mha1", b"mhm1", b"xxxx"])
    def test_an_mp4_with_an_unknown_codec(self, clips, codec):
        kind, text = sentence(clips["m4a"].replace(b"mp4a", codec).replace(b"esds", b"free"))
        assert kind is audio.NotAudioError
        assert "codec of this file is not supported" in text

    @pytest.mark.parametrize(("muxer", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx")])
    def test_a_silent_film_has_no_audio_stream(self, muxer, codec):
        assert sentence(video(muxer, codec))[0] is audio.NoAudioStreamError


@pytest.mark.parametrize("codec", ["aac", "ac3", "flac", "alac"])
def test_an_encrypted_recording_is_refused_as_encrypted(codec):
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options=KEY) as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        groove = (signals.groove(4) * 32_767).astype(np.int16)
        for start in range(0, len(groove), 960):
            frame = av.AudioFrame.from_ndarray(groove[None, start : start + 960], "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    kind, text = sentence(file.getvalue())
    assert kind is audio.UnsupportedFormatError
    assert "encrypted" in text


def test_a_table_of_contents_may_claim_missing_samples(clips):
    """An M4A may have a table with samples far beyond the end of the file."""
    data = bytearray(clips["m4a"])
    at = data.index(b"stco") + 12
    data[at : at + 4] = struct.pack(">I", 2**31 - 9)
    assert sentence(bytes(data))[0] in (audio.NotAudioError, audio.ClipTooShortError)
