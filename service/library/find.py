"""Finds the recordings of a library."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SUFFIXES = {
    ".3gp", ".aac", ".aif", ".aifc", ".aiff", ".flac", ".m4a", ".mka", ".mp3", ".mp4", ".oga",
    ".ogg", ".opus", ".wav", ".wave", ".webm",
}  # fmt: skip
"""Of the files that are taken from a folder. What a file holds is seen when it is decoded."""


class MissingPathError(ValueError):
    """There is nothing at a path. The message is for the operator, in one line."""


def recordings(paths: Iterable[Path]) -> list[Path]:
    """Return the files to analyze, absolute, each once, in the order of their names.

    Parameters
    ----------
    paths : iterable of Path
        A file is taken as it is; of a folder, with the folders in it, what has one of `SUFFIXES`
        and is not hidden. Links to folders are not followed: they may go round in circles. A folder
        that cannot be read stands for what is in it, so that it is not passed over in silence.

    Raises
    ------
    MissingPathError
        If there is nothing at one of them.
    """
    return sorted({path for each in paths for path in _below(Path(os.path.abspath(each)))})  # noqa: PTH100


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir():
        closed: list[Path] = []
        for folder, inner, names in os.walk(
            path, onerror=lambda error: closed.append(Path(error.filename))
        ):
            inner[:] = [name for name in inner if not name.startswith(".")]
            for name in names:
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                    yield Path(folder, name)
        yield from closed
    elif path.exists():
        yield path
    else:
        raise MissingPathError(f"There is nothing at {path}.")
