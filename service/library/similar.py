"""Recordings of a library that are similar to others, by the cosine of their embeddings.

The library is a file of records. It holds the vectors, too, so that no second file can be out of
step with it. The search is exact: one product of matrices.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import audio
from service.analysis import analyze
from service.card import EmbeddingSpace
from service.library.analyze import open_recording
from service.loading import load_served
from service.settings import SimilarSettings

SIMILARITY_DIGITS = 3


class LibraryError(ValueError):
    """The library cannot be used. The message is for the operator, in one line."""


@dataclass(frozen=True)
class Vectors:
    """The embeddings of a library.

    Attributes
    ----------
    paths : list of str
    values : float32 [shape=(n, n_dimensions)]
        Of unit length.
    left_out : int
        Number of records without an embedding of the space.
    """

    paths: list[str]
    values: NDArray[np.float32]
    left_out: int

    def nearest(
        self, vector: NDArray[np.float32], count: int, path: str
    ) -> list[tuple[str, float]]:
        """Return the most similar recordings other than that of a path, and their cosines."""
        cosines = self.values @ vector
        order = [int(place) for place in np.argsort(-cosines, kind="stable")[: count + 1]]
        others = [place for place in order if self.paths[place] != path]
        return [(self.paths[place], float(cosines[place])) for place in others[:count]]


def run(settings: SimilarSettings) -> int:
    """Print the most similar recordings of a library.

    Returns
    -------
    status : int
        Exit status of the process: 1 if any recording has a problem, else 0.

    Raises
    ------
    service.model.ModelError
        If the installed model cannot be used.
    service.model.NoEmbeddingError
        If it has no embedding.
    LibraryError
        If the file cannot be read, or has no embedding of this model.
    """
    model = load_served(settings)[settings.model]
    vectors = read_vectors(settings.library, model.space())
    if vectors.left_out:
        sys.stderr.write(f"Left out: {vectors.left_out:,} without an embedding of this model.\n")
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    bounds = audio.Bounds(settings.max_seconds, settings.decode_seconds)
    status = 0
    for path in settings.recordings:
        try:
            with open_recording(path) as file:
                found = analyze(file, model, bounds, embedding=True).embedding
        except (audio.AudioError, OSError) as error:
            sys.stderr.write(f"fifteen: {path}: {error}\n")
            status = 1
            continue
        assert found is not None  # noqa: S101 - it was requested
        sys.stdout.write(f"{path}\n")
        vector = np.array(found.values, np.float32)
        for other, cosine in vectors.nearest(vector, settings.count, str(path.absolute())):
            sys.stdout.write(f"{cosine:7.{SIMILARITY_DIGITS}f}  {other}\n")
    return status


def read_vectors(library: Path, space: EmbeddingSpace) -> Vectors:
    """Read the embeddings of one space from a file of records.

    Raises
    ------
    LibraryError
        If the file cannot be read, or has no embedding of the space.
    """
    paths, values, left_out = [], [], 0
    try:
        with library.open(encoding="utf-8", newline="") as file:
            for line in file:
                if not line.endswith("\n"):
                    break  # a run was stopped while it wrote this record
                record = json.loads(line)
                vector = _vector(record["analysis"] or {}, space)
                if vector is None:
                    left_out += 1
                else:
                    paths.append(record["path"])
                    values.append(vector)
    except OSError as error:
        raise LibraryError(f"{library} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryError(f"{library} is not a *.jsonl file of records.") from error
    if not paths:
        raise LibraryError(
            f"{library} has no embedding of {space.space}: run analyze with --embedding true."
        )
    return Vectors(paths, np.stack(values), left_out)


def _vector(analysis: dict[str, Any], space: EmbeddingSpace) -> NDArray[np.float32] | None:
    """Return the embedding of an analysis, None if it has none of the space."""
    found = analysis.get("embedding")
    if found is None or found["space"] != space.space:
        return None
    vector = np.array(found["values"], np.float32)
    return vector if vector.shape == (space.dimensions,) else None
