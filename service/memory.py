"""How the C library keeps the memory that a server process frees.

Left to itself, glibc gives each thread an arena of its own, and learns from the first large buffer
that is freed to keep later ones of that size. After some thousand recordings of all lengths the
arenas hold hundreds of megabytes of holes, which never return to the system. With the limits here,
a buffer as long as a window is used again, and that of a whole recording is returned at once.

Other C libraries (musl, macOS, Windows) have no such arenas: nothing is changed there.
"""

import ctypes
import os
import platform

MIB = 2**20

GLIBC_LIMITS = {
    "MALLOC_ARENA_MAX": (-8, 2),
    "MALLOC_MMAP_THRESHOLD_": (-3, 4 * MIB),  # the largest buffer of one window has 3.7 MB
    "MALLOC_TRIM_THRESHOLD_": (-1, 32 * MIB),  # more than one analysis needs: it stays in use
}
"""By the variable in which an operator may set it: the number of the option, and its value."""


def limit() -> bool:
    """Limit what glibc keeps, in this process; limits that the environment sets stay.

    Call it before the process starts threads that work.

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
