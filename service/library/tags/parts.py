"""The parts of a container that are not tags, so that none of them is lost.

FFmpeg reads streams and ignores the rest: chunks that other programs put into a WAV, indexes, and
bytes after the end. This module lists these parts, each with a digest of its bytes.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import BinaryIO, Self

from service.library.tags.asf import objects
from service.library.tags.mp4 import MP4, boxes
from service.library.tags.ranges import Parts, digest, read_at, size_of

ID3_HEADER, ID3_FOOTER = 10, 0x10  # bytes; flag of a tag with a footer
ID3V1 = 128  # bytes
# the footer of Lyrics3 holds its size without the footer
LYRICS, LYRICS_FOOTER = re.compile(rb"(\d{6})LYRICS200"), 15  # bytes
APE_FOOTER, APE_HAS_HEADER = struct.Struct("<8s4I8x"), 1 << 31
FLAC_PADDING, FLAC_COMMENTS, FLAC_LAST = 1, 4, 0x80


@dataclass(frozen=True)
class Ends:
    """Positions of the tags around the sound.

    Attributes
    ----------
    id3 : int
        Size of ID3v2 before the sound.
    ape_start, ape_end : int
        Positions of APEv2 after the sound; Lyrics3 and ID3v1 may follow.
    """

    id3: int
    ape_start: int
    ape_end: int

    @classmethod
    def of(cls, file: BinaryIO) -> Self:
        """Find the tags in a file."""
        size = size_of(file)
        end = size - ID3V1 if read_at(file, size - ID3V1, 3) == b"TAG" else size
        lyrics = LYRICS.fullmatch(read_at(file, end - LYRICS_FOOTER, LYRICS_FOOTER))
        if lyrics:
            end -= int(lyrics[1]) + LYRICS_FOOTER
        footer = read_at(file, end - APE_FOOTER.size, APE_FOOTER.size)
        mark, _, length, _, flags = APE_FOOTER.unpack(footer.ljust(APE_FOOTER.size))
        id3, start = id3_size(read_at(file, 0, ID3_HEADER)), end
        if mark == b"APETAGEX":
            start = max(id3, end - length - (APE_FOOTER.size if flags & APE_HAS_HEADER else 0))
        return cls(id3, start, end)


def id3_size(head: bytes) -> int:
    """Return the size of the ID3v2 tag that begins with `head`, or 0 if there is none."""
    if len(head) < ID3_HEADER or head[:3] != b"ID3":
        return 0
    size = sum(
        (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False)
    )
    return ID3_HEADER * (2 if head[5] & ID3_FOOTER else 1) + size


def _around(file: BinaryIO) -> Parts:
    """List the bytes between and after the tags."""
    ends, size = Ends.of(file), size_of(file)
    return [
        ("sound", ends.ape_start - ends.id3, digest(file, ends.id3, ends.ape_start)),
        ("behind", size - ends.ape_end, digest(file, ends.ape_end, size)),
    ]


def _chunks(file: BinaryIO, order: str) -> Parts:
    """List the chunks of a RIFF or AIFF except the first ID3, and the error of the size field."""
    size, at, found, tagged = size_of(file), 12, [], False
    (declared,) = struct.unpack(f"{order}I", read_at(file, 4, 4))
    parts: Parts = [("size", size - declared)]
    while at < size:
        head = read_at(file, at, 8)
        name, length = head[:4], int.from_bytes(head[4:], "little" if order == "<" else "big")
        end = at + 8 + length + length % 2
        if name.lower() == b"id3 " and not tagged:
            tagged = True
        else:
            found.append((name, length, digest(file, at + 8, min(end, size))))
        at = end
    return parts + found


def _flac(file: BinaryIO) -> Parts:
    """List all blocks of a FLAC except comments and padding, and the sound."""
    at = id3_size(read_at(file, 0, ID3_HEADER))
    found: Parts = [("before", digest(file, 0, at))]
    at, last = at + 4, False
    while not last and len(head := read_at(file, at, 4)) == 4:
        last, kind, end = bool(head[0] & FLAC_LAST), head[0] % FLAC_LAST, int.from_bytes(head[1:])
        end += at + 4
        if kind not in (FLAC_PADDING, FLAC_COMMENTS):
            found.append((kind, digest(file, at + 4, end)))
        at = end
    return [*found, ("sound", digest(file, at, size_of(file)))]


OGG_MAGIC = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
"""First bytes of a stream whose second packet holds comments."""


class _OggStream:
    """A digest of the packets of a stream, except comments."""

    def __init__(self) -> None:
        self.packets, self.partial, self.tagged = 0, b"", False
        self.digest = blake2b()

    def add(self, piece: bytes, *, whole: bool) -> None:
        self.partial += piece
        if not whole:
            return
        if self.packets == 0:
            self.tagged = self.partial.startswith(OGG_MAGIC)
        if not (self.tagged and self.packets == 1):
            self.digest.update(f"{len(self.partial)} ".encode() + self.partial)
        self.packets, self.partial = self.packets + 1, b""


def _ogg(file: BinaryIO) -> Parts:
    """List the streams of an Ogg without their comments, and bytes that are not a page."""
    streams: dict[bytes, _OggStream] = {}
    at, size = 0, size_of(file)
    while (head := read_at(file, at, 27))[:4] == b"OggS" and len(head) == 27:
        lacing = file.read(head[26])
        stream = streams.setdefault(head[14:18], _OggStream())
        ends = lacing and lacing[-1] < 255
        stream.digest.update(head[6:14] if ends and any(head[6:14]) else b"")  # its time
        pending = 0
        for length in lacing:
            pending += length
            if length < 255:
                stream.add(file.read(pending), whole=True)
                pending = 0
        stream.add(file.read(pending), whole=False)
        at = file.tell()
    found: Parts = [
        (serial, stream.packets, len(stream.partial), stream.digest.hexdigest())
        for serial, stream in streams.items()
    ]
    return [*found, ("rest", size - at, digest(file, at, size))]


def parts(file: BinaryIO, container: str) -> Parts:
    """Return the parts of a file that are not tags.

    Parameters
    ----------
    file : binary file
    container : str
        FFmpeg's name of the container.
    """
    return _READERS.get(container, _around)(file)


_READERS: dict[str, Callable[[BinaryIO], Parts]] = {
    "wav": partial(_chunks, order="<"),
    "aiff": partial(_chunks, order=">"),
    "flac": _flac,
    "ogg": _ogg,
    "asf": objects,
    MP4: boxes,
}
"""Readers by FFmpeg's container; in other containers, tags are around the sound."""
