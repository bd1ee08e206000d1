"""Damaged recordings: case number n is the same on every machine."""

import random
from functools import cache

from tests import signals

SECONDS, RATE = 3.2, 24_000
HEADER = 600  # bytes at the beginning, where most of what a container says of itself is
EXTREMES = [number.to_bytes(4) for number in (0, 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)]


@cache
def originals():
    """A short groove in every encoding, mono and stereo, by name."""
    groove = signals.groove(SECONDS, RATE)
    found = {
        f"{name}-{channels}": signals.encode(groove, RATE, name, channels)
        for name in (*signals.ENCODINGS, "vorbis")
        for channels in (1, 2)
    }
    return found | {"wav": signals.wav(groove, RATE)}


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
    """Put an extreme number where a rate, a size, a duration or a number of channels may be."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(min(len(data), HEADER) - 4)
        data[at : at + 4] = rng.choice(EXTREMES)
    return data


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
    """Go on as another file, maybe of another container."""
    other = originals()[rng.choice(sorted(originals()))]
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


MUTATIONS = (flip_bits, overwrite_header, lie, break_off, cut_out, insert, repeat, splice)
