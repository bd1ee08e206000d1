"""An opened file -> decoded frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import av

from service.audio.bounds import Watch
from service.audio.errors import UnsupportedFormatError

MAX_DAMAGED = 10_000  # packets without sound: a small file can hold millions, a minute's work
END = (StopIteration, IndexError, av.FFmpegError)
"""Ends a file. PyAV raises IndexError after the last packet where a stream appeared late."""

ENCRYPTED = "This recording is encrypted, which is not taken."
FEW_DAMAGED = 10  # packets: a join of two recordings may break as many


@dataclass
class Tally:
    """Counts of the packets of one stream.

    Attributes
    ----------
    packets : int
        With content.
    damaged : int
        Refused by the decoder, after the first that it took: the first ones of a recording that
        was cut rest on packets that are not there.
    """

    packets: int = 0
    damaged: int = 0

    @property
    def damaged_share(self) -> float:
        """Share of the packets that are damaged; 0 for so few as a join leaves behind."""
        return self.damaged / self.packets if self.damaged > FEW_DAMAGED else 0.0


def frames(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    decoder: av.AudioCodecContext,
    watch: Watch,
    tally: Tally,
) -> Iterator[av.AudioFrame]:
    """Yield what can be decoded, in order, up to `MAX_DAMAGED` packets that cannot.

    Parameters
    ----------
    container, stream
    decoder : av.AudioCodecContext
        The stream's own, or one in its place.
    watch : Watch
    tally : Tally
        Counts along.

    Raises
    ------
    UnsupportedFormatError
        If a packet is encrypted.
    """
    packets = container.demux(stream)
    fruitless, begun = 0, False
    while fruitless < MAX_DAMAGED:
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
            tally.damaged += begun
        fruitless += not decoded
        begun = begun or bool(decoded)
        yield from decoded


def _refuse_encrypted(packet: "av.Packet[av.AudioStream]") -> None:
    """Refuse a packet that says how it is encrypted; to ask each would cost a twentieth."""
    if packet.has_sidedata("encryption_info"):
        raise UnsupportedFormatError(ENCRYPTED)
