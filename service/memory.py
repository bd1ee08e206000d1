"""Limits the freed memory that the C library holds in a server process.

By default, glibc gives each thread an arena of its own. When a large buffer is freed, glibc raises
its threshold, and later buffers of that size stay in the arenas. After some thousand recordings of
all lengths, the arenas hold hundreds of megabytes of holes, which never return to the system. With
the limits here, a buffer of the size of a window is reused, and a buffer of a whole recording
returns to the system at once.

Other C libraries (musl, macOS, Windows) have no such arenas, so `limit` changes nothing there.
"""

import ctypes
import os
import platform

MIB = 2**20

GLIBC_LIMITS = {
    "MALLOC_ARENA_MAX": (-8, 2),
    "MALLOC_MMAP_THRESHOLD_": (-3, 4 * MIB),  # the largest buffer of one window has 3.7 MB
    "MALLOC_TRIM_THRESHOLD_": (-1, 32 * MIB),  # more than one analysis needs, for reuse
}
"""Number and value of each option, by the environment variable that sets it instead."""


def limit() -> bool:
    """Set the limits of glibc in this process, except those that the environment sets.

    Call it before the process starts worker threads.

    Returns
    -------
    limited : bool
        Whether the C library is glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    for variable, (option, value) in GLIBC_LIMITS.items():
        if variable not in os.environ:
            mallopt(option, value)
    return True
