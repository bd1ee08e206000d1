"""Encoded recording -> waveform."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic
from typing import BinaryIO

import av
import numpy as np

from service.audio import spec
from service.audio.blocks import Block, blocks
from service.audio.downmix import count_at_full_scale, mono
from service.audio.errors import DecodeTimeoutError, NoAudioStreamError, NotAudioError
from service.audio.formats import FORMATS, OPENING
from service.audio.levels import levels
from service.audio.resampling import Resampler
from service.audio.spec import Waveform

MAX_SECONDS = 600  # decoding stops here unless told otherwise: 21 MiB of Opus can hold ten hours
MAX_DAMAGED = 10_000  # packets without sound: a small file can hold millions, a minute's work
CHECK_SECONDS = 0.02  # between calls of `Bounds.check`


@dataclass(frozen=True)
class Bounds:
    """What decoding may take.

    Attributes
    ----------
    max_seconds : float
        Of sound: what follows is left out.
    decode_seconds : float
        Of time: a recording that takes longer is refused.
    check : callable
        Called now and then between the packets of a recording. What it raises ends decoding.
    """

    max_seconds: float = MAX_SECONDS
    decode_seconds: float = math.inf
    check: Callable[[], None] = lambda: None


UNBOUNDED = Bounds()
"""Any time, and `MAX_SECONDS` of sound."""


@dataclass(frozen=True)
class Recording:
    """A decoded upload.

    Attributes
    ----------
    waveform : float32 [shape=(n_samples,)]
    container : str
        One of the values of `FORMATS`.
    codec : str
        FFmpeg's name of the codec: ``aac``, ``opus``, ``pcm_s16le``.
    sample_rate : int
        Hz, as encoded.
    channels : int
        As encoded.
    duration_seconds : float
        Of what was decoded, counted in samples: a container's own word is never trusted.
    truncated : bool
        Whether the recording went on after `Bounds.max_seconds`.
    at_full_scale : float
        Share of the samples, of any channel, whose magnitude is `downmix.FULL_SCALE` or more.
    peak_dbfs, rms_dbfs : float
        Levels of the waveform, as `levels` measures them.
    """

    waveform: Waveform
    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_seconds: float
    truncated: bool
    at_full_scale: float
    peak_dbfs: float
    rms_dbfs: float


def decode(data: bytes | BinaryIO, bounds: Bounds = UNBOUNDED) -> Recording:
    """Decode an encoded file, down-mixed to mono and resampled.

    Channels are averaged, so a mono file and its duplicated-stereo copy decode alike. Damaged
    packets are left out, and a file that breaks off ends there.

    Parameters
    ----------
    data : bytes or file
        A whole file in one of `FORMATS`; of an open one, only what is needed is read.
    bounds : Bounds

    Returns
    -------
    recording : Recording
        At most `Bounds.max_seconds` long.

    Raises
    ------
    NotAudioError
        If the bytes are of no accepted format, or nothing in them can be decoded.
    NoAudioStreamError
        If the container holds no audio stream.
    UnsupportedAudioError
        If there are more than `blocks.MAX_CHANNELS` channels, the sample rate is not within
        `blocks.MIN_RATE` and `blocks.MAX_RATE`, or the samples are 64-bit integers.
    DecodeTimeoutError
        If it takes longer than `Bounds.decode_seconds`.
    """
    try:
        with av.open(
            io.BytesIO(data) if isinstance(data, bytes) else data,
            mode="r",
            container_options=OPENING,
            metadata_errors="ignore",
        ) as container:
            stream = container.streams.best("audio")
            if not isinstance(stream, av.AudioStream):
                raise NoAudioStreamError("This file holds no sound, only other streams.")
            if stream.codec_context is None:  # PyAV, asked to decode it, ends the process
                raise NotAudioError("No decoder here knows the sound in this file.")
            return _read(container, stream, bounds)
    except av.FFmpegError as error:
        raise NotAudioError("This is not audio we can read.") from error


def _read(
    container: av.container.InputContainer, stream: av.AudioStream, bounds: Bounds
) -> Recording:
    """Decode a stream up to `Bounds.max_seconds`."""
    pieces: list[Waveform] = []
    first: Block | None = None
    seconds = Fraction(0)  # exact: a recording of just the longest is not cut short
    loud, samples = 0, 0
    resampler = Resampler()
    for block in blocks(frames(container, stream, bounds)):
        first = first or block
        loud += count_at_full_scale(block.planes)
        samples += block.planes.size
        pieces.append(resampler.push(mono(block.planes), block.sample_rate))
        seconds += Fraction(block.planes.shape[1], block.sample_rate)
        if seconds > bounds.max_seconds:
            break
    if first is None:
        raise NotAudioError("Nothing in this file can be decoded as audio.")
    pieces.append(resampler.flush())
    waveform = np.concatenate(pieces)[: round(bounds.max_seconds * spec.SAMPLE_RATE)]
    peak, rms = levels(waveform)
    return Recording(
        waveform=waveform,
        container=FORMATS[container.format.name],
        codec=stream.codec_context.codec.canonical_name,
        sample_rate=first.sample_rate,
        channels=len(first.planes),
        duration_seconds=min(float(seconds), bounds.max_seconds),
        truncated=seconds > bounds.max_seconds,
        at_full_scale=loud / max(samples, 1),
        peak_dbfs=peak,
        rms_dbfs=rms,
    )


def frames(
    container: av.container.InputContainer, stream: av.AudioStream, bounds: Bounds
) -> Iterator[av.AudioFrame]:
    """Yield what can be decoded, in order, up to `MAX_DAMAGED` packets that cannot."""
    packets = container.demux(stream)
    now = check_at = monotonic()
    deadline = now + bounds.decode_seconds
    damaged = 0
    while damaged < MAX_DAMAGED:
        if now >= check_at:
            bounds.check()
            check_at = now + CHECK_SECONDS
        if now > deadline:
            raise DecodeTimeoutError(
                f"Decoding this takes longer than {bounds.decode_seconds:g} s; send less of it."
            )
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = []
        damaged += not frames
        yield from frames
        now = monotonic()
