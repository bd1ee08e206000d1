"""An opened file -> decoded frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av

from service.audio.bounds import Watch
from service.audio.errors import UnsupportedFormatError
from service.audio.gaps import Gaps
from service.audio.source import Source

MAX_DAMAGED = 10_000  # packets without sound; a small file can hold millions, which take a minute
END = (StopIteration, IndexError, av.FFmpegError)
"""Exceptions that end a file. PyAV raises IndexError at the end if a stream appeared late."""
LOST = (av.InvalidDataError, av.BlockingIOError)
"""Those of END with which a demuxer gives up where it stands. What follows may be whole again."""

ENCRYPTED = "This recording is encrypted; encrypted recordings are not accepted."
FEW_DAMAGED, FEW_SECONDS = 10, 0.4  # packets that a join of two recordings may break

CHECKED = {"err_detect": "crccheck"}
REJECTED = {"err_detect": "crccheck+explode"}
ONLY_LOGGED = ("flac", "tta")  # decoders that decode a packet with a wrong checksum, unless told


@dataclass
class Tally:
    """Counts of the packets of one stream.

    Attributes
    ----------
    packets : int
        Number of packets with content.
    damaged : int
        Number of packets that the decoder rejects or conceals, after the first that it accepts. In
        a recording whose beginning was cut off, the first packets depend on missing ones.
    seconds : float
        Duration of the decoded sound.
    missing : float
        Duration of the sound that is missing, as `gaps.Gaps` finds it.
    """

    packets: int = 0
    damaged: int = 0
    seconds: float = 0.0
    missing: float = 0.0

    @property
    def damaged_share(self) -> float:
        """Share of the packets that are damaged; 0 for as few as a join may break."""
        seconds = self.damaged * self.seconds / max(self.packets - self.damaged, 1)
        if self.damaged <= FEW_DAMAGED and seconds <= FEW_SECONDS:
            return 0.0
        return self.damaged / self.packets


def compare_checksums(decoder: av.AudioCodecContext) -> None:
    """Make a decoder find packets with a wrong checksum, if its codec has one."""
    decoder.options = REJECTED if decoder.name in ONLY_LOGGED else CHECKED


def frames(
    stream: av.AudioStream,
    decoder: av.AudioCodecContext,
    source: Source,
    watch: Watch,
    tally: Tally,
) -> Iterator[av.AudioFrame]:
    """Yield decoded frames in order, until `MAX_DAMAGED` packets gave none.

    Parameters
    ----------
    stream : av.AudioStream
        Of a container from which no packet was read.
    decoder : av.AudioCodecContext
        The stream's own decoder, or a replacement.
    source : Source
        The file.
    watch : Watch
    tally : Tally
        Updated with each packet.

    Raises
    ------
    UnsupportedFormatError
        If a packet is encrypted.
    """
    container: Any = stream.container
    gaps, packets = Gaps(container.format.name, stream, source), container.demux(stream)
    silent, started, gave_up, cut_off = 0, False, False, False
    while silent < MAX_DAMAGED:
        watch.look()
        try:
            packet = next(packets)
        except LOST:
            packets, gave_up = container.demux(stream), True
            silent += 1
            continue
        except END:
            break
        if not tally.packets:
            _refuse_encrypted(packet)
        tally.packets += packet.size > 0
        decoded = _decoded(packet, decoder, gaps)
        if packet.size:
            cut_off = decoded is None and packet.is_corrupt
            tally.damaged += started and _is_damaged(decoded)
        silent += not decoded
        if decoded:
            started, gave_up = True, False
            tally.seconds, tally.missing = gaps.seconds, gaps.missing
            yield from decoded
    tally.damaged -= started and cut_off  # the last packet of a truncated file
    gaps.end(gave_up=gave_up)
    tally.missing = gaps.missing


def _decoded(
    packet: "av.Packet[av.AudioStream]", decoder: av.AudioCodecContext, gaps: Gaps
) -> list[av.AudioFrame] | None:
    """Return the frames of a packet, or None if the decoder rejects it."""
    try:
        decoded = decoder.decode(packet)
    except av.FFmpegError:
        _refuse_encrypted(packet)
        gaps.rejected(packet)
        return None
    gaps.decoded(packet, decoded)
    return decoded


def _is_damaged(decoded: list[av.AudioFrame] | None) -> bool:
    """Return whether the decoder rejects a packet, or conceals a fault of it."""
    return decoded is None or any(frame.is_corrupt for frame in decoded)


def _refuse_encrypted(packet: "av.Packet[av.AudioStream]") -> None:
    """Refuse an encrypted packet. Checking every packet would take a twentieth more time."""
    if packet.has_sidedata("encryption_info"):
        raise UnsupportedFormatError(ENCRYPTED)
