"""The checksums of FLAC and Ogg."""

from functools import cache


def crc(data, polynomial, bits):
    """Return a cyclic redundancy check, highest bit first."""
    value, table, mask = 0, _table(polynomial, bits), (1 << bits) - 1
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> (bits - 8) ^ byte]
    return value


@cache
def _table(polynomial, bits):
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> (bits - 1) & 1 else 0)
        table.append(value & ((1 << bits) - 1))
    return table
