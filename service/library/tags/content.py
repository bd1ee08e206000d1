"""What a file holds beside its tags, as FFmpeg reads it, so that two files can be compared."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import av

from service import audio
from service.library.tags.parts import parts
from service.library.tags.ranges import Parts

RAW_NAMES = {"mood": ("tmoo", "wm/mood")}
"""What ID3v2 and ASF call a tag for which FFmpeg has no name of its own."""

OPENING = {"format_whitelist": ",".join(audio.FORMATS), "codec_whitelist": "none"}
"""What FFmpeg may open a file with: what may be analysed, and no decoder, as nothing is decoded."""

NOT_PLAYED = "skip_samples"  # what FFmpeg hangs to a packet of which a player leaves out a part


@dataclass(frozen=True)
class Description:
    """What FFmpeg says of a file before it reads the sound.

    Attributes
    ----------
    container, codec : str
        FFmpeg's names.
    metadata : tuple of tuples of str
        Of the container and of each stream: name and value.
    """

    container: str
    codec: str
    metadata: tuple[tuple[tuple[str, str], ...], ...]

    def values(self, name: str) -> list[str]:
        """Return the values of a name, wherever it is and in whatever case."""
        return [value for held in self.metadata for key, value in held if _is(key, name)]

    def others(self, names: Collection[str]) -> object:
        """Return the names of all metadata but some.

        Of a name that a file has several times, FFmpeg gives the last, and mutagen sorts them.
        """
        return [
            {key.casefold() for key, _ in held if not any(_is(key, name) for name in names)}
            for held in self.metadata
        ]


def _is(key: str, name: str) -> bool:
    return key.casefold() in (name.casefold(), *RAW_NAMES.get(name, ()))


@dataclass(frozen=True)
class Content:
    """What a file holds beside its tags.

    Attributes
    ----------
    streams : list
        What each stream is, with a digest of its packets and their times; the chapters.
    parts : Parts
        The container's own parts.
    """

    streams: list[Any]
    parts: Parts


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file by its content: FFmpeg does not see its name, as when it is analysed."""
    with (
        path.open("rb") as file,
        av.open(
            file,
            container_options=OPENING,  # not `options`: PyAV gives those to streams, and may crash
            metadata_errors="backslashreplace",
        ) as container,
    ):
        yield container


def description(path: Path) -> Description:
    """Return what FFmpeg says of a file.

    Raises
    ------
    OSError, av.FFmpegError
        If it cannot be read.
    """
    with _opened(path) as container:
        sound = container.streams.audio
        held = [container.metadata, *(stream.metadata for stream in container.streams)]
        return Description(
            container.format.name,
            sound[0].codec_context.name if sound and sound[0].codec_context else "",
            tuple(tuple(metadata.items()) for metadata in held),
        )


def content(path: Path, container: str) -> Content:
    """Read all of a file.

    Raises
    ------
    OSError, av.FFmpegError
        If it cannot be read.
    """
    with path.open("rb") as file:
        found = parts(file, container)
    return Content(_streams(path), found)


def _streams(path: Path) -> list[Any]:
    """Return what each stream is, and the chapters."""
    with _opened(path) as container:
        said: list[Any] = [_said(stream) for stream in container.streams]
        chapters = str(container.chapters())
        digests: defaultdict[int, blake2b] = defaultdict(
            blake2b
        )  # of some containers, streams appear on the way
        try:
            for packet in container.demux():
                times = packet.pts, packet.dts, packet.duration, packet.is_keyframe, packet.size
                digest = digests[packet.stream_index]
                digest.update(repr(times).encode() + bytes(packet))
                if packet.has_sidedata(NOT_PLAYED):
                    digest.update(bytes(packet.get_sidedata(NOT_PLAYED)))
        except av.FFmpegError as error:  # of a damaged file, the sound that is read is compared
            said.append(type(error).__name__)
        found = [(index, digest.hexdigest()) for index, digest in sorted(digests.items())]
        return [*said, chapters, *found]


def _said(stream: Any) -> tuple[Any, ...]:
    """Return what a container says of a stream."""
    context, said = stream.codec_context, (stream.index, stream.type, stream.disposition)
    if context is None:  # of a codec that FFmpeg does not know
        return said
    sound = (context.sample_rate, context.layout.name) if stream.type == "audio" else ()
    return *said, str(stream.time_base), context.name, context.extradata, *sound
