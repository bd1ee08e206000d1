"""The boxes of an MP4 that are not tags, and the targets of its indexes.

The tags of an MP4 are often stored before the sound. If they grow, the sound moves, and every file
position in an index must change accordingly. FFmpeg uses some of these positions, and players use
others. So this module compares all of them, by the place in the sound that they point to.
"""

from bisect import bisect_right
from collections.abc import Iterator
from hashlib import blake2b
from typing import BinaryIO, NamedTuple

from service.library.tags.ranges import Parts, digest, read_at, size_of

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"  # FFmpeg's name of the container
STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
META = (b"moov", b"udta", b"meta")
CONTAINERS = {
    *(STBL[:depth] for depth in range(1, 6)), *(META[:depth] for depth in range(1, 4)),
    (*META, b"ilst"), (b"moof",), (b"moof", b"traf"), (b"mfra",),
}  # fmt: skip
WRITTEN = {b"\xa9gen", b"gnre", b"tmpo", b"----"}  # items that hold the tags written here


class _Box(NamedTuple):
    """A box, or bytes that are not a box."""

    path: tuple[bytes, ...]
    begin: int
    start: int  # of its content
    end: int


def boxes(file: BinaryIO) -> Parts:
    """List all boxes except tags, and the names of other items of tags."""
    size = size_of(file)
    tops = [box.begin for box in _walk(file, 0, size, set())]
    found: Parts = []
    items: set[bytes] = set()
    for box in _walk(file, 0, size, CONTAINERS):
        if box.path[:3] == META:
            items.update(box.path[4:])
        elif box.path[-1] in _POINTING:
            found.append((box.path, _target_digest(file, box, tops)))
        else:
            found.append((box.path, box.end - box.start, digest(file, box.start, box.end)))
    return [*found, ("items", *sorted(items - WRITTEN))]


def _walk(
    file: BinaryIO, at: int, end: int, into: set[tuple[bytes, ...]], path: tuple[bytes, ...] = ()
) -> Iterator[_Box]:
    """Yield the boxes that are not containers, and at the end bytes that are not a box."""
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
            # a versioned box has its version before its first box; QuickTime's has none
            versioned = inner == META and read_at(file, start + 4, 4) != b"hdlr"
            yield from _walk(file, start + 4 * versioned, stop, into, inner)
        else:
            yield _Box(inner, at, start, stop)
        at = stop
    if at < end:
        yield _Box((*path, b""), at, at, end)


def _target_digest(file: BinaryIO, box: _Box, tops: list[int]) -> str:
    """Return a digest of a box with file positions, relative to the boxes that they point into."""
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
"""Readers of the boxes that hold file positions: they return positions and the other bytes."""
