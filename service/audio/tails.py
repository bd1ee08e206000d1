"""Finds sound behind the last packet that a demuxer could read in a damaged file."""

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import av

from service.audio.source import Source

Packet: TypeAlias = "av.Packet[av.AudioStream]"
MOST_MARKS = 10_000  # that are examined: a small file can hold millions
FRAGMENT_HEADER = 64  # bytes, in which the track is followed by its time
HEADER = struct.Struct("<4sBBqIIIB")


class Page(NamedTuple):
    """The header of a page of Ogg."""

    mark: bytes
    version: int
    flags: int
    position: int
    stream: int
    number: int
    checksum: int
    segments: int


def ogg_page(source: Source, packet: Packet) -> Page | None:
    """Return the header of the page that a packet is in; the position in the file stays."""
    position = source.tell()
    head = source.at(packet.pos or 0, HEADER.size)
    source.seek(position)
    return Page(*HEADER.unpack(head)) if len(head) == HEADER.size else None


def ogg_end(source: Source, last: Packet) -> int:
    """Return the timestamp at the end of the last whole page of an Ogg stream, 0 if none is there.

    A demuxer leaves out pages with a wrong checksum. A page that is cut off does not count: its
    file was truncated.
    """
    data = _from(source, last)
    stream = Page(*HEADER.unpack_from(data)).stream if len(data) >= HEADER.size else None
    for at in _backwards(data, b"OggS"):
        if at + HEADER.size > len(data):
            continue
        page = Page(*HEADER.unpack_from(data, at))
        table = data[at + HEADER.size : at + HEADER.size + page.segments]
        size = HEADER.size + page.segments + sum(table)
        if page.stream == stream and page.position >= 0 and at + size <= len(data):
            return page.position
    return 0


def mp4_end(source: Source, last: Packet) -> int:
    """Return the timestamp of the last fragment of an MP4 track, 0 if none is there.

    A demuxer ends where it does not find the next fragment.
    """
    data = _from(source, last)
    for at in _backwards(data, b"tfhd"):
        time = data.find(b"tfdt", at, at + FRAGMENT_HEADER)
        if int.from_bytes(data[at + 8 : at + 12]) == last.stream.id and time >= 0:
            size = 8 if data[time + 4 : time + 5] == b"\1" else 4
            return int.from_bytes(data[time + 8 : time + 8 + size])
    return 0


def adts_skipped(source: Source, last: Packet) -> int:
    """Return how many bytes between the frames of ADTS were skipped.

    The demuxer counts the bytes that it does not skip, so the last packet is not where it says.
    """
    if last.pos is None or source.at(last.pos, last.size) == bytes(last) or source.holds(b"ID3"):
        return 0  # ID3: joined recordings may have tags between them
    return source.size - last.pos - last.size


def _backwards(data: bytes, mark: bytes) -> Iterator[int]:
    """Yield the positions of a mark, the last first."""
    at = len(data)
    for _ in range(MOST_MARKS):
        at = data.rfind(mark, 0, at)
        if at < 0:
            return
        yield at


def _from(source: Source, last: Packet) -> bytes:
    """Return the file from a packet on."""
    start = last.pos or 0
    return source.at(start, max(0, source.size - start))
