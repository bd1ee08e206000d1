"""Finds sound that a damaged file should hold and does not: gaps between the decoded frames.

A demuxer skips what it cannot read, such as a page of Ogg with a wrong checksum, and says nothing.
The gap shows in one of three ways:

* in the timestamps of the frames on both sides of it. In Ogg the numbers of the pages must jump,
  too: silence may be left out of a recording, and recordings may be joined;
* in the bytes of a stream of frames without timestamps, such as MP3: what lies between two frames
  becomes a part of one packet;
* behind the last frame, in packets that the decoder rejects, in what `tails` finds there, or in the
  duration that the header of WavPack declares, if the demuxer gave up before the end of the file.

A file that simply ends has no gap: it may be a part of a recording.
"""

import av

from service.audio import tails
from service.audio.source import Source

PAUSING = frozenset({"opus", "speex", "amr_nb", "amr_wb"})
"""Codecs that may leave packets out while there is silence."""
LONGEST_PAUSE = 0.45  # seconds: Opus sends a packet every 0.4 s; joined recordings lose no more
SHORTEST_GAP = 0.1  # seconds of other codecs: less may be a recorder's clock
LONGEST_GAP = 3_600.0  # seconds: a later timestamp is of another clock
LONGEST_GAP_OF = {"mpegts": 10.0, "mpeg": 10.0}  # broadcasts, of which pieces may be joined

UNTIMED = frozenset({"mp3", "aac", "ac3", "eac3", "amr"})  # FFmpeg counts the frames that it finds
LARGEST_FRAME = 8_192  # bytes, of these formats
TAGS = (b"ID3", b"APETAGEX", b"TAG")  # what may lie between joined recordings
ENDS = {"ogg": tails.ogg_end, "mov,mp4,m4a,3gp,3g2,mj2": tails.mp4_end}


class Gaps:
    """Adds up the gaps of one stream while it is decoded.

    Parameters
    ----------
    container : str
        FFmpeg's name of its demuxer.
    stream : av.AudioStream
    source : Source
        The file.

    Attributes
    ----------
    seconds : float
        Duration of the decoded sound.
    missing : float
        Duration of all gaps.
    """

    def __init__(self, container: str, stream: av.AudioStream, source: Source) -> None:
        pauses = stream.codec_context.codec.canonical_name in PAUSING
        self._shortest = LONGEST_PAUSE if pauses else SHORTEST_GAP
        self._longest = LONGEST_GAP_OF.get(container, LONGEST_GAP)
        self._container, self._source = container, source
        self._unit = float(stream.time_base or 0)
        self._declared = (stream.duration or 0) * self._unit
        self._expected: float | None = None  # timestamp of the next frame
        self._last: tails.Packet | None = None
        self._page: tails.Page | None = None
        self._after_loss = 0  # pages, of those whose timestamps may show that pages are missing
        self._whole_bytes = self._rejected_bytes = 0
        self._rejected_seconds = 0.0
        self._cut_off = 0.0  # duration of the last rejected packet, if the file ends within it
        self.seconds = self.missing = 0.0

    def rejected(self, packet: tails.Packet) -> None:
        """Add a packet that the decoder rejects."""
        if self._last is None:
            return
        seconds = (packet.duration or 0) * self._unit
        self._rejected_seconds += seconds
        self._cut_off = seconds if packet.is_corrupt else 0.0
        self._reject_bytes(packet)

    def decoded(self, packet: tails.Packet, frames: list[av.AudioFrame]) -> None:
        """Add the frames of a packet, and the gap before them."""
        if self._container == "ogg" and packet.size:
            self._turn_page(packet)
        for frame in frames:
            if self._expected is None:
                self._expected = (frame.pts or 0) * self._unit
            now = self._expected if frame.pts is None else frame.pts * self._unit
            self._add(now - self._expected)
            seconds = frame.samples / frame.sample_rate
            self.seconds += seconds
            self._expected = now + seconds
        if packet.size > LARGEST_FRAME and self._container in UNTIMED:
            self._reject_bytes(packet)
        else:
            self._whole_bytes += packet.size
        self._last = packet if packet.size else self._last

    def end(self, *, gave_up: bool) -> None:
        """Add the gap behind the last frame; the position in the file changes.

        Parameters
        ----------
        gave_up : bool
            Whether the demuxer did not reach the end of the file.
        """
        if self._expected is None or self._last is None:
            return
        gap, end = self._rejected_seconds - self._cut_off, self._expected
        if gave_up and self._container == "wv":  # FFmpeg estimates the durations of others
            end = self._declared
        elif self._container in ENDS:
            self._source.wait_for_end()
            end = ENDS[self._container](self._source, self._last) * self._unit
        elif self._container == "aac":
            end += self._in_seconds(tails.adts_skipped(self._source, self._last))
        if gap <= LONGEST_PAUSE:
            gap = 0.0
        if self._shortest < end - self._expected <= self._longest:
            gap = max(gap, end - self._expected)
        self.missing += gap

    def _add(self, gap: float) -> None:
        """Add a gap if it is one; a timestamp that goes back takes as much back."""
        shortest = self._shortest
        if self._rejected_bytes or self._rejected_seconds:
            shortest = LONGEST_PAUSE
            if self._container in UNTIMED:
                gap = max(gap, self._in_seconds(self._rejected_bytes))
            self._rejected_bytes, self._rejected_seconds = 0, 0.0
        if shortest < gap <= self._longest:
            if self._after_loss or self._container != "ogg":
                self.missing += gap
        elif gap < -SHORTEST_GAP:
            self.missing = max(0.0, self.missing + gap)

    def _turn_page(self, packet: tails.Packet) -> None:
        """Compare the number of a packet's page with that of the page before."""
        if self._last is not None and packet.pos == self._last.pos:
            return
        page, before = tails.ogg_page(self._source, packet), self._page
        if page and before:
            joined = page.stream != before.stream
            lost = not joined and page.number > before.number + 1
            self._after_loss = 2 if lost else 0 if joined else max(0, self._after_loss - 1)
        self._page = page

    def _reject_bytes(self, packet: tails.Packet) -> None:
        """Add the bytes of a packet to those that are no sound, unless they hold a tag."""
        content = bytes(packet)
        if not any(tag in content for tag in TAGS):
            self._rejected_bytes += packet.size

    def _in_seconds(self, size: int) -> float:
        """Return how long so many bytes last."""
        return self.seconds * size / max(self._whole_bytes, 1)
