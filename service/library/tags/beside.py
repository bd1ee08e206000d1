"""A copy beside a file, which takes the file's place or goes.

A process may be killed at any time. Then the file is as it was or as it is to be, and a copy may be
left over. It is hidden, has a name of ours that no run takes for music, and is locked as long as
its process lives, so that a later run can tell that it is left over.
"""

import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from service.library.tags.errors import TagsError

PREFIX, SUFFIX = ".fifteen-tags-", ".part"
NAME = re.compile(rf"{re.escape(PREFIX)}[a-z0-9_]+{re.escape(SUFFIX)}")
NEW_SECONDS = 60  # for which an empty copy may be one that its process has not locked yet


def refuse_unless_replaceable(path: Path, stats: os.stat_result) -> None:
    """Refuse a file whose place a copy must not take.

    Raises
    ------
    TagsError
        If the file may not be written, though its folder may, or if it has several names.
    """
    if not os.access(path, os.W_OK):
        raise TagsError("The tags cannot be written: the file is read-only.")
    if stats.st_nlink > 1:
        raise TagsError(
            f"The tags cannot be written: the file has {stats.st_nlink} names (hard links), and "
            "its other names would keep the file without them."
        )


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Copy a file to a name of ours in its folder, and remove the copy if it is still there.

    Raises
    ------
    OSError
        If there is no room, or the folder cannot be written.
    """
    _remove_left_over(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=path.parent)
    copy = Path(name)
    try:
        _lock(descriptor)
        shutil.copyfile(path, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)
        os.close(descriptor)


def put_in_place(copy: Path, path: Path, before: os.stat_result, *, keep_times: bool) -> None:
    """Have a copy take a file's place, when it is on the disk, with all that the file's inode says.

    Parameters
    ----------
    copy, path : Path
    before : os.stat_result
        Of the file when it was read.
    keep_times : bool
        Whether the file's time of change stays; otherwise it is now.

    Raises
    ------
    TagsError
        If the file has changed since.
    OSError
        If the system does not let it.
    """
    with copy.open("rb") as file:
        _inherit(copy, path, before)
        if not keep_times:
            os.utime(copy)
        os.fsync(file.fileno())
    now = path.stat()
    if _identity(now) != _identity(before):
        raise TagsError("The file was changed by another program while its tags were written.")
    copy.replace(path)
    _sync_folder(path.parent)


def _inherit(copy: Path, path: Path, before: os.stat_result) -> None:
    """Give a copy the owner, mode, times, extended attributes and access control of a file."""
    if hasattr(os, "chown"):
        for owner in ((before.st_uid, -1), (-1, before.st_gid)):
            with suppress(OSError):  # only root may give files away
                os.chown(copy, *owner)
    shutil.copystat(path, copy)


def _identity(stats: os.stat_result) -> tuple[int, ...]:
    return stats.st_ino, stats.st_dev, stats.st_size, stats.st_mtime_ns, stats.st_nlink


def _sync_folder(folder: Path) -> None:
    """Have a name last through a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock a file until this process ends or closes it; say whether nobody else has."""
    if sys.platform == "win32":  # where a file that is open cannot be removed
        return True
    import fcntl  # noqa: PLC0415

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_left_over(folder: Path) -> None:
    """Remove copies whose processes were killed."""
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if NAME.fullmatch(path.name)]:
            _remove_if_left_over(path)


def _remove_if_left_over(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            stats = os.fstat(descriptor)
            new = not stats.st_size and time.time() - stats.st_mtime < NEW_SECONDS
            if stat.S_ISREG(stats.st_mode) and not new and _lock(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)
