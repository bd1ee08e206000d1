"""Reads the teachers' outputs: the values that networks trained elsewhere give for a corpus.

A file ``*.npz`` in the folder of teachers has one row for each window that a teacher heard:
``clip_id``, ``start_seconds`` [shape=(n,)], and any number of arrays [shape=(n, n_values)]. Each
array is a *kind* of target, such as an embedding or the logits of tags.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service import audio
from training.data.corpus import CorpusError
from training.data.dataset import Dataset
from training.types import AnyFloats, Floats, Indices

KEYS = ("clip_id", "start_seconds")
AUDIO_FEATURES = "vibenet_logits"  # the kind of target that has the audio-features
AUDIO_FEATURE_COLUMNS = (
    "acousticness", "danceability", "energy", "instrumentalness", "liveness", "speechiness",
    "valence",
)  # fmt: skip
LOGITS = {"acousticness", "instrumentalness", "liveness"}  # the others are values from 0 to 1
MAX_DEVIATION = 5.0  # standard deviations, to which targets are clipped
MIN_SCALE = 1e-6


@dataclass(frozen=True)
class Targets:
    """The teachers' outputs for the rows of a dataset, standardised.

    Attributes
    ----------
    rows : int64 [shape=(n,)]
        The rows of the dataset that have targets.
    values : float32 [shape=(n, n_targets)]
        NaN for a kind of target that a row does not have.
    kinds : dict of str to slice
        The columns of each kind of target.
    mean, scale : float32 [shape=(n_targets,)]
        What standardised each column.
    """

    rows: Indices
    values: AnyFloats
    kinds: dict[str, slice]
    mean: AnyFloats
    scale: AnyFloats

    @property
    def digest(self) -> str:
        """Identifies rows and values."""
        return hashlib.sha256(self.rows.tobytes() + self.values.tobytes()).hexdigest()

    def original(self, columns: slice) -> AnyFloats:
        """Return some columns as the teacher gave them, apart from the clipping."""
        return np.asarray(self.values[:, columns] * self.scale[columns] + self.mean[columns])


def read_targets(folder: Path, dataset: Dataset) -> Targets:
    """Return the targets of the rows of a dataset that a teacher of a folder heard.

    Parameters
    ----------
    folder : Path
        Files of the teachers' outputs.
    dataset : Dataset

    Raises
    ------
    CorpusError
        If the folder has no teacher, or no teacher heard any track.
    """
    kinds: dict[str, slice] = {}
    found: list[AnyFloats] = []
    n_targets = 0
    for path in sorted(folder.glob("*.npz")):
        for kind, values in _of_rows(path, dataset):
            kinds[f"{path.stem}.{kind}"] = slice(n_targets, n_targets + values.shape[1])
            n_targets += values.shape[1]
            found.append(values)
    if not found:
        raise CorpusError(f"{folder} has no outputs of teachers (*.npz).")
    values = np.concatenate(found, axis=1)
    rows = np.flatnonzero(~np.isnan(values).all(axis=1))
    if not len(rows):
        raise CorpusError(f"The teachers in {folder} heard none of the tracks.")
    values = values[rows]
    mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0) + MIN_SCALE
    standardised = np.clip((values - mean) / scale, -MAX_DEVIATION, MAX_DEVIATION)
    return Targets(rows, standardised, kinds, mean, scale)


def _of_rows(path: Path, dataset: Dataset) -> Iterator[tuple[str, AnyFloats]]:
    """Yield each kind of target in a file, by row of a dataset; NaN where it has none."""
    with np.load(path) as file:
        clips, starts = file["clip_id"].tolist(), file["start_seconds"]
        arrays = {name: file[name] for name in file.files if name not in KEYS}
    of_clip: dict[str, list[int]] = {}
    for place, clip in enumerate(clips):
        of_clip.setdefault(clip, []).append(place)
    places = np.full(len(dataset.track_of), -1)
    for row, start in enumerate(_row_starts(dataset)):
        if candidates := of_clip.get(dataset.tracks[dataset.track_of[row]].id):
            wanted = min(start, starts[candidates[-1]])
            places[row] = candidates[np.abs(starts[candidates] - wanted).argmin()]
    for kind, array in arrays.items():
        values = array[places].astype(np.float32)
        values[places < 0] = np.nan
        yield kind, values


def _row_starts(dataset: Dataset) -> Floats:
    """Return about where the window of each row begins in its take, in seconds.

    Windows follow one another; the last one, which ends with the take, begins at this or earlier.
    """
    starts = np.zeros(len(dataset.track_of))
    for row in range(1, len(starts)):
        same = (
            dataset.track_of[row] == dataset.track_of[row - 1]
            and dataset.take_of[row] == dataset.take_of[row - 1]
        )
        starts[row] = starts[row - 1] + audio.WINDOW_SECONDS if same else 0
    return starts
