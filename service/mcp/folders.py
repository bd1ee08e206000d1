"""The folders that an agent may read."""

from collections.abc import Iterable
from pathlib import Path

from service.library.find import MissingPathError


class OutsideError(ValueError):
    """A path leads out of the folders. The message is for the agent, in one line."""


class Folders:
    """Folders on the command line; nothing else is read.

    Parameters
    ----------
    paths : iterable of Path

    Raises
    ------
    service.library.find.MissingPathError
        If there is no folder at one of the paths.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.roots = []
        for path in paths:
            if not path.is_dir():
                raise MissingPathError(f"There is no folder at {path}.")
            self.roots.append(path.resolve())

    def holds(self, path: Path) -> bool:
        """Return whether what a path leads to is in one of the folders."""
        try:
            self.real(path)
        except OutsideError:
            return False
        return True

    def real(self, path: str | Path) -> Path:
        """Return a path without symbolic links. A relative one begins in the first folder.

        The check comes before anything else, so that an agent does not learn what exists outside.

        Raises
        ------
        OutsideError
            If the path, or what its links lead to, is in none of the folders.
        """
        try:
            real = (self.roots[0] / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a circle of links, a null character
            raise OutsideError(f"{str(path)!r} is not a path: {error}.") from error
        if not any(real.is_relative_to(root) for root in self.roots):
            named = ", ".join(map(str, self.roots))
            raise OutsideError(
                f"{path} is outside the folders of this server, which reads only: {named}."
            )
        return real
