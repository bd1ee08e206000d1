"""Errors of a recording that cannot be analysed. The messages are for the person who sent it."""

from typing import ClassVar, Self

from service.audio.spec import MIN_SECONDS


class AudioError(ValueError):
    """The recording cannot be analysed. The message is written for the person who sent it.

    Attributes
    ----------
    slug : str
        The problem's stable name for programs.
    """

    slug: ClassVar[str] = "not-audio"


class NotAudioError(AudioError):
    """The file is not audio that can be decoded."""


class UnsupportedFormatError(NotAudioError):
    """The file is audio in a format that is not accepted."""

    slug = "unsupported-format"


class NoAudioStreamError(AudioError):
    """The container is intact and holds no audio stream, like a silent video or a picture."""

    slug = "no-audio-stream"


class UnsupportedAudioError(AudioError):
    """The sample rate, the channels or the sample format are outside the limits."""

    slug = "unsupported-audio"


class ClipTooShortError(AudioError):
    """The recording lasts less than `spec.MIN_SECONDS`."""

    slug = "clip-too-short"

    @classmethod
    def of(cls, seconds: float) -> Self:
        """Return the error for a recording of this duration."""
        return cls(f"Send at least {MIN_SECONDS} s of audio; this is {seconds:.1f} s.")


class DecodeTimeoutError(AudioError):
    """Decoding takes longer than the time limit."""

    slug = "decode-timeout"
