"""Opens the tags of a file, by its content, and saves them into a copy of it.

FFmpeg detects the kind of the file, as in an analysis; the name of the file does not matter.
"""

import io
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol

from service.library.tags.content import Description
from service.library.tags.errors import TagsError
from service.library.tags.forms import Fields, Form, Id3, Mp4, Vorbis, mutagen
from service.library.tags.mp4 import MP4
from service.library.tags.parts import ID3V1, Ends, id3_size
from service.library.tags.ranges import blocks, read_at, size_of

APE_NAMES = {"genre": "Genre", "mood": "Mood"}
ASF_NAMES = {
    "genre": "WM/Genre",
    "mood": "WM/Mood",
    "BPM": "WM/BeatsPerMinute",
    "INITIALKEY": "WM/InitialKey",
}


class TaggedFile(Form, Protocol):
    """The tags of a file, in memory."""

    def save(self, copy: Path) -> None:
        """Write the tags into a copy of the file."""


class _Inside:
    """Tags inside a container, which mutagen rewrites."""

    def __init__(
        self, path: Path, kind: Any, form: Callable[[Any], Form], options: dict[str, Any]
    ) -> None:
        self._file = kind(path, **options)
        if self._file.tags is None:
            self._file.add_tags()
        self._form = form(self._file.tags)

    def values(self, name: str) -> list[str]:
        return self._form.values(name)

    def put(self, name: str, value: str) -> None:
        self._form.put(name, value)

    def others(self, names: Collection[str]) -> object:
        return self._form.others(names)

    def save(self, copy: Path) -> None:
        tags = self._file.tags
        self._file.save(copy, **(_saving(tags) if isinstance(self._form, Id3) else {}))


def _saving(tags: Any) -> dict[str, Any]:
    """Return the options that preserve the version and the values of ID3v2.

    mutagen cannot write version 2.2. It writes 2.3, which has the same frames.
    """
    return {"v2_version": 4 if tags.version >= (2, 4) else 3, "v23_sep": None}


class _Around:
    """Tags before and after the sound, which stays unchanged between them.

    mutagen only creates the bytes of the tags. This class writes them around the sound, since
    mutagen would drop or rewrite an ID3v1 tag.
    """

    def __init__(self, path: Path, *, usual: str) -> None:
        with path.open("rb") as file:
            self._ends = ends = Ends.of(file)
            head = read_at(file, 0, ends.id3)
            tail = read_at(file, ends.ape_start, ends.ape_end - ends.ape_start)
            self._old = read_at(file, size_of(file) - ID3V1, ID3V1)
        self._path, self._head = path, head
        self._id3 = self._read_id3(head) if head else None
        self._ape = mutagen("apev2").APEv2(io.BytesIO(tail)) if tail else None
        if self._id3 is None and self._ape is None:
            self._add(usual)

    @staticmethod
    def _read_id3(head: bytes) -> Any:
        """Read ID3v2 as it is; convert 2.2 to 2.3, which is written instead."""
        oldest = head[3] == 2
        return mutagen("id3").ID3(io.BytesIO(head), translate=oldest, v2_version=3, load_v1=False)

    def _add(self, usual: str) -> None:
        """Add tags of the usual form, with the values of an ID3v1 tag."""
        if usual == "ape":
            self._ape = mutagen("apev2").APEv2()
            return
        id3 = mutagen("id3")
        self._id3 = id3.ID3()
        frames = id3.ParseID3v1(self._old) or {}
        for frame in frames.values():
            if frame.FrameID == "COMM":
                frame.desc = ""
            self._id3.add(frame)

    @property
    def _forms(self) -> list[Form]:
        forms: list[Form] = [] if self._id3 is None else [Id3(self._id3)]
        return forms if self._ape is None else [*forms, Fields(self._ape, APE_NAMES)]

    def values(self, name: str) -> list[str]:
        return [value for form in self._forms for value in form.values(name)]

    def put(self, name: str, value: str) -> None:
        for form in [form for form in self._forms if form.values(name)] or self._forms[:1]:
            form.put(name, value)

    def others(self, names: Collection[str]) -> object:
        return [form.others(names) for form in self._forms]

    def save(self, copy: Path) -> None:
        ends = self._ends
        with self._path.open("rb") as file, copy.open("wb") as out:
            if self._id3 is not None:
                out.write(_id3_bytes(self._id3, self._head))
            out.writelines(blocks(file, ends.id3, ends.ape_start))
            if self._ape is not None:
                ape = io.BytesIO()
                self._ape.save(ape)
                out.write(ape.getvalue())
            out.writelines(blocks(file, ends.ape_end, size_of(file)))


def _id3_bytes(tags: Any, old: bytes) -> bytes:
    """Return ID3v2 as mutagen writes it: in the space of the old tag if that suffices."""
    file = io.BytesIO(old + bytes(ID3V1))  # mutagen searches the end for ID3v1, and finds none
    tags.save(file, v1=0, **_saving(tags))
    return file.getvalue()[: id3_size(file.getvalue())]


ID3_AS_IT_IS = {"translate": False, "load_v1": False}
INSIDE: dict[str, tuple[str, str, Callable[[Any], Form], dict[str, Any]]] = {
    "wav": ("wave", "WAVE", Id3, ID3_AS_IT_IS),
    "aiff": ("aiff", "AIFF", Id3, ID3_AS_IT_IS),
    "flac": ("flac", "FLAC", Vorbis, {}),
    MP4: ("mp4", "MP4", Mp4, {}),
    "asf": ("asf", "ASF", lambda tags: Fields(tags, ASF_NAMES), {}),
    "ogg vorbis": ("oggvorbis", "OggVorbis", Vorbis, {}),
    "ogg opus": ("oggopus", "OggOpus", Vorbis, {}),
    "ogg flac": ("oggflac", "OggFLAC", Vorbis, {}),
    "ogg speex": ("oggspeex", "OggSpeex", Vorbis, {}),
}
"""mutagen's module and class, by FFmpeg's container, and by the codec where it matters."""

AROUND = {"mp3": "id3", "tta": "id3", "wv": "ape", "ape": "ape", "mpc": "ape", "mpc8": "ape"}
"""The usual form of tags, by FFmpeg's container."""


def open_tagged(path: Path, described: Description) -> TaggedFile:
    """Open the tags of a file.

    Raises
    ------
    TagsError
        If tags cannot be written into this kind of file.
    Exception
        Any exception of mutagen.
    """
    container = described.container
    if container in AROUND:
        return _Around(path, usual=AROUND[container])
    found = INSIDE.get(container) or INSIDE.get(f"{container} {described.codec}")
    if found is None:
        raise TagsError(f"Tags cannot be written into this kind of file ({container}).")
    module, kind, form, options = found
    return _Inside(path, getattr(mutagen(module), kind), form, options)
