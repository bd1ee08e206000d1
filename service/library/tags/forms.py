"""The forms that tags have in files, and where each has genre, mood and emotions.

A name is found whatever its case, as players find it, and is written where it is.
"""

from collections.abc import Collection
from importlib import import_module
from typing import Any, Protocol


def mutagen(module: str) -> Any:
    """Import a module of mutagen, an optional extra."""
    return import_module(f"mutagen.{module}")


def same(values: Collection[str], value: str) -> bool:
    """Say whether a name has this value wherever it is, and is somewhere."""
    return set(values) == {value}


class Form(Protocol):
    """Tags of one form, in memory."""

    def values(self, name: str) -> list[str]:
        """Return the values of a name, wherever it is and in whatever case."""

    def put(self, name: str, value: str) -> None:
        """Give a name one value wherever it is, or add it."""

    def others(self, names: Collection[str]) -> object:
        """Return all tags but some, pictures too, to be compared."""


class Id3:
    """Frames of ID3v2; emotions in those for text of one's own, which have a description."""

    FRAMES = {"genre": "TCON", "mood": "TMOO"}  # noqa: RUF012 - it is never written

    def __init__(self, tags: Any) -> None:
        self.tags = tags

    def _is(self, frame: Any, name: str) -> bool:
        if frame.FrameID == "TXXX":
            return bool(frame.desc.casefold() == name.casefold())
        return bool(frame.FrameID == self.FRAMES.get(name))

    def values(self, name: str) -> list[str]:
        """Return the values of a name."""
        return [
            str(text)
            for frame in self.tags.values()
            if self._is(frame, name)
            for text in (frame.genres if frame.FrameID == "TCON" else frame.text)
        ]

    def put(self, name: str, value: str) -> None:
        """Give a name one value."""
        id3 = mutagen("id3")
        frames = [frame for frame in self.tags.values() if self._is(frame, name)]
        for frame in frames:
            frame.encoding, frame.text = id3.Encoding.UTF8, [value]
        if not frames and name in self.FRAMES:
            self.tags.add(getattr(id3, self.FRAMES[name])(id3.Encoding.UTF8, [value]))
        elif not frames:
            self.tags.add(id3.TXXX(id3.Encoding.UTF8, name, [value]))

    def others(self, names: Collection[str]) -> object:
        """Return all frames but some; of their encodings, a version knows two, another four."""
        frames = {
            key: {field: value for field, value in vars(frame).items() if field != "encoding"}
            for key, frame in self.tags.items()
            if not any(self._is(frame, name) for name in names)
        }
        return frames, list(self.tags.unknown_frames)


class Mp4:
    """Atoms of iTunes; mood and emotions in those with a name of one's own."""

    GENRE, OWN = "\xa9gen", "----:com.apple.iTunes:"

    def __init__(self, tags: Any) -> None:
        self.tags = tags

    def _is(self, key: str, name: str) -> bool:
        own = key.casefold() == f"{self.OWN}{name}".casefold()
        return own or (name == "genre" and key == self.GENRE)

    def values(self, name: str) -> list[str]:
        """Return the values of a name."""
        return [
            value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            for key, values in self.tags.items()
            if self._is(key, name)
            for value in values
        ]

    def put(self, name: str, value: str) -> None:
        """Give a name one value."""
        new = self.GENRE if name == "genre" else f"{self.OWN}{name.upper()}"
        for key in [key for key in self.tags if self._is(key, name)] or [new]:
            self.tags[key] = [value if key == self.GENRE else value.encode()]

    def others(self, names: Collection[str]) -> object:
        """Return all atoms but some."""
        return {
            key: value
            for key, value in self.tags.items()
            if not any(self._is(key, name) for name in names)
        }


class Vorbis:
    """Vorbis comments: names and values in their order, a name as often as there are values."""

    def __init__(self, tags: Any) -> None:
        self.tags = tags

    def values(self, name: str) -> list[str]:
        """Return the values of a name."""
        return [value for key, value in self.tags if key.casefold() == name.casefold()]

    def put(self, name: str, value: str) -> None:
        """Give a name one value, where its first was."""
        pairs, found = [], False
        for key, old in self.tags:
            if key.casefold() != name.casefold():
                pairs.append((key, old))
            elif not found:
                pairs.append((key, value))
                found = True
        list.clear(self.tags)  # mutagen's own takes it for a dictionary
        self.tags.extend(pairs if found else [*pairs, (name, value)])

    def others(self, names: Collection[str]) -> object:
        """Return all comments but some, in their order, and what wrote the sound."""
        known = {name.casefold() for name in names}
        return self.tags.vendor, [pair for pair in self.tags if pair[0].casefold() not in known]


class Fields:
    """Fields by name, as APEv2 and ASF have them.

    Parameters
    ----------
    tags : mutagen's
    usual : dict of str to str
        What the form calls names of ours.
    """

    def __init__(self, tags: Any, usual: dict[str, str]) -> None:
        self.tags, self.usual = tags, usual

    def _keys(self, name: str) -> list[str]:
        known = {name.casefold(), self.usual.get(name, name).casefold()}
        return [key for key in dict.fromkeys(self.tags.keys()) if key.casefold() in known]

    def values(self, name: str) -> list[str]:
        """Return the values of a name."""
        found = [self.tags[key] for key in self._keys(name)]
        return [
            str(value)
            for values in found
            for value in (values if hasattr(values, "__iter__") else [values])
        ]

    def put(self, name: str, value: str) -> None:
        """Give a name one value."""
        for key in self._keys(name) or [self.usual.get(name, name)]:
            self.tags[key] = [value]

    def others(self, names: Collection[str]) -> object:
        """Return all fields but some."""
        known = {key for name in names for key in self._keys(name)}
        return {key: self.tags[key] for key in self.tags.keys() if key not in known}  # noqa: SIM118
