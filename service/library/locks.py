"""Locks on files, so that two runs do not write the same one."""

import sys
from typing import IO, Any


def is_locked(file: IO[Any]) -> bool:
    """Lock a file until it is closed; return whether the system can.

    Raises
    ------
    BlockingIOError
        If another process, or another opened file of this one, has the lock.
    """
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - Windows does not have it

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # some network drives
        return False
    return True
