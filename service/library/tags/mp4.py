"""The boxes of an MP4 that are no tags, and what its indexes point at.

Tags lie in the index of an MP4, which is often before the sound. Where they grow, the sound moves,
and every position in the file that an index holds must move with it. FFmpeg follows some of them,
players follow others: here each is compared by the place in the sound that it means.
"""

from bisect import bisect_right
from collections.abc import Iterator
from hashlib import blake2b
from typing import BinaryIO, NamedTuple

from service.library.tags.ranges import Parts, digest, read_at, size_of

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"  # what FFmpeg calls the container
STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
META = (b"moov", b"udta", b"meta")
CONTAINERS = {
    *(STBL[:depth] for depth in range(1, 6)), *(META[:depth] for depth in range(1, 4)),
    (*META, b"ilst"), (b"moof",), (b"moof", b"traf"), (b"mfra",),
}  # fmt: skip
WRITTEN = {b"\xa9gen", b"gnre", b"----"}  # items that tags of ours are in


class _Box(NamedTuple):
    """A box, or what is none."""

    path: tuple[bytes, ...]
    begin: int
    start: int  # of what is in it
    end: int


def boxes(file: BinaryIO) -> Parts:
    """List the boxes but those of tags, of which only the names of others' items."""
    size = size_of(file)
    tops = [box.begin for box in _walk(file, 0, size, set())]
    found: Parts = []
    items: set[bytes] = set()
    for box in _walk(file, 0, size, CONTAINERS):
        if box.path[:3] == META:
            items.update(box.path[4:])
        elif box.path[-1] in _POINTING:
            found.append((box.path, _meant(file, box, tops)))
        else:
            found.append((box.path, box.end - box.start, digest(file, box.start, box.end)))
    return [*found, ("items", *sorted(items - WRITTEN))]


def _walk(
    file: BinaryIO, at: int, end: int, into: set[tuple[bytes, ...]], path: tuple[bytes, ...] = ()
) -> Iterator[_Box]:
    """Give the boxes that hold no others, and in the end what is no box."""
    while at + 8 <= end:
        head = read_at(file, at, 16)
        length, start = int.from_bytes(head[:4]), at + 8
        if length == 1:
            length, start = int.from_bytes(head[8:]), at + 16
        stop = at + length if length else end
        if not start <= stop <= end:
            break
        inner = (*path, head[4:8])
        if inner in into:
            # a box of its own version has it before its first; QuickTime's has none
            versioned = inner == META and read_at(file, start + 4, 4) != b"hdlr"
            yield from _walk(file, start + 4 * versioned, stop, into, inner)
        else:
            yield _Box(inner, at, start, stop)
        at = stop
    if at < end:
        yield _Box((*path, b""), at, at, end)


def _meant(file: BinaryIO, box: _Box, tops: list[int]) -> str:
    """Return a digest of a box that points into the file, of what it means."""
    data = read_at(file, box.start, box.end - box.start)
    positions, rest = _POINTING[box.path[-1]](data)
    found = blake2b(rest)
    for position in positions:
        top = bisect_right(tops, position) - 1
        found.update(f"{top} {position - tops[top]} ".encode())
    return found.hexdigest()


def _table(data: bytes, at: int, width: int) -> tuple[list[int], bytes]:
    return [int.from_bytes(data[i : i + width]) for i in range(at, len(data), width)], data[:at]


def _chunk_offsets(data: bytes) -> tuple[list[int], bytes]:
    return _table(data, 8, 4)


def _long_chunk_offsets(data: bytes) -> tuple[list[int], bytes]:
    return _table(data, 8, 8)


def _fragment_header(data: bytes) -> tuple[list[int], bytes]:
    if not int.from_bytes(data[:4]) & 1:
        return [], data
    return [int.from_bytes(data[8:16])], data[:8] + data[16:]


def _fragment_index(data: bytes) -> tuple[list[int], bytes]:
    width = 8 if data[:1] == b"\x01" else 4
    numbers = sum((int.from_bytes(data[8:12]) >> shift) % 4 + 1 for shift in (4, 2, 0))
    entries = [data[i : i + 2 * width + numbers] for i in range(16, len(data), 2 * width + numbers)]
    rest = b"".join(entry[:width] + entry[2 * width :] for entry in entries)
    return [int.from_bytes(entry[width : 2 * width]) for entry in entries], data[:16] + rest


_POINTING = {
    b"stco": _chunk_offsets,
    b"co64": _long_chunk_offsets,
    b"tfhd": _fragment_header,
    b"tfra": _fragment_index,
}
"""Boxes that hold positions in the file: these, and the rest of the box."""
