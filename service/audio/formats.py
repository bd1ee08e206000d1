"""The demuxers and decoders that FFmpeg may use, and its limits."""

import ctypes
import re
import sys
from collections.abc import Iterator

import av

MAX_STREAMS = 64  # films have a dozen; a megabyte of MP4 can hold hundreds, each with a decoder
MAX_ALLOCATION = 2**27  # bytes per allocation of FFmpeg; some files of 33 bytes request 2 GB

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

The list is closed because FFmpeg also has demuxers of playlists: with these, an upload could make
the server fetch addresses and files. Each demuxer here passed the test of `tools.torture`.
"""


def _decoders_of_sound() -> Iterator[str]:
    """Yield the names of FFmpeg's audio decoders."""
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

FFmpeg decodes a part of every stream when it opens a file, without a limit: a cover of 2 MB may be
a PNG of 200 megapixels. So only audio decoders are allowed.
"""

OPENING_GROWING = OPENING | {"fflags": "+ignidx"}
"""The same for a file that is still growing: FFmpeg would read a fragmented MP4 to its end for an
index of its fragments, before it decodes the first of them."""

WITH_TOTALS = re.compile(rb"ID3|\xff[\xe0-\xff].{2,40}?(?:Xing|Info|VBRI)", re.DOTALL)
"""First bytes of an MP3 that may state how many frames it has. FFmpeg leaves out the padding behind
the last of them only if it knows the size of the file."""


def _bound_allocations() -> None:
    """Limit each allocation of FFmpeg in this process to `MAX_ALLOCATION`.

    PyAV has no function for this, but its extension links the library that has one.
    """
    if sys.platform != "win32":  # an extension there does not export its libraries
        ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION))


_bound_allocations()
