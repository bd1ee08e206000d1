"""librosa, imported at its first use, by one process at a time.

Import librosa from here only. At the first import of some of its modules numba compiles functions,
and caches each in two files. If two processes compile the same function at the same time, each may
write one of the two files, and every process that loads both crashes until they are deleted (numba
issue 10128). With a lock, one process compiles, and the others find both files.
"""

import os
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock

COMPILED = ("librosa.beat", "librosa.core.audio", "librosa.core.pitch", "librosa.util.utils")
"""The modules that numba compiles when they are imported."""

_USER = os.getuid() if hasattr(os, "getuid") else 0
LOCK = Path(tempfile.gettempdir()) / f"fifteen-compiles-librosa-{_USER}.lock"


@cache
def _import_compiled() -> Any:
    with FileLock(LOCK):
        for name in COMPILED:
            import_module(name)
    return import_module("librosa")


class _LazyModule:
    """Imports librosa at the first access to an attribute: compiling and loading take seconds."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_import_compiled(), name)


librosa: Any = _LazyModule()
