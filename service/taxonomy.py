"""An operator's own names for genres; genres under one name are one, their probabilities added.

The file is TOML, a line for each genre that is to have another name::

    dubstep = "Electronic"
    house = "Electronic"
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

_NAMES = TypeAdapter(dict[str, str])


class TaxonomyError(ValueError):
    """The file is no taxonomy of the installed models. The message is for the operator."""


class Taxonomy:
    """New names for genres.

    Parameters
    ----------
    names : dict of str to str
        The new name of each genre that gets one; the others keep theirs.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def rename(self, genres: Sequence[str]) -> list[str]:
        """Return the new names of genres, each once, in the order of their first."""
        return list(dict.fromkeys(self.names.get(genre, genre) for genre in genres))

    def merge(self, genres: Sequence[str], scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add up the probabilities of the genres that have one new name.

        Parameters
        ----------
        genres : sequence of str
        scores : float32 [shape=(n, n_genres)]

        Returns
        -------
        merged : float32 [shape=(n, n_names)]
            Columns as `rename` returns the names.
        """
        names = self.rename(genres)
        merged = np.zeros((len(scores), len(names)), np.float32)
        for genre, column in zip(genres, scores.T, strict=True):
            merged[:, names.index(self.names.get(genre, genre))] += column
        return merged


MODELS_OWN = Taxonomy({})
"""Every genre keeps the model's name for it."""


def read_taxonomy(path: Path, known: set[str]) -> Taxonomy:
    """Read an operator's file.

    Parameters
    ----------
    path : Path
    known : set of str
        The genres of the installed models: another one is a slip of the pen.

    Raises
    ------
    TaxonomyError
        If it cannot be read, or names a genre that is not known.
    """
    try:
        names = _NAMES.validate_python(tomllib.loads(path.read_text()))
    except (OSError, ValidationError, ValueError) as error:
        raise TaxonomyError(f"{path} is no taxonomy: {error}".splitlines()[0]) from error
    if unknown := names.keys() - known:
        raise TaxonomyError(f"{path} names {min(unknown)}, which is a genre of no model.")
    return Taxonomy(names)
