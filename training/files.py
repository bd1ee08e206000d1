"""Writes files so that a reader sees the old content or the new one, and never a part."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

PARTIAL_SUFFIX = ".partial"  # remains only where a process is killed


def write_atomically(path: Path, content: bytes | str | Callable[[BinaryIO], object]) -> None:
    """Write a file under another name, then rename it.

    Parameters
    ----------
    path : Path
        Its folder is created if it is missing.
    content : bytes, str or callable
        Text is written as UTF-8. A callable gets the open file and writes into it, as
        ``numpy.save`` and ``torch.save`` do.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    try:
        with partial.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
