"""WAV headers that FFmpeg reads wrongly."""

import contextlib
import struct

import numpy as np
import pytest

from service import audio
from tools import signals

RATE = 22_050
GUID = bytes.fromhex("0100000000001000800000aa00389b71")
FLOAT_GUID = b"\x03" + GUID[1:]
W64 = bytes.fromhex("2e91cf11a5d628db04c10000")
W64_REST = bytes.fromhex("f3acd3118cd100c04f8edb8a")


def packed(waveform, bits, order):
    """Return samples as bytes: `bits` bits in the upper part of 8, 16, 24 or 32."""
    size = -(-bits // 8)
    integers = (waveform.astype(np.float64) * (2 ** (bits - 1) - 1)).astype(np.int64)
    integers <<= 8 * size - bits
    if size == 1:
        return (integers + 128).astype(np.uint8).tobytes()
    wide = integers.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :size]
    return (wide if order == "<" else wide[:, ::-1]).tobytes()


def chunk(name, body, order="<"):
    return name + struct.pack(order + "I", len(body)) + body + bytes(len(body) % 2)


def format_of(size, valid=None, order="<", guid=GUID, tag=1):
    """Return the body of a ``fmt`` chunk, extensible if valid bits are given."""
    head = struct.pack(
        order + "HHIIHH", 0xFFFE if valid else tag, 1, RATE, RATE * size, size, 8 * size
    )
    if not valid:
        return head
    if order == ">":
        guid = guid[3::-1] + guid[5:3:-1] + guid[7:5:-1] + guid[8:]
    return head + struct.pack(order + "HHI", 22, valid, 4) + guid


def riff(fmt, data, name=b"RIFF", order="<", before=b""):
    body = b"WAVE" + before + chunk(b"fmt ", fmt, order) + chunk(b"data", data, order)
    return name + struct.pack(order + "I", len(body)) + body


def rf64(fmt, data):
    sizes = struct.pack("<QQQI", 0, len(data), len(data), 0)
    body = b"WAVE" + chunk(b"ds64", sizes) + chunk(b"fmt ", fmt)
    return b"RF64\xff\xff\xff\xff" + body + b"data\xff\xff\xff\xff" + data


def w64(fmt, data):
    def part(name, body):
        return name + W64_REST + struct.pack("<Q", 24 + len(body)) + body + bytes(-len(body) % 8)

    parts = part(b"fmt ", fmt) + part(b"data", data)
    size = struct.pack("<Q", 40 + len(parts))
    return b"riff" + W64 + size + b"wave" + W64_REST + parts


@pytest.fixture(scope="module")
def groove():
    return signals.groove(4, RATE)


def check(data, groove, atol=1e-4):
    recording = audio.decode(data)
    assert recording.damaged_samples == 0
    np.testing.assert_allclose(recording.waveform, groove, atol=atol)


class TestValidBits:
    @pytest.mark.parametrize(("valid", "size"), [(24, 4), (20, 4), (16, 4), (20, 3), (12, 2)])
    @pytest.mark.parametrize("wrap", [riff, rf64, w64])
    def test_valid_bits_are_the_upper_bits(self, groove, wrap, valid, size):
        data = packed(groove, 8 * size, "<")
        check(wrap(format_of(size, valid), data), groove, 1e-3)

    @pytest.mark.parametrize(
        "before", [b"", chunk(b"JUNK", bytes(3_000_001)), chunk(b"LIST", b"INFOfmt fmt fmt ")]
    )
    def test_the_format_chunk_may_come_late(self, groove, before):
        data = riff(format_of(4, 24), packed(groove, 32, "<"), before=before)
        check(data, groove)

    def test_floats_stay_floats(self, groove):
        data = riff(format_of(4, 32, guid=FLOAT_GUID), groove.astype("<f4").tobytes())
        check(data, groove)

    def test_a_header_that_cannot_be_repaired_is_refused(self, groove):
        """FFmpeg also takes such samples for floats in a header without the extension."""
        fmt = struct.pack("<HHIIHH", 1, 1, RATE, 4 * RATE, 4, 24)
        with pytest.raises(audio.UnsupportedAudioError, match="floats, and they are not"):
            audio.decode(riff(fmt, packed(groove, 32, "<")))


class TestRIFX:
    @pytest.mark.parametrize("bits", [8, 16, 24, 32])
    @pytest.mark.parametrize("extensible", [False, True])
    def test_samples_are_big_endian(self, groove, bits, extensible):
        fmt = format_of(bits // 8, bits if extensible else None, ">")
        check(riff(fmt, packed(groove, bits, ">"), b"RIFX", ">"), groove, 3 / 2 ** min(bits, 14))

    def test_floats_are_big_endian(self, groove):
        data = riff(format_of(4, order=">", tag=3), groove.astype(">f4").tobytes(), b"RIFX", ">")
        check(data, groove)

    def test_24_bits_in_32(self, groove):
        check(riff(format_of(4, 24, ">"), packed(groove, 32, ">"), b"RIFX", ">"), groove)

    def test_an_extension_that_cannot_be_repaired_is_refused(self, groove):
        data = riff(format_of(2, order=">") + bytes(2), packed(groove, 16, ">"), b"RIFX", ">")
        with pytest.raises(audio.UnsupportedFormatError, match="RIFX"):
            audio.decode(data)

    def test_another_codec_is_refused(self, groove):
        data = riff(format_of(2, order=">", tag=2) + b"\0\0", bytes(9_000), b"RIFX", ">")
        with pytest.raises(audio.NotAudioError):
            audio.decode(data)


@pytest.mark.parametrize("name", ["wav", "rf64", "w64"])
def test_plain_headers_stay_unchanged(name):
    data = signals.encode(signals.groove(4, RATE), RATE, name)
    check(data, signals.groove(4, RATE))


@pytest.mark.parametrize("claimed", [0, 2**32 - 1, 2**63 - 1, 2**64 - 1])
def test_a_chunk_may_claim_any_size(groove, claimed):
    data = bytearray(w64(format_of(4, 24), packed(groove, 32, "<")))
    data[56:64] = struct.pack("<Q", claimed)
    with contextlib.suppress(audio.AudioError):
        audio.decode(bytes(data))


@pytest.mark.parametrize("size", [12, 20, 30, 44, 60])
def test_a_header_may_be_truncated(groove, size):
    with pytest.raises(audio.AudioError):
        audio.decode(riff(format_of(4, 24), packed(groove, 32, "<"))[:size])
