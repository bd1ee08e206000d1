"""Standard output of the commands."""

import os
import sys

from service.library.records import OutputError


def escape_the_rest(encoding: str | None = None) -> None:
    """Escape what standard output cannot hold, such as names that are not UTF-8.

    Parameters
    ----------
    encoding : str or None
        Of what another program reads; None for that of the terminal.

    Raises
    ------
    OutputError
        If there is no standard output.
    """
    if sys.stdout is None:
        raise OutputError("Standard output: it is closed.")
    sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")  # type: ignore[union-attr]


def write(text: str) -> None:
    """Write text to standard output at once.

    Raises
    ------
    OutputError
        If it cannot be written, since its reader has ended or the disk is full.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _discard()
        raise OutputError(f"Standard output: {error.strerror}.") from error


def _discard() -> None:
    """Discard standard output: the interpreter flushes it at exit, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
