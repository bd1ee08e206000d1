"""The parts of a container that are no tags, so that none of them is lost.

FFmpeg reads streams and passes over the rest: chunks that other programs put into a WAV, indexes,
what follows the end. Here they are listed, each with a digest of its bytes.
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

ID3_HEADER, ID3_FOOTER = 10, 0x10  # bytes; the flag of a tag that has its header at its end, too
ID3V1 = 128  # bytes
LYRICS, LYRICS_FOOTER = re.compile(rb"(\d{6})LYRICS200"), 15  # its size without this; bytes
APE_FOOTER, APE_HAS_HEADER = struct.Struct("<8s4I8x"), 1 << 31
FLAC_PADDING, FLAC_COMMENTS, FLAC_LAST = 1, 4, 0x80


@dataclass(frozen=True)
class Ends:
    """Where the tags around a sound are.

    Attributes
    ----------
    id3 : int
        Size of ID3v2 in front of the sound.
    ape_start, ape_end : int
        Of APEv2 behind the sound; Lyrics3 and ID3v1 may follow.
    """

    id3: int
    ape_start: int
    ape_end: int

    @classmethod
    def of(cls, file: BinaryIO) -> Self:
        """Find them."""
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
    """Return the size of the ID3v2 tag that begins so, 0 if none does."""
    if len(head) < ID3_HEADER or head[:3] != b"ID3":
        return 0
    size = sum(
        (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False)
    )
    return ID3_HEADER * (2 if head[5] & ID3_FOOTER else 1) + size


def _around(file: BinaryIO) -> Parts:
    """List what lies between and behind tags."""
    ends, size = Ends.of(file), size_of(file)
    return [
        ("sound", ends.ape_start - ends.id3, digest(file, ends.id3, ends.ape_start)),
        ("behind", size - ends.ape_end, digest(file, ends.ape_end, size)),
    ]


def _chunks(file: BinaryIO, order: str) -> Parts:
    """List the chunks of a RIFF or an AIFF but the first of ID3, and if its size is right."""
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
    """List the blocks of a FLAC but comments and padding, and the sound."""
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
"""How the first packet of a stream begins whose second is comments."""


class _OggStream:
    """The packets of a stream, one after the other."""

    def __init__(self) -> None:
        self.packets, self.begun, self.tagged = 0, b"", False
        self.digest = blake2b()

    def add(self, piece: bytes, *, whole: bool) -> None:
        self.begun += piece
        if not whole:
            return
        if self.packets == 0:
            self.tagged = self.begun.startswith(OGG_MAGIC)
        if not (self.tagged and self.packets == 1):
            self.digest.update(f"{len(self.begun)} ".encode() + self.begun)
        self.packets, self.begun = self.packets + 1, b""


def _ogg(file: BinaryIO) -> Parts:
    """List the streams of an Ogg but their comments, and what is no page."""
    streams: dict[bytes, _OggStream] = {}
    at, size = 0, size_of(file)
    while (head := read_at(file, at, 27))[:4] == b"OggS" and len(head) == 27:
        lacing = file.read(head[26])
        stream = streams.setdefault(head[14:18], _OggStream())
        ends = lacing and lacing[-1] < 255
        stream.digest.update(head[6:14] if ends and any(head[6:14]) else b"")  # its time
        begun = 0
        for length in lacing:
            begun += length
            if length < 255:
                stream.add(file.read(begun), whole=True)
                begun = 0
        stream.add(file.read(begun), whole=False)
        at = file.tell()
    found: Parts = [
        (serial, stream.packets, len(stream.begun), stream.digest.hexdigest())
        for serial, stream in streams.items()
    ]
    return [*found, ("rest", size - at, digest(file, at, size))]


def parts(file: BinaryIO, container: str) -> Parts:
    """Return the parts of a file that are no tags.

    Parameters
    ----------
    file : binary file
    container : str
        FFmpeg's name.
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
"""By FFmpeg's container; tags of the others stand around the sound."""
