"""Decoded frames -> blocks of samples, large enough for NumPy to process efficiently."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

from service.audio.errors import UnsupportedAudioError

MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz, of an encoded recording
MAX_CHANNELS = 8
PLANAR = "p"  # suffix of FFmpeg's sample formats whose channels are not interleaved
BLOCK_SAMPLES = 2**16  # per channel, averaged and resampled at a time
BLOCK_FRAMES = 2**11  # a block has no more: even a frame of one sample takes a kilobyte

SAMPLE_TYPES = {
    name + layout: np.dtype(numpys)
    for name, numpys in (("u8", "u1"), ("s16", "i2"), ("s32", "i4"), ("flt", "f4"), ("dbl", "f8"))
    for layout in ("", PLANAR)
}
"""NumPy's type of each sample format that is read, by FFmpeg's name."""


Plane = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Joined frames of one kind, as coded.

    Attributes
    ----------
    planes : [shape=(n_channels, n_samples)]
    sample_rate : int
        Hz.
    layout : tuple of str [shape=(n_channels,)]
        FFmpeg's names of the channels: ``("FL", "FR")``. Those of the first frame: frames of one
        kind that name their channels otherwise would be joined.
    """

    planes: NDArray[Any]
    sample_rate: int
    layout: tuple[str, ...]


def blocks(frames: Iterable[av.AudioFrame]) -> Iterator[Block]:
    """Join consecutive frames of one kind, since NumPy calls for each frame would be slow.

    PyAV's own queue of frames is not safe here: where a file defines a channel order of its own,
    the frames of the queue share its memory, and each of them frees it.
    """
    pending: list[list[Plane]] = []
    kind, samples = (0, 0, ""), 0
    layout: tuple[str, ...] = ()
    for frame in frames:
        frame_kind = frame.sample_rate, frame.layout.nb_channels, frame.format.name
        if frame_kind != kind:
            _check(*frame_kind)
            yield from _joined(pending, kind[0], layout, kind[2])
            pending, kind, samples = [], frame_kind, 0
            layout = _layout(frame)
        pending.append(_planes(frame, *kind[1:]))
        samples += frame.samples
        if samples >= BLOCK_SAMPLES or len(pending) == BLOCK_FRAMES:
            yield from _joined(pending, kind[0], layout, kind[2])
            pending, samples = [], 0
    yield from _joined(pending, kind[0], layout, kind[2])


def _layout(frame: av.AudioFrame) -> tuple[str, ...]:
    """Return the names of a frame's channels."""
    return tuple(channel.name for channel in frame.layout.channels)


def samples_of(frame: av.AudioFrame) -> Plane:
    """Return the samples of one frame; [shape=(n_channels, n_samples)].

    Raises
    ------
    UnsupportedAudioError
        If the frame is outside the published limits.
    """
    kind = frame.sample_rate, frame.layout.nb_channels, frame.format.name
    _check(*kind)
    return next(_joined([_planes(frame, *kind[1:])], kind[0], _layout(frame), kind[2])).planes


def _joined(
    pending: list[list[Plane]], rate: int, layout: tuple[str, ...], sample_format: str
) -> Iterator[Block]:
    """Join the planes of frames of one kind, if there are any."""
    if not pending:
        return
    planes = [np.concatenate(each) for each in zip(*pending, strict=True)]
    if sample_format.endswith(PLANAR):
        yield Block(np.stack(planes), rate, layout)
    else:
        yield Block(planes[0].reshape(-1, len(layout)).T, rate, layout)


def _check(rate: int, channels: int, sample_format: str) -> None:
    """Refuse frames outside the published limits."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UnsupportedAudioError(
            f"The sample rate is {rate} Hz; send {MIN_RATE} to {MAX_RATE} Hz."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudioError(f"There are {channels} channels; send 1 to {MAX_CHANNELS}.")
    if sample_format not in SAMPLE_TYPES:
        raise UnsupportedAudioError("The samples are 64-bit integers; send 32 bits or fewer.")


def _planes(frame: av.AudioFrame, channels: int, sample_format: str) -> list[Plane]:
    """Return a frame's samples as they are coded: one plane per channel, or one interleaved plane.

    Planes are read one by one: `frame.planes` looks for a ninth plane after eight, and the process
    crashes.
    """
    dtype, samples = SAMPLE_TYPES[sample_format], frame.samples
    if sample_format.endswith(PLANAR):
        planes: list[Any] = [AudioPlane(frame, channel) for channel in range(channels)]
        return [np.frombuffer(plane, dtype, samples) for plane in planes]
    interleaved: Any = AudioPlane(frame, 0)
    return [np.frombuffer(interleaved, dtype, samples * channels)]
