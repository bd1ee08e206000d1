"""An opened file -> decoded frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import av

from service.audio.bounds import Watch
from service.audio.errors import UnsupportedFormatError

MAX_DAMAGED = 10_000  # packets without sound; a small file can hold millions, which take a minute
END = (StopIteration, IndexError, av.FFmpegError)
"""Exceptions that end a file. PyAV raises IndexError at the end if a stream appeared late."""

ENCRYPTED = "This recording is encrypted; encrypted recordings are not accepted."
FEW_DAMAGED = 10  # packets that a join of two recordings may break


@dataclass
class Tally:
    """Counts of the packets of one stream.

    Attributes
    ----------
    packets : int
        Number of packets with content.
    damaged : int
        Number of packets that the decoder rejects, after the first that it accepts. In a recording
        whose beginning was cut off, the first packets depend on missing ones.
    """

    packets: int = 0
    damaged: int = 0

    @property
    def damaged_share(self) -> float:
        """Share of the packets that are damaged; 0 up to `FEW_DAMAGED` packets."""
        return self.damaged / self.packets if self.damaged > FEW_DAMAGED else 0.0


def frames(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    decoder: av.AudioCodecContext,
    watch: Watch,
    tally: Tally,
) -> Iterator[av.AudioFrame]:
    """Yield decoded frames in order, until `MAX_DAMAGED` packets gave none.

    Parameters
    ----------
    container, stream
    decoder : av.AudioCodecContext
        The stream's own decoder, or a replacement.
    watch : Watch
    tally : Tally
        Updated with each packet.

    Raises
    ------
    UnsupportedFormatError
        If a packet is encrypted.
    """
    packets = container.demux(stream)
    silent, started = 0, False
    while silent < MAX_DAMAGED:
        watch.look()
        try:
            packet = next(packets)
        except END:
            return
        if not tally.packets:
            _refuse_encrypted(packet)
        tally.packets += packet.size > 0
        try:
            decoded = decoder.decode(packet)
        except av.FFmpegError:
            _refuse_encrypted(packet)
            decoded = []
            tally.damaged += started
        silent += not decoded
        started = started or bool(decoded)
        yield from decoded


def _refuse_encrypted(packet: "av.Packet[av.AudioStream]") -> None:
    """Refuse an encrypted packet. Checking every packet would take a twentieth more time."""
    if packet.has_sidedata("encryption_info"):
        raise UnsupportedFormatError(ENCRYPTED)
