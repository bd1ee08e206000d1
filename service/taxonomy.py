"""The operator's own names for genres.

Genres with the same new name become one genre, and their probabilities add up. The file is TOML,
with a line for each genre to rename::

    dubstep = "Electronic"
    house = "Electronic"
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

_NAMES = TypeAdapter(dict[str, str])


class TaxonomyError(ValueError):
    """The taxonomy file cannot be used. The message is for the operator, in one line."""


@dataclass(frozen=True)
class Taxonomy:
    """New names for genres.

    Attributes
    ----------
    names : dict of str to str
        The new name of each renamed genre. Other genres keep their names.
    """

    names: dict[str, str]

    def rename(self, genres: Sequence[str]) -> list[str]:
        """Return the new names of genres, without duplicates, in order of first appearance."""
        return list(dict.fromkeys(self.names.get(genre, genre) for genre in genres))

    def merge(self, genres: Sequence[str], scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add up the probabilities of genres with the same new name.

        Parameters
        ----------
        genres : sequence of str
        scores : float32 [shape=(n, n_genres)]

        Returns
        -------
        merged : float32 [shape=(n, n_names)]
            Columns in the order of `rename`.
        """
        names = self.rename(genres)
        merged = np.zeros((len(scores), len(names)), np.float32)
        for genre, column in zip(genres, scores.T, strict=True):
            merged[:, names.index(self.names.get(genre, genre))] += column
        return merged


MODELS_OWN = Taxonomy({})
"""Every genre keeps the name that the model has for it."""


def read_taxonomy(path: Path, known: set[str]) -> Taxonomy:
    """Read a taxonomy file.

    Parameters
    ----------
    path : Path
    known : set of str
        The genres of the installed models. A name outside them is refused as a typing error.

    Raises
    ------
    TaxonomyError
        If the file cannot be read, or renames an unknown genre.
    """
    try:
        names = _NAMES.validate_python(tomllib.loads(path.read_text()))
    except (OSError, ValidationError, ValueError) as error:
        raise TaxonomyError(f"{path} is not a taxonomy: {error}".splitlines()[0]) from error
    if unknown := names.keys() - known:
        raise TaxonomyError(f"{path} renames {min(unknown)}, which is not a genre of any model.")
    return Taxonomy(names)
