"""A copy beside a file, which takes the file's place or goes.

A process may be killed at any time. Then the file is as it was or as it is to be, and a copy may be
left over: hidden, so that no run takes it for music, and with a name made of the file's, so that
the next writing finds it. Who writes holds a lock on the file, so what is found is left over.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from service.library.tags.errors import TagsError
from service.library.tags.ranges import blocks

NAME = ".fifteen-tags-{}.part"
OWNER_ONLY = 0o600  # until all is there, and it becomes the file's


@contextmanager
def copied(path: Path, before: os.stat_result) -> Iterator[Path]:
    """Copy a file to a name of ours in its folder, and remove the copy if it is still there.

    Parameters
    ----------
    path : Path
    before : os.stat_result
        Of the file.

    Raises
    ------
    TagsError
        If a copy must not take the file's place.
    OSError
        If file or folder may not be written, or if there is no room.
    """
    if before.st_nlink > 1:
        raise TagsError(
            f"The tags cannot be written: the file has {before.st_nlink} names (hard links), and "
            "its other names would keep the file without them."
        )
    copy = path.with_name(NAME.format(blake2b(os.fsencode(path.name), digest_size=12).hexdigest()))
    with path.open("r+b") as file:  # nothing is written through it: this asks whether one may
        locked = _locked(file)
        _refuse_if_changed(path, before)
        if locked:
            copy.unlink(missing_ok=True)
        with _created(copy) as out:
            try:
                out.writelines(blocks(file, 0, before.st_size))
                out.close()
                if not locked:
                    file.close()  # Windows replaces no file that is open
                yield copy
            finally:
                copy.unlink(missing_ok=True)


def _created(copy: Path) -> BinaryIO:
    """Create a file that is not there."""
    try:
        descriptor = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY)
    except FileExistsError as error:
        raise TagsError(
            f"The tags cannot be written: {copy.name} is in the way, the copy of a stopped run."
        ) from error
    return os.fdopen(descriptor, "wb")


def put_in_place(copy: Path, path: Path, before: os.stat_result, *, keep_times: bool) -> None:
    """Have a copy take a file's place when it is on the disk, with all that is known of the file.

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
    _inherit(copy, path, before)
    if not keep_times:
        os.utime(copy)
    _sync(copy)
    _refuse_if_changed(path, before)
    copy.replace(path)
    with suppress(OSError):  # not every system can: then a loss of power may bring the old back
        _sync(path.parent)


def _inherit(copy: Path, path: Path, before: os.stat_result) -> None:
    """Give a copy the owner, mode, times, extended attributes and access control of a file."""
    if hasattr(os, "chown"):
        for owner in ((before.st_uid, -1), (-1, before.st_gid)):
            with suppress(OSError):  # only root may give files away
                os.chown(copy, *owner)
    shutil.copystat(path, copy)
    if sys.platform == "linux":
        with suppress(OSError):  # the folder may have given it access control of its own
            for name in set(os.listxattr(copy)) - set(os.listxattr(path)):
                os.removexattr(copy, name)


def _refuse_if_changed(path: Path, before: os.stat_result) -> None:
    now = path.stat()
    if any(
        getattr(now, known) != getattr(before, known)
        for known in ("st_ino", "st_dev", "st_size", "st_mtime_ns", "st_nlink")
    ):
        raise TagsError("The tags cannot be written: another program is changing the file.")


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(file: BinaryIO) -> bool:
    """Lock a file until it is closed; say whether the system could.

    Raises
    ------
    TagsError
        If another process writes tags into it.
    """
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - it is not there on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TagsError("The tags cannot be written: another run is writing some.") from error
    except OSError:  # some network drives; then what is left over stays, and the file is refused
        return False
    return True
