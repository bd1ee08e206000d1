"""What FFmpeg may open, and with which of its parts."""

import ctypes
import sys
from collections.abc import Iterator

import av

MAX_STREAMS = 64  # films have a dozen; a megabyte of MP4 can hold hundreds, each with its decoder
MAX_ALLOCATION = 2**27  # bytes that FFmpeg may ask for at once; some files of 33 bytes ask for 2 GB

FORMATS = {
    "wav": "wav",
    "aiff": "aiff",
    "flac": "flac",
    "mp3": "mp3",
    "ogg": "ogg",
    "matroska,webm": "webm",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "aac": "adts",
    "caf": "caf",
    "amr": "amr",
    "w64": "w64",
    "au": "au",
    "ac3": "ac3",
    "eac3": "eac3",
    "asf": "asf",
    "avi": "avi",
    "flv": "flv",
    "mpegts": "mpegts",
    "mpeg": "mpeg",
    "wv": "wavpack",
    "tta": "tta",
    "ape": "ape",
    "mpc": "mpc",
    "mpc8": "mpc8",
}
"""FFmpeg's demuxers that may open an upload, and the container names published for them.

A closed list: among the others are playlists, which would have the server fetch addresses and
files that the sender names. Each of these passed the torture that `tools.torture` describes.
"""


def _decoders_of_sound() -> Iterator[str]:
    """Name FFmpeg's decoders of sound."""
    for name in sorted(av.codec.codecs_available):
        try:
            codec = av.Codec(name, "r")
        except av.codec.codec.UnknownCodecError:  # it only encodes
            continue
        if codec.type == "audio":
            yield codec.name


OPENING = {
    "format_whitelist": ",".join(FORMATS),
    "codec_whitelist": ",".join(_decoders_of_sound()),
    "max_streams": str(MAX_STREAMS),
}
"""Options with which FFmpeg opens an upload.

Opening decodes some of every stream to learn what it is, and nothing bounds that: a cover of 2 MB
may be a PNG of 200 megapixels. Only decoders of sound may do so.
"""


def _bound_allocations() -> None:
    """Have FFmpeg refuse what asks for more than `MAX_ALLOCATION` at once, in this process.

    PyAV has no call for it; its extension knows the library that does.
    """
    if sys.platform != "win32":  # where an extension does not tell of the libraries it uses
        ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION))


_bound_allocations()
