"""Reads ranges of a file of any size."""

import io
from collections.abc import Iterator
from hashlib import blake2b
from typing import BinaryIO

Parts = list[tuple[object, ...]]
"""The parts of a file, each with its name and a digest of its bytes."""

BLOCK = 2**20  # bytes that are read at a time


def size_of(file: BinaryIO) -> int:
    """Return the size of a file."""
    return file.seek(0, io.SEEK_END)


def read_at(file: BinaryIO, at: int, size: int) -> bytes:
    """Read bytes at a position of a file; none if the position is negative."""
    if at < 0:
        return b""
    file.seek(at)
    return file.read(size)


def blocks(file: BinaryIO, at: int, end: int) -> Iterator[bytes]:
    """Read a range of a file, in blocks."""
    file.seek(at)
    while at < end and (block := file.read(min(BLOCK, end - at))):
        yield block
        at += len(block)


def digest(file: BinaryIO, at: int, end: int) -> str:
    """Return a digest of a range of a file."""
    found = blake2b()
    for block in blocks(file, at, end):
        found.update(block)
    return found.hexdigest()
