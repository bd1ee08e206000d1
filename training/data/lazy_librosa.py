"""librosa, some functions of which numba compiles where a module is imported for the first time.

Whoever wants librosa imports it from here. numba keeps what it compiled in two files for each
function; where two processes compile the same one at the same time, each may write one of them,
and every process that loads both ends in a segmentation fault until they are deleted
(numba's issue 10128). So one process compiles at a time, and those that follow find both files.
"""

import os
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock

COMPILED = ("librosa.beat", "librosa.core.audio", "librosa.core.pitch", "librosa.util.utils")
"""The modules that are compiled when they are imported."""

_USER = os.getuid() if hasattr(os, "getuid") else 0
LOCK = Path(tempfile.gettempdir()) / f"fifteen-compiles-librosa-{_USER}.lock"


@cache
def _compiled() -> Any:
    """Return librosa, all of it compiled."""
    with FileLock(LOCK):
        for name in COMPILED:
            import_module(name)
    return import_module("librosa")


class _WhenUsed:
    """Stands for librosa until some of it is used: compiling and loading take seconds."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_compiled(), name)


librosa: Any = _WhenUsed()
