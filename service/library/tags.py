"""Writes genre and mood into the tags of a file, where any player finds them.

mutagen does it; it is an extra, under the GPL, and imported only here and only when asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from service.schemas import Analysis

MUSIC = ("confident", "mixed", "unknown_genre")
NUMBERS = 3  # digits


class TagsError(RuntimeError):
    """Tags cannot be written into a file. The message is for a person."""


def tags_of(analysis: Analysis) -> dict[str, str]:
    """Return what is worth writing of an analysis, by the field's usual names of tags.

    A genre only if the verdict is sure of it, mood and emotions only of music.
    """
    if analysis.verdict not in MUSIC:
        return {}
    said: dict[str, object] = {
        "genre": analysis.genre if analysis.verdict == "confident" else None,
        "mood": analysis.mood,
        **{name: getattr(analysis, name) for name in analysis.emotion},
    }
    return {
        name: f"{value:.{NUMBERS}f}" if isinstance(value, float) else str(value)
        for name, value in said.items()
        if value is not None
    }


def write_tags(path: Path, tags: dict[str, str], *, replace: bool) -> list[str]:
    """Write tags into a file.

    Parameters
    ----------
    path : Path
    tags : dict of str to str
    replace : bool
        Whether those that the file has already are written over.

    Returns
    -------
    names : list of str
        Of the tags that were written.

    Raises
    ------
    TagsError
        If the file cannot hold tags, or cannot be written.
    """
    mutagen = import_module("mutagen")
    try:
        file = mutagen.File(path)
        if file is None:
            raise TagsError("This kind of file cannot hold tags.")
        if file.tags is None:
            file.add_tags()
        ways = _ways(file.tags)
        written = [name for name in tags if replace or not ways.get(name)]
        for name in written:
            ways.put(name, tags[name])
        if written:
            file.save()
    except (mutagen.MutagenError, OSError) as error:
        raise TagsError(f"The tags cannot be written: {error}.") from error
    return written


@dataclass(frozen=True)
class _Ways:
    """How a tag is looked up in a file, and how it is put there."""

    get: Callable[[str], Any]
    put: Callable[[str, str], None]


def _ways(tags: Any) -> _Ways:
    """Return the ways of a file's kind of tags."""
    if isinstance(tags, import_module("mutagen.id3").ID3):
        return _of_id3(tags)
    if isinstance(tags, import_module("mutagen.mp4").MP4Tags):
        return _of_mp4(tags)
    return _Ways(tags.get, lambda name, value: tags.update({name: [value]}))  # Vorbis comments


def _of_id3(tags: Any) -> _Ways:
    id3 = import_module("mutagen.id3")
    kinds = {"genre": id3.TCON, "mood": id3.TMOO}

    def frame(name: str, value: str) -> Any:
        if name in kinds:
            return kinds[name](id3.Encoding.UTF8, [value])
        return id3.TXXX(id3.Encoding.UTF8, name, [value])

    return _Ways(
        lambda name: tags.getall(frame(name, "").HashKey),
        lambda name, value: tags.setall(frame(name, "").HashKey, [frame(name, value)]),
    )


def _of_mp4(tags: Any) -> _Ways:
    def key(name: str) -> str:
        return "\xa9gen" if name == "genre" else f"----:com.apple.iTunes:{name.upper()}"

    def put(name: str, value: str) -> None:
        tags[key(name)] = [value if name == "genre" else value.encode()]

    return _Ways(lambda name: tags.get(key(name)), put)
