"""Bombs: small, well-formed uploads whose analysis would cost far too much.

`make torture` sends them at full size; the tests send smaller ones.
"""

import io
import struct
import sys
import time
import zlib
from dataclasses import dataclass

import av
import httpx2 as httpx
import numpy as np

from service import audio
from service.schemas import PROBLEM_TYPES
from service.verdict import VERDICTS
from tools import signals
from tools.recordings import TAG_OF_2_GB, silent_opus
from tools.torture.checksum import crc
from tools.torture.outcome import Outcome

ANSWERED = set(VERDICTS)
SLOW_SECONDS = 45  # 20 to decode on a busy machine, and the later stages
MOST_GROWN_MB = 600  # the need of a recording, and two copies of the body
FLAC_SAMPLES = 65_535  # in a frame
SILENT_OPUS = b"\xfb\x06"  # six empty frames of 20 ms
MIB = 2**20


def silent_mp3(hours):
    """Return hours of digital silence at MP3's lowest rate: 8 kbit/s at 8 kHz."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=8_000, layout="mono")
        stream.bit_rate = 8_000
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 80_000), np.int16), "s16", "mono")
        frame.sample_rate = 8_000
        packets = [bytes(packet) for packet in [*stream.encode(frame), *stream.encode(None)]]
    seconds = 0.072  # of a frame
    return packets[20] * round(hours * 3_600 / seconds)


def silent_flac(hours, channels=1, rate=48_000):
    """Return hours of digital silence in constant subframes of FLAC: 65 535 samples each."""
    info = struct.pack(">HH", FLAC_SAMPLES, FLAC_SAMPLES) + bytes(6)
    info += (rate << 44 | (channels - 1) << 41 | 15 << 36).to_bytes(8, "big") + bytes(16)
    frames = round(hours * 3_600 * rate / FLAC_SAMPLES)
    return b"fLaC\x80" + len(info).to_bytes(3, "big") + info + b"".join(
        _flac_frame(number, channels, rate) for number in range(frames)
    )  # fmt: skip


def _flac_frame(number, channels, rate):
    """Return a frame of 16-bit silence."""
    size_and_rate = 0x70 | {48_000: 0x0A, 192_000: 0x03}[rate]
    head = b"\xff\xf8" + bytes([size_and_rate, (channels - 1) << 4 | 0x08])
    head += chr(number).encode("utf-8", "surrogatepass") + struct.pack(">H", FLAC_SAMPLES - 1)
    head += bytes([crc(head, 0x07, 8)])
    frame = head + bytes(3) * channels  # per channel, a constant subframe: type and value
    return frame + crc(frame, 0x8005, 16).to_bytes(2, "big")


def tagged(picture, kind=b"image/jpeg"):
    """Return an MP3 with a cover."""
    body = b"\0" + kind + b"\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame + signals.encode(signals.groove(4), 48_000, "mp3")


def huge_png(side):
    """Return a black picture of 16-bit RGBA: 8 bytes a pixel after decoding."""
    squeezed = zlib.compressobj(9)
    row = bytes(1 + 8 * side)
    data = b"".join(squeezed.compress(row) for _ in range(side)) + squeezed.flush()
    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def many_in_ogg(streams):
    """Return Ogg with so many streams of Opus, 12 s each."""
    head = b"OpusHead\1\1" + struct.pack("<HIHB", 0, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<II", 0, 0)
    pages = [_ogg_page(serial, 0, 2, head) for serial in range(streams)]
    pages += [_ogg_page(serial, 1, 0, tags) for serial in range(streams)]
    pages += [
        _ogg_page(serial, 2, 4, SILENT_OPUS, packets=100, granule=100 * 5_760)
        for serial in range(streams)
    ]
    return b"".join(pages)


def _ogg_page(serial, number, flags, packet, packets=1, granule=0):
    """Return an Ogg page of some equal packets."""
    lacing = bytes([len(packet)]) * packets
    head = struct.pack("<qIII", granule, serial, number, 0) + bytes([packets]) + lacing
    page = b"OggS\0" + bytes([flags]) + head + packet * packets
    return page[:22] + crc(page, 0x04C11DB7, 32).to_bytes(4, "little") + page[26:]


def many_in_mp4(tracks):
    """Return MP4 with so many equal tracks."""
    whole = signals.encode(signals.groove(4), 48_000, "m4a")

    def multiplied(name, body):
        if name == b"moov":
            return b"".join(
                _box(inner, content) * (tracks if inner == b"trak" else 1)
                for inner, content in _boxes(body)
            )
        return body

    return b"".join(_box(name, multiplied(name, body)) for name, body in _boxes(whole))


def _boxes(data):
    """Yield the boxes of an MP4, each with its name."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _box(name, body):
    return struct.pack(">I", 8 + len(body)) + name + body


def many_in_matroska(tracks):
    """Return Matroska that announces so many tracks and has sound in the first."""

    def track(number):
        sound = _element(b"\xb5", struct.pack(">f", 48_000)) + _element(b"\x9f", b"\1")
        return _element(
            b"\xae",
            _element(b"\xd7", struct.pack(">H", number))
            + _element(b"\x73\xc5", struct.pack(">H", number))
            + _element(b"\x83", b"\2")
            + _element(b"\x86", b"A_PCM/INT/LIT")
            + _element(b"\xe1", sound + _element(b"\x62\x64", b"\x10")),
        )

    head = _element(b"\x1a\x45\xdf\xa3", _element(b"\x42\x82", b"matroska"))
    block = _element(b"\xa3", b"\x81\0\0\x80" + bytes(9_600))
    segment = (
        _element(b"\x15\x49\xa9\x66", _element(b"\x2a\xd7\xb1", struct.pack(">I", 1_000_000)))
        + _element(b"\x16\x54\xae\x6b", b"".join(track(number) for number in range(1, tracks + 1)))
        + _element(b"\x1f\x43\xb6\x75", _element(b"\xe7", b"\0") + block * 50)
    )
    return head + _element(b"\x18\x53\x80\x67", segment)


def _element(name, body):
    """Return an element of EBML with its size in eight bytes."""
    return name + struct.pack(">Q", len(body) | 1 << 56) + body


BOMBS = {
    "silence in Opus": (lambda scale: silent_opus(36_000 * scale), {"silence"}),
    "silence in MP3": (lambda scale: silent_mp3(9 * scale), {"silence"}),  # the limit of a body
    "silence in FLAC": (lambda scale: silent_flac(10 * scale), {"silence"}),
    "8 channels of 192 kHz": (
        lambda scale: silent_flac(10 * scale, audio.MAX_CHANNELS, audio.MAX_RATE),
        {"silence", "decode-timeout"},
    ),
    "64 channels": (
        lambda scale: signals.wav(signals.sine(3, rate=48_000), 48_000, 64),
        {"unsupported-audio"},
    ),
    "a tag of 2 GB": (lambda scale: TAG_OF_2_GB, {"not-audio"}),
    "streams in Ogg": (lambda scale: many_in_ogg(round(5_000 * scale)), {"unsupported-audio"}),
    "tracks in MP4": (lambda scale: many_in_mp4(round(5_000 * scale)), {"unsupported-audio"}),
    "tracks in Matroska": (
        lambda scale: many_in_matroska(round(5_000 * scale)),
        {"unsupported-audio"},
    ),
    "as many streams as are taken, in Ogg": (
        lambda scale: many_in_ogg(audio.MAX_STREAMS),
        {"silence"},
    ),
    "as many tracks as are taken, in MP4": (lambda scale: many_in_mp4(audio.MAX_STREAMS), ANSWERED),
    "a cover of 30 MB": (lambda scale: tagged(bytes(30 * MIB)), ANSWERED),
    "a cover of 50 MB": (lambda scale: tagged(bytes(50 * MIB)), {"body-too-large"}),
    "a cover of megapixels": (
        lambda scale: tagged(huge_png(round(4_000 + 11_000 * scale)), b"image/png"),
        ANSWERED,
    ),
}
"""By name: a function of the scale (1 is full size) that returns the upload, and the allowed
answers."""


@dataclass(frozen=True)
class Cost:
    """The cost of a bomb for a process of the service.

    Attributes
    ----------
    kind : str
        The problem's slug, or the verdict of the answer.
    seconds, grown_mb : float
        Seconds until the answer; the peak of the process's memory above its level before.
    """

    kind: str
    seconds: float
    grown_mb: float


def throw(server, data):
    """Post a bomb to a process of the service, and return its cost."""
    before, started = server.memory_mb(), time.perf_counter()
    headers = {"Content-Type": "audio/any"}
    response = httpx.post(f"{server.url}/v1/analyze", content=data, headers=headers, timeout=60)
    seconds = time.perf_counter() - started
    body = response.json()
    kind = body.get("verdict") or body["type"].removeprefix(PROBLEM_TYPES)
    return Cost(kind, seconds, server.most_memory_mb() - before)


def torture(server, scale):
    """Post every bomb to a process of the service, and print the cost of each."""
    outcome = Outcome()
    for name, (make, expected) in BOMBS.items():
        data = make(scale)
        cost = throw(server, data)
        sys.stderr.write(f"{name}, {len(data):,} bytes: {cost}\n")
        outcome.kinds[cost.kind] += 1
        outcome.slowest_seconds = max(outcome.slowest_seconds, cost.seconds)
        if (
            cost.kind not in expected
            or cost.seconds > SLOW_SECONDS
            or cost.grown_mb > MOST_GROWN_MB
        ):
            outcome.failed.append(f"{name}: {cost}")
    outcome.memory_mb = server.most_memory_mb()
    return outcome
