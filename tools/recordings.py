"""Recordings that no encoder writes by itself, for the tests and ``make torture``."""

import io
import struct

import av
import numpy as np
import soundfile

from service import audio
from tools import signals

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
"""By the name of an encoding: its container and its codec, as they are published."""


def float_wav(samples, rate=audio.SAMPLE_RATE, *, bits=32):
    """Return a WAV of floats of 32 or 64 bits; `samples` [shape=(n, channels)]."""
    file = io.BytesIO()
    subtype = {32: "FLOAT", 64: "DOUBLE"}[bits]
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def video(muxer, codec):
    """Return a grey video of one second without sound."""
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
    """Return a stereo AIFF that names the position of each channel, right before left."""
    places = b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in (2, 1))
    layout = struct.pack(">III", 0, 0, 2) + places
    chunk = b"CHAN" + struct.pack(">I", len(layout)) + layout
    size = struct.pack(">I", int.from_bytes(data[4:8]) + len(chunk))
    return data[:4] + size + data[8:].replace(b"SSND", chunk + b"SSND", 1)


def of_codec_nobody_knows(data):
    """Return a WAV whose header names a codec that FFmpeg does not know."""
    return data.replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x62\x20")


HUGE = 2**31 - 256
TAG_OF_2_GB = (  # FFmpeg accepts only parts that lie within their parent
    b"RIFF" + struct.pack("<I", HUGE) + b"WAVELIST" + struct.pack("<I", HUGE - 32)
    + b"INFOINAM" + struct.pack("<I", HUGE - 64) + b"x"
)  # fmt: skip


def silent_opus(seconds):
    """Return Ogg with Opus packets of two bytes: six empty frames of 20 ms each."""
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


def caf_with_aac(data):
    """Return a CAF with the AAC of an M4A, as an iPhone writes it; FFmpeg has no muxer for it."""
    with av.open(io.BytesIO(data)) as container:
        (stream,) = container.streams.audio
        rate, channels = stream.rate, stream.channels
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
    at = data.index(b"esds")
    cookie = data[at + 4 : at - 4 + int.from_bytes(data[at - 4 : at])]
    description = struct.pack(">d4sIIIII", rate, b"aac ", 0, 0, 1_024, channels, 0)
    sizes = b"".join(bytes([len(packet) >> 7 | 0x80, len(packet) & 0x7F]) for packet in packets)
    table = struct.pack(">qqii", len(packets), len(packets) * 1_024, 0, 0) + sizes
    chunks = [(b"desc", description), (b"kuki", cookie), (b"pakt", table)]
    chunks.append((b"data", bytes(4) + b"".join(packets)))
    return b"caff\0\1\0\0" + b"".join(
        name + struct.pack(">q", len(body)) + body for name, body in chunks
    )
