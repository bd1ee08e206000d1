"""Damaged recordings: case number n is the same on every machine."""

import random
from functools import cache

from tools import signals
from tools.recordings import caf_with_aac, in_its_own_order
from tools.torture.checksum import crc

SECONDS, RATE = 3.2, 24_000
HEADER = 600  # bytes at the beginning, where a container has most of its fields
EXTREMES = [number.to_bytes(4) for number in (0, 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)]
FIELDS = {
    b"fmt ": [(10, 2), (12, 4), (16, 4), (20, 2), (22, 2)],  # WAV: channels, rate, ..., bits
    b"data": [(4, 4)],
    b"COMM": [(8, 2), (10, 4), (14, 2), (16, 10)],  # AIFF: channels, frames, bits, rate
    b"fLaC": [(8, 4), (18, 3), (20, 2), (21, 5)],  # sizes of blocks, rate, channels, samples
    b"OpusHead": [(9, 1), (10, 2), (12, 4), (18, 1)],  # channels, samples to skip, rate, mapping
    b"\1vorbis": [(11, 1), (12, 4), (28, 1)],  # channels, rate, sizes of blocks
    b"OggS": [(6, 8)],  # where the page ends
    b"mvhd": [(16, 4), (20, 4)],  # units a second, duration
    b"mdhd": [(16, 4), (20, 4)],
    b"stts": [(8, 4), (12, 4), (16, 4)],  # number and duration of samples
    b"stsz": [(8, 4), (12, 4)],
    b"mp4a": [(20, 2), (22, 2), (28, 4)],  # channels, bits, rate
    b"\xb5\x84": [(2, 4)],  # Matroska: rate
    b"\xb5\x88": [(2, 8)],
    b"\x9f\x81": [(2, 1)],  # channels
    b"\x44\x89\x88": [(3, 8)],  # duration
    b"Xing": [(4, 4), (8, 4)],  # MP3: frames
    b"\xff\xfb": [(2, 2)],  # MP3: rate, channels
    b"\xff\xf1": [(2, 2)],  # ADTS: rate, channels
    b"desc\0\0": [(12, 8), (20, 4), (28, 4), (32, 4), (36, 4), (40, 4)],  # CAF: rate, ..., bits
    b"pakt\0\0": [(4, 8), (12, 8), (20, 8)],  # CAF: sizes, packets, frames
    b"#!AMR": [(6, 1)],  # the size of a frame
    b"fmt \xf3\xac": [(24, 2), (26, 2), (28, 4), (36, 2), (38, 2)],  # Wave64: as WAV
    b"ds64": [(4, 4), (8, 8), (16, 8)],  # RF64: sizes
    b".snd": [(4, 4), (8, 4), (12, 4), (16, 4), (20, 4)],  # AU: offset, size, codec, rate, channels
    b"\x0b\x77": [(2, 2), (4, 1), (5, 2)],  # AC-3: size, rate, channels
    b"\x40\x9e\x69\xf8": [(38, 4), (42, 4), (52, 2), (54, 2), (56, 4), (64, 2)],  # ASF: stream
    b"strh": [(8, 4), (28, 4), (32, 4), (40, 4), (52, 4)],  # AVI: codec, scale, rate, length
    b"strf": [(4, 4), (8, 2), (10, 2), (12, 4), (20, 2), (22, 2)],  # AVI: as WAV
    b"FLV\x01": [(4, 1), (5, 4), (14, 3), (24, 1)],  # streams, size, tag, codec
    b"\x47\x40\x00": [(1, 2), (5, 3), (10, 4)],  # MPEG-TS: packet, table
    b"\0\0\1\xc0": [(4, 2), (6, 4)],  # MPEG-PS: size, header
    b"wvpk": [(4, 4), (8, 2), (12, 4), (20, 4), (24, 4)],  # WavPack: size, version, samples, flags
    b"TTA1": [(4, 2), (6, 2), (8, 2), (10, 4), (14, 4)],  # TTA: channels, bits, rate, samples
}
"""The fields of a container that describe its sound: offset after a mark, and size, in bytes."""


@cache
def originals():
    """Return a short groove in every encoding, mono, stereo and with eight channels, by name."""
    groove = signals.groove(SECONDS, RATE)
    found = {
        f"{name}-{channels}": signals.encode(groove, RATE, name, channels)
        for name in (*signals.ENCODINGS, "vorbis")
        for channels in signals.LAYOUTS
        if (name, channels) != ("mp3", 8)
    }
    found |= {
        f"{name}-{channels}": signals.encode(groove, RATE, name, channels)
        for name in signals.OTHER_ENCODINGS
        for channels in (1, 2)
        if channels == 1 or name not in ("amr", "3gp")
    }
    own_order = in_its_own_order(found["aiff-2"])
    found["caf-aac"] = caf_with_aac(found["m4a-2"])
    return found | {"wav": signals.wav(groove, RATE), "aiff-own-order": own_order}


def case(number, seed=0):
    """Return the name of a case's original, and the damaged file."""
    rng = random.Random(f"{seed}/{number}")
    name = rng.choice(sorted(originals()))
    data = originals()[name]
    for _ in range(rng.randint(1, 3)):
        if len(data) > 8:
            data = rng.choice(MUTATIONS)(data, rng)
    return name, bytes(data)


def flip_bits(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 40)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def overwrite_header(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(min(len(data), HEADER))] = rng.randrange(256)
    return data


def lie(data, rng):
    """Write an extreme number where a rate, a size, a duration or a channel count may be."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(min(len(data), HEADER) - 4)
        data[at : at + 4] = rng.choice(EXTREMES)
    return data


def lie_about_sound(data, rng):
    """Change the rate, duration or channel count in the container's own fields."""
    data = bytearray(data)
    places = [
        (at + start, size)
        for mark, fields in FIELDS.items()
        if (at := bytes(data).find(mark)) >= 0
        for start, size in fields
        if at + start + size <= len(data)
    ]
    for at, size in rng.sample(places, min(len(places), rng.randint(1, 3))):
        value = rng.choice(
            [bytes(size), b"\xff" * size, bytes(size - 1) + b"\1", rng.randbytes(size)]
        )
        data[at : at + size] = value if rng.random() < 0.5 else value[::-1]
        mend_ogg(data, at)
    return data if places else lie(data, rng)


def mend_ogg(data, at):
    """Correct the checksum of an Ogg page; FFmpeg skips a page with a wrong checksum."""
    page = data.rfind(b"OggS", 0, at + 1)
    if page < 0 or page + 27 > len(data):
        return
    lacing = data[page + 27 : page + 27 + data[page + 26]]
    end = page + 27 + len(lacing) + sum(lacing)
    data[page + 22 : page + 26] = bytes(4)
    data[page + 22 : page + 26] = crc(data[page:end], 0x04C11DB7, 32).to_bytes(4, "little")


def break_off(data, rng):
    return data[: rng.randrange(1, len(data))]


def cut_out(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 5_000) :]


def insert(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.randint(1, 3_000)) + data[at:]


def repeat(data, rng):
    at = rng.randrange(len(data))
    piece = data[at : at + rng.randint(1, 3_000)]
    return data[:at] + piece * rng.randint(2, 20) + data[at:]


def splice(data, rng):
    """Continue with the bytes of another file, maybe in another container."""
    other = originals()[rng.choice(sorted(originals()))]
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


MUTATIONS = (
    flip_bits, overwrite_header, lie, lie_about_sound, break_off, cut_out, insert, repeat, splice,
)  # fmt: skip
