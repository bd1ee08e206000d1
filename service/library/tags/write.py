"""Tags of an analysis, written into a file."""

import stat
from pathlib import Path

from service.library.tags.beside import copied, put_in_place
from service.library.tags.content import Content, Description, content, description
from service.library.tags.errors import TagsError
from service.library.tags.files import AROUND, TaggedFile, open_tagged
from service.library.tags.forms import same
from service.library.tags.mp4 import MP4
from service.schemas import Analysis

MUSIC = ("confident", "mixed", "unknown_genre")
NUMBERS = 3  # digits


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


def write_tags(
    path: Path, tags: dict[str, str], *, replace: bool, keep_times: bool = False
) -> list[str]:
    """Write tags into a file, or leave it as it is, to the byte.

    A name that the file has, in whatever case, keeps its case, its place and the version of its
    kind of tags. Mode, owner, extended attributes and access control lists stay, as far as the
    system lets them. A link is followed. A file with several names (hard links) is refused: its
    other names would keep the file without the tags. So is a file that is read-only.

    Parameters
    ----------
    path : Path
    tags : dict of str to str
    replace : bool
        Whether those that the file has already are written over.
    keep_times : bool
        Whether the file's time of change stays as it was.

    Returns
    -------
    names : list of str
        Of the tags that the file holds now as given. A file that held them all is not written.

    Raises
    ------
    TagsError
        If the file cannot hold tags, or if it cannot be proved that a copy with the tags is
        otherwise the same.
    """
    if not tags:
        return []
    try:
        return _write(path.resolve(strict=True), tags, replace=replace, keep_times=keep_times)
    except TagsError:
        raise
    except Exception as error:  # whatever the tag library raises is this file's problem
        why = getattr(error, "strerror", None)
        said = str(error).rstrip(".") or type(error).__name__
        why = why or f"the tag library fails on this file ({said})"
        raise TagsError(f"The tags cannot be written: {why}.") from error


def _write(path: Path, tags: dict[str, str], *, replace: bool, keep_times: bool) -> list[str]:
    before = path.stat()
    if not stat.S_ISREG(before.st_mode) or not before.st_size:
        raise TagsError("The tags cannot be written: the file is empty or not a regular one.")
    described = description(path)
    file = open_tagged(path, described)
    wanted = {
        name: value
        for name, value in tags.items()
        if replace or not any([*file.values(name), *described.values(name)])
    }
    changes = {name: value for name, value in wanted.items() if not same(file.values(name), value)}
    if changes:
        others, held = file.others(changes), content(path, described.container)
        with copied(path, before) as copy:
            for name, value in changes.items():
                file.put(name, value)
            file.save(copy)
            _prove_tags(open_tagged(copy, described), changes, others)
            _prove_content(copy, described, held, changes)
            put_in_place(copy, path, before, keep_times=keep_times)
    return list(wanted)


def _prove_tags(written: TaggedFile, changes: dict[str, str], others: object) -> None:
    """Hold a copy's tags, read from the disk, to what they should be."""
    unlike = [name for name, value in changes.items() if not same(written.values(name), value)]
    if unlike:
        raise TagsError(f"The tags do not read back as written: {', '.join(unlike)}.")
    if written.others(changes) != others:
        raise TagsError("Writing the tags would change other tags of this file.")


def _prove_content(
    copy: Path, described: Description, held: Content, changes: dict[str, str]
) -> None:
    """Hold all that a copy has beside its tags to what the file has, as FFmpeg reads both."""
    now = description(copy)
    if (now.container, now.codec) != (described.container, described.codec):
        raise TagsError("With the tags, this file would be read as one of another kind.")
    unlike = [name for name in changes if not _found(name, changes[name], described, now)]
    if unlike:
        raise TagsError(f"Another reader does not find the tags as written: {', '.join(unlike)}.")
    if now.others(changes) != described.others(changes):
        raise TagsError("Writing the tags would change other tags of this file.")
    found = content(copy, described.container)
    if found.streams != held.streams:
        raise TagsError("Writing the tags would change the sound of this file.")
    if found.parts != held.parts:
        raise TagsError("Writing the tags would change other parts of this file.")


def _found(name: str, value: str, before: Description, now: Description) -> bool:
    """Say whether FFmpeg finds a tag as written, where it can.

    Of tags around a sound it reads some, so that it may find what it found before. Of tags in an
    MP4 that have the same name, in two cases or in another program's namespace, it finds one.
    """
    then, values = before.values(name), now.values(name)
    hidden = values == then if now.container in AROUND else now.container == MP4 and then and values
    return value in values or bool(hidden)
