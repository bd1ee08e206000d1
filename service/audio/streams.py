"""Chooses the audio stream of a file with several."""

from collections.abc import Iterator
from dataclasses import dataclass

import av

from service.audio.blocks import samples_of
from service.audio.bounds import Watch
from service.audio.downmix import SOUNDING_POWER, check, is_bounded
from service.audio.errors import NoAudioStreamError, NotAudioError, UnsupportedAudioError
from service.audio.packets import END

USUAL_SECONDS = 15  # of the usual stream: then it is chosen if it holds sound
SILENT_SECONDS = 60  # of the usual stream: then another is chosen if it holds sound
MOST_SECONDS = 300  # of all streams together
MOST_PACKETS = 100_000  # of all streams together, since packets may be nearly empty
MUCH_LOUDER = 100.0  # times the power of the usual stream, 20 dB; a louder stream replaces it


def sound_streams(container: av.container.InputContainer) -> list[av.AudioStream]:
    """Return the audio streams that can be decoded, the usual one first.

    Raises
    ------
    NoAudioStreamError
        If there is no audio stream.
    NotAudioError
        If no audio stream has a decoder.
    """
    sound = [stream for stream in container.streams if stream.type == "audio"]
    if not sound:
        raise NoAudioStreamError("This file holds no sound: it has no audio stream.")
    # PyAV crashes the process if it decodes a stream without a decoder
    known = [
        stream
        for stream in sound
        if isinstance(stream, av.AudioStream) and stream.codec_context is not None
    ]
    if not known:
        raise NotAudioError("The audio codec of this file is not supported.")
    usual = container.streams.best("audio")
    return sorted(known, key=lambda stream: stream is not usual)


@dataclass
class _Level:
    """The level of the decoded part of a stream."""

    seconds: float = 0.0
    energy: float = 0.0

    @property
    def power(self) -> float:
        """Mean square of the samples."""
        return self.energy / max(self.seconds, 1e-9)


def loudest(
    container: av.container.InputContainer, streams: list[av.AudioStream], watch: Watch
) -> int:
    """Return the index, in `streams`, of the stream that holds the sound.

    It is the usual stream, unless another is louder by `MUCH_LOUDER`. A film may have a silent
    first track, and a screen recorder writes a track for each source. Only the beginning of each
    stream is decoded.

    Parameters
    ----------
    container
        Its packets are consumed: open the file again to decode it.
    streams : list of av.AudioStream
        The usual one first.
    watch : Watch
    """
    levels = {stream.index: _Level() for stream in streams}
    usual = levels[streams[0].index]
    for packet in _packets(container, streams, watch):
        _measure(packet, levels[packet.stream.index])
        sounding = max(level.power for level in levels.values()) > SOUNDING_POWER
        patience = USUAL_SECONDS if usual.power > SOUNDING_POWER else SILENT_SECONDS
        if sounding and usual.seconds >= patience:
            break
        if sum(level.seconds for level in levels.values()) >= MOST_SECONDS:
            break
    powers = [levels[stream.index].power for stream in streams]
    loudest = max(powers)
    return powers.index(loudest) if loudest > MUCH_LOUDER * usual.power else 0


def _packets(
    container: av.container.InputContainer, streams: list[av.AudioStream], watch: Watch
) -> "Iterator[av.Packet[av.AudioStream]]":
    """Yield up to `MOST_PACKETS` packets of the streams."""
    packets = container.demux(tuple(streams))
    for _ in range(MOST_PACKETS):
        watch.look()
        try:
            yield next(packets)
        except END:
            return


def _measure(packet: "av.Packet[av.AudioStream]", level: _Level) -> None:
    """Add a packet to the level of its stream, unless it cannot be decoded."""
    try:
        for frame in packet.decode():
            samples = check(samples_of(frame), bounded=is_bounded(packet.stream.codec_context))
            level.seconds += frame.samples / frame.sample_rate
            level.energy += samples.power * frame.samples / frame.sample_rate
    except (av.FFmpegError, UnsupportedAudioError):
        return
