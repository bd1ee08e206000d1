"""Decoded frames -> blocks of samples that are worth a call of NumPy."""

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
PLANAR = "p"  # ends FFmpeg's name of samples whose channels lie apart, not interleaved
BLOCK_SAMPLES = 2**16  # of each channel, that are averaged and resampled at a time
BLOCK_FRAMES = 2**11  # of a codec, that wait for it: a frame of one sample holds a kilobyte

SAMPLE_TYPES = {
    name + layout: np.dtype(numpys)
    for name, numpys in (("u8", "u1"), ("s16", "i2"), ("s32", "i4"), ("flt", "f4"), ("dbl", "f8"))
    for layout in ("", PLANAR)
}
"""By FFmpeg's names of the samples that are read, what NumPy calls them."""


Plane = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Some frames of one kind, as they are coded; planes are [shape=(n_channels, n_samples)]."""

    planes: NDArray[Any]
    sample_rate: int


def blocks(frames: Iterable[av.AudioFrame]) -> Iterator[Block]:
    """Join frames that follow one another: a call for each costs more than what it does.

    PyAV's own queue of frames will not do: its frames share the memory of a channel order that a
    file describes itself, and each of them frees it.
    """
    waiting: list[list[Plane]] = []
    kind, samples = (0, 0, ""), 0
    for frame in frames:
        its = frame.sample_rate, frame.layout.nb_channels, frame.format.name
        if its != kind:
            _check(*its)
            yield from _joined(waiting, *kind)
            waiting, kind, samples = [], its, 0
        waiting.append(_planes(frame, *kind[1:]))
        samples += frame.samples
        if samples >= BLOCK_SAMPLES or len(waiting) == BLOCK_FRAMES:
            yield from _joined(waiting, *kind)
            waiting, samples = [], 0
    yield from _joined(waiting, *kind)


def samples_of(frame: av.AudioFrame) -> Plane:
    """Return the samples of one frame; [shape=(n_channels, n_samples)].

    Raises
    ------
    UnsupportedAudioError
        If they are outside the published limits.
    """
    kind = frame.sample_rate, frame.layout.nb_channels, frame.format.name
    _check(*kind)
    return next(_joined([_planes(frame, *kind[1:])], *kind)).planes


def _joined(
    waiting: list[list[Plane]], rate: int, channels: int, sample_format: str
) -> Iterator[Block]:
    """Join the planes of frames of one kind, if there are any."""
    if not waiting:
        return
    planes = [np.concatenate(each) for each in zip(*waiting, strict=True)]
    if sample_format.endswith(PLANAR):
        yield Block(np.stack(planes), rate)
    else:
        yield Block(planes[0].reshape(-1, channels).T, rate)


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
    """Return a frame's samples as they are coded: each channel's, or all of them interleaved.

    Planes are read one by one: PyAV, asked for all, looks for a ninth after eight, which ends the
    process.
    """
    dtype, samples = SAMPLE_TYPES[sample_format], frame.samples
    if sample_format.endswith(PLANAR):
        planes: list[Any] = [AudioPlane(frame, channel) for channel in range(channels)]
        return [np.frombuffer(plane, dtype, samples) for plane in planes]
    interleaved: Any = AudioPlane(frame, 0)
    return [np.frombuffer(interleaved, dtype, samples * channels)]
