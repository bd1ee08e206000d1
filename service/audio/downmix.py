"""Samples of several channels, as they are coded -> one channel.

Channels are averaged. Where they cancel one another, as with a swapped wire, the average differs
from what a person hears. `Phase` detects this while a recording is decoded, and returns the weights
for decoding it a second time.
"""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from service.audio.spec import Waveform

FULL_SCALE = 0.999  # a recorder clips at this magnitude
OVERSHOOT = 1.1  # a sample beyond this was never clipped at full scale
TOP, BELOW = (0.9, 1.05), (0.75, 0.9)  # magnitudes
FULLEST_SAMPLE = 2.0**16  # floats may exceed full scale, even hold 16-bit integers; more is damage
LOUDEST_LOSSY = 4.0  # the limit of a lossy decoder's output for undamaged recordings

STEP = 8  # every eighth sample suffices to judge phase and flat tops
SOUNDING_POWER = 1e-6  # mean square of channels, -60 dBFS: less is silence
CANCELLING = 0.6  # times the power of averaged unrelated channels: below it, channels cancel
COHERENT = 1.4  # times that power: above it, the difference of channels would cancel
OUT_OF_PHASE = 0.5  # share of the sounding blocks that cancel
RARELY = 0.1  # share of the sounding blocks that may be coherent where the difference is taken


@dataclass(frozen=True)
class Checked:
    """A block whose samples are finite and within the allowed range.

    Attributes
    ----------
    planes : [shape=(n_channels, n_samples)]
        Samples as they are coded.
    middle, half_range : float
        Middle and half of the range of a sample; 0 and 1 for floats.
    loudest : float
        Magnitude of the loudest sample, full scale 1.
    damaged : int
        Number of samples that no undamaged recording has.
    """

    planes: NDArray[Any]
    middle: float
    half_range: float
    loudest: float
    damaged: int

    def floats(self, behind: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return the samples at full scale 1.

        Parameters
        ----------
        behind : float32 [shape=(n_channels, n_before)], optional
            Samples that come before these.

        Returns
        -------
        samples : float32 [shape=(n_channels, n_before + n_samples)]
        """
        channels, count = self.planes.shape
        before = 0 if behind is None else behind.shape[1]
        joined = np.empty((channels, before + count), np.float32)
        if behind is not None:
            joined[:, :before] = behind
        samples = joined[:, before:]
        if self.half_range == 1:
            samples[:] = self.planes
        else:
            np.subtract(self.planes, np.float32(self.middle), out=samples, casting="unsafe")
            samples *= np.float32(1 / self.half_range)
        return joined

    @property
    def power(self) -> float:
        """Mean square of the samples, full scale 1."""
        samples = self.floats()
        return float(np.einsum("ci,ci", samples, samples)) / max(samples.size, 1)


def is_bounded(codec: av.CodecContext) -> bool:
    """Return whether `LOUDEST_LOSSY` limits the floats of a decoder.

    Floats of PCM and WavPack are the recorder's own; all other codecs of floats are lossy.
    """
    return not codec.name.startswith(("pcm_", "wavpack"))


def check(planes: NDArray[Any], *, bounded: bool) -> Checked:
    """Find the loudest sample of a block, and replace samples that no undamaged recording has.

    Integers cannot exceed full scale. Floats of PCM can: they are the recorder's own. Those beyond
    `FULLEST_SAMPLE` are no sound, and become silence: one that is left would be all that is heard,
    since a window is scaled by its loudest sample. Floats of a lossy decoder exceed full scale a
    little where a master is loud. They reach thousands where a packet is damaged, and a player
    clips them: FFmpeg's conversion to 16 bits and the output of Web Audio both clip at full scale.
    So a block with a sample beyond `LOUDEST_LOSSY` is clipped at full scale. Other blocks stay
    unchanged.

    Parameters
    ----------
    planes : [shape=(n_channels, n_samples)]
    bounded : bool
        Whether the samples come from a lossy decoder.
    """
    highest, lowest = float(planes.max(initial=0)), float(planes.min(initial=0))
    if np.issubdtype(planes.dtype, np.integer):
        middle = 128.0 if planes.dtype == np.uint8 else 0.0
        half_range = 2.0 ** (8 * planes.dtype.itemsize - 1)
        loudest = max(highest - middle, middle - lowest) / half_range
        return Checked(planes, middle, half_range, loudest, 0)
    loudest = max(highest, -lowest)
    most = LOUDEST_LOSSY if bounded else FULLEST_SAMPLE
    if loudest <= most:
        return Checked(planes, 0, 1, loudest, 0)
    possible = np.abs(planes) <= most  # what is not a number is not
    damaged = planes.size - int(np.count_nonzero(possible))
    if bounded:
        return Checked(np.nan_to_num(planes, nan=0.0).clip(-1, 1), 0, 1, 1.0, damaged)
    silenced = np.where(possible, planes, 0)
    return Checked(silenced, 0, 1, float(np.abs(silenced).max(initial=0)), damaged)


def mono(block: Checked, weights: NDArray[np.float32] | None = None) -> Waveform:
    """Average channels, at their own sample rate.

    Parameters
    ----------
    block : Checked
    weights : float32 [shape=(n_channels,)], optional
        Weights of a sum that replaces the average.

    Returns
    -------
    mixed : float32 [shape=(n_samples,)]
    """
    planes = block.planes
    if weights is None:
        mixed = _sum(planes) / len(planes)
        middle = block.middle
    else:
        mixed = np.einsum("c,ci->i", weights, planes)
        middle = block.middle * float(weights.sum())
    if block.half_range != 1:
        mixed = (mixed - middle) / block.half_range
    return np.asarray(mixed, dtype=np.float32)


def _sum(planes: NDArray[Any]) -> NDArray[np.floating]:
    """Add channels one by one: NumPy's sum of interleaved channels takes 50 times as long."""
    wide = np.float64 if np.issubdtype(planes.dtype, np.integer) else planes.dtype
    total: NDArray[np.floating] = planes[0].astype(wide)
    for plane in planes[1:]:
        total += plane
    return total


def count_clipped(block: Checked) -> int:
    """Count the samples at full scale, where a recorder clips.

    Their magnitude is between `FULL_SCALE` and `OVERSHOOT`, which is as far as a lossy codec moves
    a clipped sample. Samples beyond it were not clipped: floats exceed full scale where a master is
    loud.
    """
    if block.loudest < FULL_SCALE:
        return 0
    least, most = (edge * block.half_range for edge in (FULL_SCALE, OVERSHOOT))
    planes, middle = block.planes, block.middle
    high = (planes >= middle + least) & (planes <= middle + most)
    low = (planes <= middle - least) & (planes >= middle - most)
    return int(np.count_nonzero(high | low))


def count_flat(block: Checked) -> tuple[int, int]:
    """Count the surplus of samples near full scale over those below it, and the samples examined.

    A lossy codec spreads the flat tops of a clipped recording over `TOP`. In other recordings
    louder samples are rarer, so fewer lie in `TOP` than in `BELOW`, even where a master exceeds
    full scale.
    """
    examined = block.planes[:, ::STEP]
    if block.loudest < TOP[0]:
        return 0, examined.size
    loud = np.abs((examined - np.float32(block.middle)) / np.float32(block.half_range))
    top, below = (
        int(np.count_nonzero((loud >= low) & (loud < high))) for low, high in (TOP, BELOW)
    )
    return top - below, examined.size


class Phase:
    """Detects, block by block, whether channels cancel one another when they are averaged.

    Unrelated channels lose power in proportion to their number when they are averaged, and so does
    a single live channel among dead ones. Channels that cancel lose far more. Each sounding block
    votes, so that one passage or effect does not decide for the whole recording.
    """

    def __init__(self) -> None:
        self._votes: dict[int, _Votes] = {}

    def add(self, block: Checked) -> None:
        """Add a block; a block of one channel has no vote."""
        channels = len(block.planes)
        if channels > 1:
            self._votes.setdefault(channels, _Votes(channels)).add(block)

    def weights(self) -> dict[int, NDArray[np.float32]]:
        """Return the weights that avoid cancellation, by the number of channels."""
        found = {channels: votes.weights() for channels, votes in self._votes.items()}
        return {channels: weights for channels, weights in found.items() if weights is not None}


def _variance(planes: NDArray[np.floating]) -> float:
    """Return the mean power of channels without their offset."""
    power = float(np.einsum("ci,ci", planes, planes)) / planes.size
    return power - float(np.square(planes.mean(axis=1)).mean())


class _Votes:
    """The votes of the blocks that have some number of channels."""

    def __init__(self, channels: int) -> None:
        self.sounding = self.cancelling = self.coherent = 0
        self.covariance = np.zeros((channels, channels))

    def add(self, block: Checked) -> None:
        """Add the vote of a block."""
        samples = block.planes[:, ::STEP].astype(np.float32, order="C")
        variance = _variance(samples)
        if variance <= SOUNDING_POWER * block.half_range**2:
            return
        mean = _sum(samples)[None] / len(samples)
        ratio = len(samples) * _variance(mean) / variance
        self.sounding += 1
        self.coherent += ratio > COHERENT
        if ratio < CANCELLING:
            self.cancelling += 1
            samples -= samples.mean(axis=1, keepdims=True)
            self.covariance += np.einsum("ci,di->cd", samples, samples) / block.half_range**2

    def weights(self) -> NDArray[np.float32] | None:
        """Return the weights of the difference or of one channel, or None for the average."""
        if not self.sounding or self.cancelling < OUT_OF_PHASE * self.sounding:
            return None
        loudest = int(self.covariance.diagonal().argmax())
        weights = np.zeros(len(self.covariance), np.float32)
        weights[loudest] = 1
        if self.coherent <= RARELY * self.sounding:
            weights[:] = np.where(self.covariance[loudest] < 0, -1, 1) / len(weights)
        return weights
