"""The forms of tags in files, and the place of each tag in each form.

Names are found in any case, as by players, and an existing tag is written where it is.
"""

from collections.abc import Collection
from importlib import import_module
from typing import Any, Protocol


def mutagen(module: str) -> Any:
    """Import a module of mutagen, an optional extra."""
    return import_module(f"mutagen.{module}")


def same(values: Collection[str], value: str) -> bool:
    """Return whether there are values and all of them equal this one."""
    return set(values) == {value}


class Form(Protocol):
    """Tags of one form, in memory."""

    def values(self, name: str) -> list[str]:
        """Return all values of a name, in any case."""

    def put(self, name: str, value: str) -> None:
        """Set every tag of a name to one value, or add the tag."""

    def others(self, names: Collection[str]) -> object:
        """Return all tags and pictures except `names`, for comparison."""


class Id3:
    """Frames of ID3v2; emotions and gains are in user-defined text frames (TXXX)."""

    FRAMES = {  # noqa: RUF012 - it is never written
        "genre": "TCON",
        "mood": "TMOO",
        "BPM": "TBPM",
        "INITIALKEY": "TKEY",
    }

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
        """Return all frames except `names`, without their encodings, which vary by version."""
        frames = {
            key: {field: value for field, value in vars(frame).items() if field != "encoding"}
            for key, frame in self.tags.items()
            if not any(self._is(frame, name) for name in names)
        }
        return frames, list(self.tags.unknown_frames)


class Mp4:
    """Atoms of iTunes; all but genre and tempo are in freeform atoms."""

    ATOMS = {"genre": "\xa9gen", "BPM": "tmpo"}  # noqa: RUF012 - it is never written
    OWN = "----:com.apple.iTunes:"
    LOWER = ("INITIALKEY",)  # as other programs spell it; other names are in capitals

    def __init__(self, tags: Any) -> None:
        self.tags = tags

    def _is(self, key: str, name: str) -> bool:
        own = key.casefold() == f"{self.OWN}{name}".casefold()
        return own or key == self.ATOMS.get(name)

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
        own = self.OWN + (name.lower() if name in self.LOWER else name.upper())
        found = [key for key in self.tags if self._is(key, name)]
        for key in found or [self.ATOMS.get(name, own)]:
            if key.startswith(self.OWN[:4]):
                self.tags[key] = [value.encode()]
            else:
                self.tags[key] = [int(value) if key == self.ATOMS["BPM"] else value]

    def others(self, names: Collection[str]) -> object:
        """Return all atoms except `names`."""
        return {
            key: value
            for key, value in self.tags.items()
            if not any(self._is(key, name) for name in names)
        }


class Vorbis:
    """Vorbis comments: names and values in order; a name with several values occurs repeatedly."""

    def __init__(self, tags: Any) -> None:
        self.tags = tags

    def values(self, name: str) -> list[str]:
        """Return the values of a name."""
        return [value for key, value in self.tags if key.casefold() == name.casefold()]

    def put(self, name: str, value: str) -> None:
        """Set a name to one value, in the place of its first value."""
        pairs, found = [], False
        for key, old in self.tags:
            if key.casefold() != name.casefold():
                pairs.append((key, old))
            elif not found:
                pairs.append((key, value))
                found = True
        list.clear(self.tags)  # mutagen's `clear` takes it for a dictionary
        self.tags.extend(pairs if found else [*pairs, (name, value)])

    def others(self, names: Collection[str]) -> object:
        """Return all comments except `names`, in order, and the vendor of the encoder."""
        known = {name.casefold() for name in names}
        return self.tags.vendor, [pair for pair in self.tags if pair[0].casefold() not in known]


class Fields:
    """Fields by name, as APEv2 and ASF have them.

    Parameters
    ----------
    tags : mutagen's tags
    usual : dict of str to str
        The usual names in this form, by this project's names.
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
        """Return all fields except `names`."""
        known = {key for name in names for key in self._keys(name)}
        return {key: self.tags[key] for key in self.tags.keys() if key not in known}  # noqa: SIM118
