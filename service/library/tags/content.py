"""The content of a file besides its tags, as FFmpeg reads it, for comparing two files."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import av

from service import audio
from service.audio.source import Source
from service.library.tags.parts import parts
from service.library.tags.ranges import Parts

RAW_NAMES = {
    "mood": ("tmoo", "wm/mood"),
    "BPM": ("tbpm", "tmpo", "wm/beatsperminute"),
    "INITIALKEY": ("tkey", "wm/initialkey"),
}
"""Names in ID3v2, MP4 and ASF of tags for which FFmpeg has no common name."""

OPENING = {"format_whitelist": ",".join(audio.FORMATS), "codec_whitelist": "none"}
"""Options with which FFmpeg opens a file: the formats of an analysis, and no decoders."""

NOT_PLAYED = "skip_samples"  # side data of a packet of which players skip a part


@dataclass(frozen=True)
class Description:
    """FFmpeg's description of a file, before it reads the sound.

    Attributes
    ----------
    container, codec : str
        FFmpeg's names.
    metadata : tuple of tuples of str
        Names and values of the container and of each stream.
    """

    container: str
    codec: str
    metadata: tuple[tuple[tuple[str, str], ...], ...]

    def values(self, name: str) -> list[str]:
        """Return all values of a name, in any case."""
        return [value for metadata in self.metadata for key, value in metadata if _is(key, name)]

    def others(self, names: Collection[str]) -> object:
        """Return the names of all metadata except `names`.

        The values are left out: where a name occurs several times, FFmpeg returns only the last
        value, and mutagen changes their order.
        """
        return [
            {key.casefold() for key, _ in metadata if not any(_is(key, name) for name in names)}
            for metadata in self.metadata
        ]


def _is(key: str, name: str) -> bool:
    return key.casefold() in (name.casefold(), *RAW_NAMES.get(name, ()))


@dataclass(frozen=True)
class Content:
    """The content of a file besides its tags.

    Attributes
    ----------
    streams : list
        The properties of each stream, a digest of its packets and their times, and the chapters.
    parts : Parts
        The container's own parts.
    """

    streams: list[Any]
    parts: Parts


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file by its content: FFmpeg does not see the name, as in an analysis."""
    with path.open("rb") as file:
        source = Source(file)
        with av.open(
            source,
            container_options=OPENING,  # not `options`: PyAV gives those to streams, and may crash
            metadata_errors="backslashreplace",
        ) as container:
            yield container
        source.raise_error()  # FFmpeg takes a failed read for the end of the file


def description(path: Path) -> Description:
    """Return FFmpeg's description of a file.

    Raises
    ------
    OSError, av.FFmpegError
        If it cannot be read.
    """
    with _opened(path) as container:
        sound = container.streams.audio
        described = [container.metadata, *(stream.metadata for stream in container.streams)]
        return Description(
            container.format.name,
            sound[0].codec_context.name if sound and sound[0].codec_context else "",
            tuple(tuple(metadata.items()) for metadata in described),
        )


def content(path: Path, container: str) -> Content:
    """Return the content of a file.

    Raises
    ------
    OSError, av.FFmpegError
        If it cannot be read.
    """
    with path.open("rb") as file:
        found = parts(file, container)
    return Content(_streams(path), found)


def _streams(path: Path) -> list[Any]:
    """Return the properties and the digest of each stream, and the chapters."""
    with _opened(path) as container:
        properties: list[Any] = [_properties(stream) for stream in container.streams]
        chapters = str(container.chapters())
        # a defaultdict, since the streams of some containers appear late
        digests: defaultdict[int, blake2b] = defaultdict(blake2b)
        try:
            for packet in container.demux():
                times = packet.pts, packet.dts, packet.duration, packet.is_keyframe, packet.size
                digest = digests[packet.stream_index]
                digest.update(repr(times).encode() + bytes(packet))
                if packet.has_sidedata(NOT_PLAYED):
                    digest.update(bytes(packet.get_sidedata(NOT_PLAYED)))
        except av.FFmpegError as error:  # of a damaged file, the readable part is compared
            properties.append(type(error).__name__)
        found = [(index, digest.hexdigest()) for index, digest in sorted(digests.items())]
        return [*properties, chapters, *found]


def _properties(stream: Any) -> tuple[Any, ...]:
    """Return the properties of a stream."""
    context, common = stream.codec_context, (stream.index, stream.type, stream.disposition)
    if context is None:  # FFmpeg does not know the codec
        return common
    sound = (context.sample_rate, context.layout.name) if stream.type == "audio" else ()
    return *common, str(stream.time_base), context.name, context.extradata, *sound
