"""Why a recording cannot be analysed. Each message is written for the person who sent it."""

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
    """The bytes are no audio that can be decoded."""


class UnsupportedFormatError(NotAudioError):
    """The bytes are audio, in a format that is not taken."""

    slug = "unsupported-format"


class NoAudioStreamError(AudioError):
    """The container is fine and holds no sound: a silent video, a picture."""

    slug = "no-audio-stream"


class UnsupportedAudioError(AudioError):
    """The sound has a sample rate, channels or samples outside the limits."""

    slug = "unsupported-audio"


class ClipTooShortError(AudioError):
    """The recording lasts less than `spec.MIN_SECONDS`."""

    slug = "clip-too-short"

    @classmethod
    def of(cls, seconds: float) -> Self:
        """Return the refusal of a recording that lasts some seconds."""
        return cls(f"Send at least {MIN_SECONDS} s of audio; this is {seconds:.1f} s.")


class DecodeTimeoutError(AudioError):
    """Decoding takes longer than it may."""

    slug = "decode-timeout"
