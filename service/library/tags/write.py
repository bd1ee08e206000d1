"""Writes the tags of an analysis into a file."""

import stat
from collections.abc import Collection
from pathlib import Path

from service.library.tags.beside import copied, put_in_place
from service.library.tags.content import Content, Description, content, description
from service.library.tags.errors import TagsError
from service.library.tags.files import AROUND, TaggedFile, open_tagged
from service.library.tags.forms import same
from service.library.tags.mp4 import MP4
from service.schemas import Analysis
from service.settings import MoreTags
from service.verdict import MUSIC

NUMBERS = 3  # digits
REPLAYGAIN_LUFS, R128_LUFS = -18.0, -23.0  # what players turn a recording to
GAIN_AND_PEAK = {"REPLAYGAIN_TRACK_GAIN", "REPLAYGAIN_TRACK_PEAK"}
UNREAD = {(MP4, "BPM")}  # containers and names of tags that FFmpeg never reads
R128_STEPS, R128_MOST = 256, 2**15  # a decibel, and the end of the range of 16 bits


def tags_of(analysis: Analysis, more: Collection[MoreTags] = ()) -> dict[str, str]:
    """Return the tags of an analysis, by their usual names.

    There is a genre only if the verdict is sure of it, and all others only for music.

    Parameters
    ----------
    analysis : Analysis
    more : collection of str
        The tags that are written only on request.
    """
    if analysis.verdict not in MUSIC:
        return {}
    values: dict[str, object] = {
        "genre": analysis.genre if analysis.verdict == "confident" else None,
        "mood": analysis.mood,
        **{name: getattr(analysis, name) for name in analysis.emotion},
    }
    tags = {
        name: f"{value:.{NUMBERS}f}" if isinstance(value, float) else str(value)
        for name, value in values.items()
        if value is not None
    }
    if "tempo" in more and analysis.tempo:
        tags["BPM"] = str(round(analysis.tempo.bpm))  # ID3 and MP4 have whole numbers
    if "key" in more and analysis.key:
        tags["INITIALKEY"] = analysis.key.tonic + ("m" if analysis.key.mode == "minor" else "")
    return tags | (_gain(analysis) if "replaygain" in more else {})


def _gain(analysis: Analysis) -> dict[str, str]:
    """Return the tags of ReplayGain 2, or that of RFC 7845 for Opus, which wants no other."""
    lufs, peak = analysis.loudness.integrated_lufs, analysis.loudness.true_peak_dbtp
    if lufs is None:
        return {}
    if (analysis.audio.container, analysis.audio.codec) == ("ogg", "opus"):
        steps = round(R128_STEPS * (R128_LUFS - lufs))
        return {"R128_TRACK_GAIN": str(max(-R128_MOST, min(steps, R128_MOST - 1)))}
    return {
        "REPLAYGAIN_TRACK_GAIN": f"{REPLAYGAIN_LUFS - lufs:.2f} dB",
        "REPLAYGAIN_TRACK_PEAK": f"{10 ** (peak / 20):.6f}",
    }


def write_tags(
    path: Path, tags: dict[str, str], *, replace: bool, keep_times: bool = False
) -> list[str]:
    """Write tags into a file, or leave it unchanged, to the byte.

    An existing tag is found in any case. Its case, its place and the version of its kind of tags
    are preserved. Mode, owner, extended attributes and access control lists are preserved as far as
    the system allows. Symbolic links are followed. A file with several names (hard links) is
    refused: its other names would still lead to the file without tags. A read-only file is
    refused, too.

    Parameters
    ----------
    path : Path
    tags : dict of str to str
    replace : bool
        Whether to overwrite existing tags.
    keep_times : bool
        Whether to preserve the modification time of the file.

    Returns
    -------
    names : list of str
        Names of the tags that the file now holds as given. A file that already holds all of them is
        not written.

    Raises
    ------
    TagsError
        If the file cannot hold tags, or the check of the copy with the tags fails.
    """
    if not tags:
        return []
    try:
        return _write(path.resolve(strict=True), tags, replace=replace, keep_times=keep_times)
    except TagsError:
        raise
    except Exception as error:  # any exception of the tag library is this file's problem
        why = getattr(error, "strerror", None)
        message = str(error).rstrip(".") or type(error).__name__
        why = why or f"the tag library fails on this file ({message})"
        raise TagsError(f"The tags cannot be written: {why}.") from error


def _write(path: Path, tags: dict[str, str], *, replace: bool, keep_times: bool) -> list[str]:
    before = path.stat()
    if not stat.S_ISREG(before.st_mode) or not before.st_size:
        raise TagsError("The tags cannot be written: the file is empty or not a regular one.")
    described = description(path)
    file = open_tagged(path, described)
    there = {name for name in tags if any([*file.values(name), *described.values(name)])}
    if there & GAIN_AND_PEAK:  # those of two programs do not belong together
        there |= GAIN_AND_PEAK
    wanted = {name: value for name, value in tags.items() if replace or name not in there}
    changes = {name: value for name, value in wanted.items() if not same(file.values(name), value)}
    if changes:
        others, original = file.others(changes), content(path, described.container)
        with copied(path, before) as copy:
            for name, value in changes.items():
                file.put(name, value)
            file.save(copy)
            _prove_tags(open_tagged(copy, described), changes, others)
            _prove_content(copy, described, original, changes)
            put_in_place(copy, path, before, keep_times=keep_times)
    return list(wanted)


def _prove_tags(written: TaggedFile, changes: dict[str, str], others: object) -> None:
    """Check the tags of a copy, read from the disk."""
    different = [name for name, value in changes.items() if not same(written.values(name), value)]
    if different:
        raise TagsError(f"The tags do not read back as written: {', '.join(different)}.")
    if written.others(changes) != others:
        raise TagsError("Writing the tags would change other tags of this file.")


def _prove_content(
    copy: Path, described: Description, original: Content, changes: dict[str, str]
) -> None:
    """Check that a copy differs from the file only in its tags, as FFmpeg reads both."""
    after = description(copy)
    if (after.container, after.codec) != (described.container, described.codec):
        raise TagsError("With the tags, other programs would take this file for another kind.")
    missing = [name for name in changes if not _found(name, changes[name], described, after)]
    if missing:
        raise TagsError(f"Another reader does not find the tags as written: {', '.join(missing)}.")
    if after.others(changes) != described.others(changes):
        raise TagsError("Writing the tags would change other tags of this file.")
    found = content(copy, described.container)
    if found.streams != original.streams:
        raise TagsError("Writing the tags would change the sound of this file.")
    if found.parts != original.parts:
        raise TagsError("Writing the tags would change other parts of this file.")


def _found(name: str, value: str, before: Description, after: Description) -> bool:
    """Return whether FFmpeg finds a tag as written, where FFmpeg can find it.

    FFmpeg reads only some of the tags around a sound, so it may find the same value as before. Of
    several tags of the same name in an MP4, in two cases or namespaces, FFmpeg finds only one.
    """
    old, values = before.values(name), after.values(name)
    unread = after.container in AROUND or (after.container, name) in UNREAD
    hidden = values == old if unread else after.container == MP4 and old and values
    return value in values or bool(hidden)
