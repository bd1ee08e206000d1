"""Explains why a file cannot be opened, in a sentence for the person who sent it.

The first bytes of the file tell what it is.
"""

import re

import av

from service.audio.errors import (
    AudioError,
    NotAudioError,
    UnsupportedAudioError,
    UnsupportedFormatError,
)
from service.audio.formats import MAX_STREAMS

HEAD = 4_096  # bytes that are examined
SMALLEST = 32  # bytes: no recording is smaller

SOUND = {
    "DTS": rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80|\x1f\xff\xe8\x00|\xff\x1f\x00\xe8|DTSHDHDR",
    "TrueHD": rb"....\xf8\x72\x6f[\xba\xbb]",
    "DSF": rb"DSD ",
    "DSDIFF": rb"FRM8",
    "MIDI": rb"MThd",
    "RIFX of this kind": rb"RIFX",
    "RealAudio": rb"\.RMF|\.ra\xfd",
    "VOC": rb"Creative Voice File",
    "OptimFROG": rb"OFR ",
    "TAK": rb"tBaK",
    "Shorten": rb"ajkg",
    "LATM": rb"\x56[\xe0-\xff]",
    "AC-4": rb"\xac[\x40\x41]",
    "NUT": rb"nut/multimedia container",
    "IAMF": rb"\xf8\x06iamf",
    "SMAF": rb"MMMD",
    "MPEG-H": rb"\xc0\x01\xa5",
    "an 8SVX": rb"FORM....8SVX",
    "a tracker module": rb"Extended Module: |IMPM|.{44}SCRM|.{1080}(?:M\.K\.|M!K!|FLT4|[468]CHN)",
    "MXF": rb"\x06\x0e\x2b\x34\x02\x05\x01\x01",
    "a SILK voice message": rb"\x02?#!SILK",
    "WTV": rb"\xb7\xd8\x00\x20",
}
"""Formats of sound that are not accepted, and the bytes that their files begin with."""

OTHER = {
    "an empty page of zeros": rb"\0{64}",
    "a web page": rb"\s*(?:<!DOCTYPE html|<html|<head|<body)",
    "XML": rb"\s*<\?xml",
    "JSON": rb"\s*[{\[]\s*[\"{\[]",
    "a playlist": rb"#EXTM3U|\[playlist\]|ffconcat|\s*https?://\S+\s*$",
    "a ZIP archive": rb"PK\x03\x04",
    "a RAR archive": rb"Rar!\x1a\x07",
    "a 7z archive": rb"7z\xbc\xaf\x27\x1c",
    "a gzip archive": rb"\x1f\x8b",
    "a PDF": rb"%PDF",
    "a PNG picture": rb"\x89PNG",
    "a JPEG picture": rb"\xff\xd8\xff",
    "a GIF picture": rb"GIF8",
    "a WebP picture": rb"RIFF....WEBP",
    "a HEIF picture": rb"....ftyp(?:heic|heix|mif1|avif)",
    "text that holds a data URL": rb"\s*\"?data:[\w.+-]+/[\w.+-]+[;,]",
}
"""Formats without sound, and the bytes that their files begin with."""

MIDDLE = rb"\x1f\x43\xb6\x75|\xa3.{1,8}?\x81|....(?:moof|styp|sidx|mdat)|OggS\0[\x00\x01\x04\x05]"
"""First bytes of later chunks of a recorder: WebM cluster or block, MP4 fragment, Ogg page."""

UNFINISHED = rb"....ftyp"


def refusal(head: bytes, size: int, error: av.FFmpegError) -> AudioError:
    """Return the error that explains why FFmpeg cannot open a file.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes.
    size : int
        Size of the whole file, bytes.
    error : av.FFmpegError
        The error that FFmpeg reports.
    """
    if isinstance(error, av.MemoryError):
        return UnsupportedAudioError(
            f"This file has more than {MAX_STREAMS} streams, or a part of it is larger than any "
            "recording needs."
        )
    if name := _named(SOUND, head):
        return UnsupportedFormatError(f"This is {name}, a format that is not accepted.")
    return NotAudioError(_why_not(head, size))


def _why_not(head: bytes, size: int) -> str:
    """Return a sentence on why a file is not audio."""
    if not size:
        return "The file is empty."
    if name := _named(OTHER, head):
        return f"This is not audio we can read: it is {name}."
    if size < SMALLEST:
        return f"This is not audio we can read: it has only {size} bytes."
    if _begins(MIDDLE, head):
        return "This begins in the middle of a recording: send it with its first part."
    if _begins(UNFINISHED, head):
        return "This MP4 has no usable index: its recording was not finished, or it is damaged."
    return "This is not audio we can read."


def _named(names: dict[str, bytes], head: bytes) -> str | None:
    """Return the first name whose bytes a file begins with."""
    return next((name for name, magic in names.items() if _begins(magic, head)), None)


def _begins(magic: bytes, head: bytes) -> bool:
    """Return whether a file begins with certain bytes."""
    return re.match(magic, head, re.DOTALL) is not None
