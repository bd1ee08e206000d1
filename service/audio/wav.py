"""Repairs WAV headers that FFmpeg reads wrongly.

Two faults of FFmpeg 8 give noise, not an error:

* Integers of 24 valid bits in 32 (``WAVE_FORMAT_EXTENSIBLE``) are read as floats. They lie in the
  upper bits, so the patched header declares integers of 32 bits.
* RIFX is big-endian RIFF. FFmpeg reads its header as big-endian, but its samples as little-endian.
"""

import struct
from collections.abc import Iterator

import av

from service.audio.errors import UnsupportedFormatError
from service.audio.source import Source

HEAD = 12  # bytes that tell a WAV
MOST_CHUNKS = 64  # chunks that are searched for the format
PCM, EXTENSIBLE = 0x0001, 0xFFFE
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
W64_GUID = bytes.fromhex("2e91cf11a5d628db04c10000")  # after the name of the first chunk
FORMAT = "HHIIHHHH"  # tag, channels, rate, bytes a second, bytes a frame, bits, size, valid bits
PLAIN, VALID_AT, GUID_AT = 16, 18, 24  # bytes in the format chunk


def is_wav(head: bytes) -> bool:
    """Return whether a file with these first `HEAD` bytes is a WAV.

    Its samples follow its header, so it can be decoded while it grows. FFmpeg looks for metadata
    behind the samples, and does without if they have not arrived.
    """
    return head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE"


def mend(source: Source) -> bool:
    """Patch the header of a WAV where FFmpeg would read it wrongly.

    Returns
    -------
    big_endian : bool
        Whether the samples are big-endian, although FFmpeg will report little-endian.
    """
    name = source.head(HEAD)
    big_endian = name[:4] == b"RIFX" and name[8:] == b"WAVE"
    order = ">" if big_endian else "<"
    for chunk, start in _chunks(source, order):
        if chunk == b"fmt ":
            _mend_format(source, start, source.at(start, GUID_AT + 16), order)
            break
    source.seek(0)
    return big_endian


def big_endian(codec: av.AudioCodecContext) -> av.AudioCodecContext:
    """Return a decoder of the same samples in big-endian order.

    Raises
    ------
    UnsupportedFormatError
        If the samples are not PCM.
    """
    if codec.name in ("pcm_u8", "pcm_alaw", "pcm_mulaw"):
        return codec
    name = codec.name.removesuffix("le") + "be"
    if name not in av.codec.codecs_available:
        raise UnsupportedFormatError(
            "This is RIFX with samples that are not PCM; only PCM is accepted."
        )
    decoder = av.CodecContext.create(name, "r")
    if not isinstance(decoder, av.AudioCodecContext):
        raise TypeError(name)
    decoder.sample_rate, decoder.layout = codec.sample_rate, codec.layout
    return decoder


def _mend_format(source: Source, start: int, body: bytes, order: str) -> None:
    """Declare all stored bits of integers valid, and the format of RIFX plain PCM."""
    if len(body) < GUID_AT + 16:
        return
    tag, *_, bits, _, valid = struct.unpack_from(order + FORMAT, body)
    guid = body[GUID_AT:]
    if order == ">":  # the first three numbers of the GUID are big-endian, too
        guid = guid[3::-1] + guid[5:3:-1] + guid[7:5:-1] + guid[8:]
    if tag != EXTENSIBLE or guid != PCM_GUID:
        return
    if 0 < valid < bits:
        source.patch(start + VALID_AT, struct.pack(order + "H", bits))
    if order == ">":  # FFmpeg reads the extension in RIFF only: it becomes a chunk to skip
        size = int.from_bytes(source.at(start - 4, 4))
        source.patch(start - 4, struct.pack(">IH", PLAIN, PCM))
        source.patch(start + PLAIN, struct.pack(">4sI", b"JUNK", size - PLAIN - 8))


def _chunks(source: Source, order: str) -> Iterator[tuple[bytes, int]]:
    """Yield the names of the first chunks of a WAV, and the positions of their bodies."""
    head = source.head(40)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        at, inclusive, header, align = 12, False, order + "4sI", 2
    elif head[:4] == b"riff" and head[4:16] == W64_GUID:
        at, inclusive, header, align = 40, True, "<4s12xQ", 8
    else:
        return
    header_size = struct.calcsize(header)
    for _ in range(MOST_CHUNKS):
        read = source.at(at, header_size)
        if len(read) < header_size:
            return
        name, size = struct.unpack(header, read)
        yield name, at + header_size
        body = max(size - header_size, 0) if inclusive else size
        at += header_size + body + -body % align
