"""A temporary copy beside a file, which replaces the file or is removed.

The process may be killed at any time. The file is then either the old or the new one, and a copy
may be left over. The copy is hidden, so that no run takes it for music. Its name is derived from
the file's, so that the next run finds it. A writer holds a lock on the file, so a copy that is
found under the lock is left over.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from service.library.locks import is_locked
from service.library.tags.errors import TagsError
from service.library.tags.ranges import blocks

NAME = ".fifteen-tags-{}.part"
OWNER_ONLY = 0o600  # until the copy is complete and gets the mode of the file


@contextmanager
def copied(path: Path, before: os.stat_result) -> Iterator[Path]:
    """Copy a file to a temporary name in its folder, and remove the copy at the end.

    Parameters
    ----------
    path : Path
    before : os.stat_result
        Status of the file.

    Raises
    ------
    TagsError
        If a copy must not replace the file.
    OSError
        If the file or its folder is not writable, or the disk is full.
    """
    if before.st_nlink > 1:
        raise TagsError(
            f"The tags cannot be written: the file has {before.st_nlink} names (hard links), and "
            "its other names would still lead to the file without tags."
        )
    copy = path.with_name(NAME.format(blake2b(os.fsencode(path.name), digest_size=12).hexdigest()))
    with path.open("r+b") as file:  # to check the permission: nothing is written through it
        locked = _locked(file)
        _refuse_if_changed(path, before)
        if locked:
            copy.unlink(missing_ok=True)
        with _created(copy) as out:
            try:
                out.writelines(blocks(file, 0, before.st_size))
                out.close()
                if not locked:
                    file.close()  # Windows cannot replace an open file
                yield copy
            finally:
                copy.unlink(missing_ok=True)


def _created(copy: Path) -> BinaryIO:
    """Create a file that does not exist yet."""
    try:
        descriptor = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY)
    except FileExistsError as error:
        raise TagsError(
            f"The tags cannot be written: {copy.name}, the copy of a stopped run, already exists."
        ) from error
    return os.fdopen(descriptor, "wb")


def put_in_place(copy: Path, path: Path, before: os.stat_result, *, keep_times: bool) -> None:
    """Replace a file by its copy, with the metadata of the file, after the copy is on the disk.

    Parameters
    ----------
    copy, path : Path
    before : os.stat_result
        Status of the file when it was read.
    keep_times : bool
        Whether to preserve the modification time of the file.

    Raises
    ------
    TagsError
        If the file has changed since then.
    OSError
        If the system refuses.
    """
    _inherit(copy, path, before)
    if not keep_times:
        os.utime(copy)
    _sync(copy)
    _refuse_if_changed(path, before)
    copy.replace(path)
    with suppress(OSError):  # where this fails, a power cut may restore the old file
        _sync(path.parent)


def _inherit(copy: Path, path: Path, before: os.stat_result) -> None:
    """Give a copy the owner, mode, times, extended attributes and access control of a file."""
    if hasattr(os, "chown"):
        for owner in ((before.st_uid, -1), (-1, before.st_gid)):
            with suppress(OSError):  # only root may give files away
                os.chown(copy, *owner)
    shutil.copystat(path, copy)
    if sys.platform == "linux":
        with suppress(OSError):  # the folder may have given the copy other access control
            for name in set(os.listxattr(copy)) - set(os.listxattr(path)):
                os.removexattr(copy, name)


def _refuse_if_changed(path: Path, before: os.stat_result) -> None:
    current = path.stat()
    if any(
        getattr(current, name) != getattr(before, name)
        for name in ("st_ino", "st_dev", "st_size", "st_mtime_ns", "st_nlink")
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
    """Lock a file until it is closed; return whether the system can.

    Where it cannot, a copy that is left over stays, and the file is refused.

    Raises
    ------
    TagsError
        If another process is writing tags into the file.
    """
    try:
        return is_locked(file)
    except BlockingIOError as error:
        raise TagsError("The tags cannot be written: another run is writing them.") from error
