"""The command that lists the recordings of a library that are similar to others."""

import os
import sys

import numpy as np

from service import audio
from service.analysis import analyze
from service.library.analyze import open_recording
from service.library.printing import escape_the_rest, write
from service.library.search import Filters, LibraryError, feature_range, read_vectors
from service.loading import load_served
from service.settings import SimilarSettings

SIMILARITY_DIGITS = 3


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
        If the file cannot be read, or has no embedding of this model, or a range is malformed.
    OutputError
        If standard output cannot be written.
    """
    filters = _filters(settings)
    model = load_served(settings)[settings.model]
    vectors = read_vectors(settings.library, model.space())
    if vectors.left_out:
        sys.stderr.write(f"Left out: {vectors.left_out:,} without an embedding of this model.\n")
    escape_the_rest()
    bounds = audio.Bounds(settings.max_seconds, settings.decode_seconds)
    status = 0
    for path in settings.recordings:
        try:
            with open_recording(path) as file:
                found = analyze(file, model, bounds, embedding=True).embedding
        except (audio.AudioError, OSError) as error:
            why = f"{error.strerror or error}." if isinstance(error, OSError) else error
            sys.stderr.write(f"fifteen: {path}: {why}\n")
            status = 1
            continue
        assert found is not None  # noqa: S101 - it was requested
        write(f"{path}\n")
        vector = np.array(found.values, np.float32)
        itself = os.path.abspath(path)  # noqa: PTH100, as `Library` names it
        nearest, _ = vectors.nearest(vector, settings.count, filters, itself)
        for other in nearest:
            write(f"{other.cosine:7.{SIMILARITY_DIGITS}f}  {other.path}\n")
    return status


def _filters(settings: SimilarSettings) -> Filters:
    """Return the filters of the settings."""
    try:
        features = [feature_range(each) for each in settings.feature]
    except ValueError as error:
        raise LibraryError(f"--feature: {error}.") from error
    return Filters(settings.genre, settings.mood, features)
