"""Encoded recording -> waveform."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from service.audio import spec, wav
from service.audio.blocks import Block, blocks
from service.audio.bounds import UNBOUNDED, Bounds, Watch
from service.audio.downmix import Checked, Phase, check, count_clipped, count_flat, is_bounded, mono
from service.audio.errors import (
    ClipTooShortError,
    NotAudioError,
    UnsupportedAudioError,
    UnsupportedFormatError,
)
from service.audio.formats import FORMATS, OPENING, OPENING_GROWING, WITH_TOTALS
from service.audio.growing import Growing
from service.audio.levels import levels
from service.audio.loudness import Loudness, Meter
from service.audio.packets import ENCRYPTED, Tally, compare_checksums, frames
from service.audio.refusal import HEAD, refusal
from service.audio.resampling import Resampler
from service.audio.source import Source
from service.audio.spec import Waveform
from service.audio.streams import loudest, sound_streams

MISREAD = ("pcm_f16le", "pcm_f24le")  # FFmpeg takes integers in a wider container for these

Weights = dict[int, NDArray[np.float32]]


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
        Duration of the decoded sound, counted in samples: the duration that a container states
        is never trusted.
    truncated : bool
        Whether the recording is longer than `Bounds.max_seconds`.
    at_full_scale : float
        Share of the samples of all channels that `downmix.count_clipped` counts.
    flat_topped : float
        Share of the samples of a lossy recording that `downmix.count_flat` counts.
    out_of_phase : bool
        Whether channels cancel when they are averaged. Then the waveform is their difference or
        one of them.
    damaged_packets : float
        Share of the packets that cannot be decoded.
    damaged_samples : int
        Number of samples, in all channels, that no undamaged recording has.
    missing_seconds : float
        Duration of the sound that a damaged file should hold between or behind what was decoded.
        `duration_seconds` does not include it.
    peak_dbfs, rms_dbfs : float
        Levels of the waveform, as `levels` measures them.
    loudness : Loudness
        Of the channels as they are encoded, at their own sample rate.
    """

    waveform: Waveform
    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_seconds: float
    truncated: bool
    at_full_scale: float
    flat_topped: float
    out_of_phase: bool
    damaged_packets: float
    damaged_samples: int
    missing_seconds: float
    peak_dbfs: float
    rms_dbfs: float
    loudness: Loudness


def decode(
    data: bytes | BinaryIO | Growing,
    bounds: Bounds = UNBOUNDED,
    heard: Callable[[Waveform], None] | None = None,
) -> Recording:
    """Decode an encoded file, down-mixed to mono and resampled.

    Channels are averaged, so a mono file and its duplicated-stereo copy decode alike. Where they
    cancel one another, the file is decoded a second time with the weights of `downmix.Phase`. If
    there are several audio streams, `streams.loudest` chooses one. Damaged packets are left out.
    Of a truncated file, the part before the end is decoded.

    Parameters
    ----------
    data : bytes or file
        A whole file in one of `FORMATS`, or one that is still growing; only the needed parts of an
        open file are read.
    bounds : Bounds
        Waiting for the bytes of a growing file does not count for its time limit.
    heard : callable, optional
        Called with each piece of the waveform, as soon as it is decoded for the first time. The
        pieces together are the waveform, unless it is longer than `Bounds.max_seconds` or the
        channels cancel one another.

    Returns
    -------
    recording : Recording
        At most `Bounds.max_seconds` long.

    Raises
    ------
    NotAudioError
        If the format is not known, or nothing in the file can be decoded.
    UnsupportedFormatError
        If the format is known and not accepted, or the sound is encrypted.
    NoAudioStreamError
        If the container holds no audio stream.
    UnsupportedAudioError
        If there are more than `blocks.MAX_CHANNELS` channels or `formats.MAX_STREAMS` streams, the
        sample rate is not within `blocks.MIN_RATE` and `blocks.MAX_RATE`, or the samples are
        64-bit integers.
    ClipTooShortError
        If the file is well formed and holds no samples.
    DecodeTimeoutError
        If decoding takes longer than `Bounds.decode_seconds`.
    OSError
        If the file cannot be read to its end.
    """
    file = _File.of(data, bounds)
    file.wait_if_needed()
    with file.opened() as container:
        streams = sound_streams(container)
        place = loudest(container, streams, file.watch) if len(streams) > 1 else 0
        if len(streams) == 1:
            recording, phase = _read(file, container, streams[0], heard)
    if len(streams) > 1:
        with file.opened() as container:
            recording, phase = _read(file, container, sound_streams(container)[place], heard)
    if weights := phase.weights():
        with file.opened() as container:
            recording, _ = _read(file, container, sound_streams(container)[place], None, weights)
    return recording


def follow(data: Growing, bounds: Bounds, heard: Callable[[Waveform], None]) -> None:
    """Decode a file that grows for hours. Nothing is kept, and no second time decoded.

    As `decode`, but of several audio streams the usual one is decoded, and channels are averaged
    even where they cancel one another.

    Parameters
    ----------
    data : Growing
        May be forgetful.
    bounds : Bounds
    heard : callable
        Called with each piece of the waveform, as soon as it is decoded.

    Raises
    ------
    AudioError, OSError
        As by `decode`.
    """
    file = _File.of(data, bounds)
    with file.opened() as container:
        reading, tally, pieces = _begin(file, sound_streams(container)[0], {})
        for piece in pieces:
            heard(piece)
        if reading.empty:
            reading.recording(FORMATS[container.format.name], tally, [])  # raises


class _File(NamedTuple):
    """One file while it is decoded."""

    source: Source
    watch: Watch
    bounds: Bounds
    big_endian: bool

    @classmethod
    def of(cls, data: bytes | BinaryIO | Growing, bounds: Bounds) -> "_File":
        """Return a file with its header repaired."""
        source = Source(data)
        growing = source.growing
        watch = Watch(bounds, (lambda: growing.elsewhere) if growing else (lambda: 0.0))
        big_endian = wav.mend(source)
        source.in_order = wav.is_wav(source.head(wav.HEAD))
        source.look = watch.look
        return cls(source, watch, bounds, big_endian)

    def wait_if_needed(self) -> None:
        """Wait for the end of a growing file that FFmpeg would decode otherwise if it were whole.

        Those whose header is at their end need no such wait: their reader waits by itself.
        """
        growing = self.source.growing
        if growing and WITH_TOTALS.match(self.source.head(HEAD)):
            growing.wait_for_end()

    @contextmanager
    def opened(self) -> Iterator[av.container.InputContainer]:
        """Open the file from its beginning."""
        head = self.source.head(HEAD)
        options = OPENING_GROWING if self.source.growing else OPENING
        try:
            container = av.open(
                self.source, mode="r", container_options=options, metadata_errors="ignore"
            )
        except av.FFmpegError as error:
            self.source.raise_error()
            raise refusal(head, self.source.size, error) from error
        with container:
            try:
                yield container
            finally:  # whatever follows from a failed read is less than its exception says
                self.source.raise_error()


def _begin(
    file: _File, stream: av.AudioStream, weights: Weights
) -> tuple["_Reading", Tally, Iterator[Waveform]]:
    """Return the reading of a stream, the counts of its packets, and its pieces as they come."""
    codec, tally = stream.codec_context, Tally()
    if file.big_endian:
        codec = wav.big_endian(codec)
    compare_checksums(codec)
    reading = _Reading(codec, file.bounds.max_seconds, weights)
    decoded = frames(stream, codec, file.source, file.watch, tally)
    return reading, tally, reading.pieces(blocks(decoded))


def _read(
    file: _File,
    container: av.container.InputContainer,
    stream: av.AudioStream,
    heard: Callable[[Waveform], None] | None,
    weights: Weights | None = None,
) -> tuple[Recording, Phase]:
    """Decode one stream."""
    reading, tally, pieces = _begin(file, stream, weights or {})
    kept = []
    for piece in pieces:
        kept.append(piece)
        if heard:
            heard(piece)
    name = FORMATS[container.format.name]
    if reading.empty and name == "mp4" and file.source.holds(b"enca"):
        raise UnsupportedFormatError(ENCRYPTED)  # the parser found no packet in it
    return reading.recording(name, tally, kept), reading.phase


class _Reading:
    """Measures the blocks of one stream, and makes a recording of their waveform."""

    def __init__(self, codec: av.AudioCodecContext, max_seconds: float, weights: Weights) -> None:
        self._codec, self._max_seconds, self._weights = codec, max_seconds, weights
        self._bounded = is_bounded(codec)
        self._lossy = codec.codec.lossy and not codec.codec.lossless
        self._first: Block | None = None
        self._resampler = Resampler()
        self._seconds = Fraction(0)  # exact: a recording of exactly `max_seconds` is not truncated
        self._clipped = self._damaged = self._samples = self._flat = self._examined = 0
        self._meter = Meter()
        self.phase = Phase()

    @property
    def empty(self) -> bool:
        """Whether there has been no block yet."""
        return self._first is None

    def pieces(self, blocks: Iterable[Block]) -> Iterator[Waveform]:
        """Yield the waveform of blocks, piece by piece, until `max_seconds` is exceeded."""
        for block in blocks:
            self._first = self._first or block
            checked = check(block.planes, bounded=self._bounded)
            if checked.damaged and self._codec.name in MISREAD:
                raise UnsupportedAudioError(
                    "The header of this file says that its samples are floats, and they are not: "
                    "send it with integer samples of 24 or 32 bits."
                )
            self._count(checked)
            self._meter.add(checked, block.sample_rate, block.layout)
            waveform = mono(checked, self._weights.get(len(block.planes)))
            self._seconds += Fraction(block.planes.shape[1], block.sample_rate)
            yield self._resampler.push(waveform, block.sample_rate)
            if self._seconds > self._max_seconds:
                break
        yield self._resampler.flush()

    def _count(self, block: Checked) -> None:
        """Count the clipped, flat and damaged samples of a block."""
        self._clipped += count_clipped(block)
        if self._lossy:
            flat, examined = count_flat(block)
            self._flat += flat
            self._examined += examined
        self._damaged += block.damaged
        self._samples += block.planes.size
        self.phase.add(block)

    def recording(self, container: str, tally: Tally, pieces: Sequence[Waveform]) -> Recording:
        """Return the recording that the pieces make.

        Raises
        ------
        ClipTooShortError, NotAudioError
            If there was no block.
        """
        if self._first is None:
            if not tally.packets and self._codec.name.startswith("pcm_"):
                raise ClipTooShortError.of(0)
            raise NotAudioError("Nothing in this file can be decoded as audio.")
        waveform = np.concatenate(pieces)[: round(self._max_seconds * spec.SAMPLE_RATE)]
        peak, rms = levels(waveform)
        return Recording(
            waveform=waveform,
            container=container,
            codec=self._codec.codec.canonical_name,
            sample_rate=self._first.sample_rate,
            channels=len(self._first.planes),
            duration_seconds=min(float(self._seconds), self._max_seconds),
            truncated=self._seconds > self._max_seconds,
            at_full_scale=self._clipped / max(self._samples, 1),
            flat_topped=max(self._flat, 0) / max(self._examined, 1),
            out_of_phase=bool(self._weights),
            damaged_packets=tally.damaged_share,
            damaged_samples=self._damaged,
            missing_seconds=tally.missing,
            peak_dbfs=peak,
            rms_dbfs=rms,
            loudness=self._meter.loudness(self._max_seconds),
        )
