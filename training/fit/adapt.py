"""Trains a student further on recordings that no teacher heard: it is its own teacher.

What it says of the clean windows is the target for their crops, augmented as in `distill`. So it
gets steadier for this music and this sound, and learns nothing new about music.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from training.data.dataset import Dataset
from training.data.takes import TAKES
from training.data.teachers import Targets
from training.fit.distill import STUDENT_FILE, fit
from training.fit.student_file import TrainedStudent, load_student, save_student
from training.models.base import device
from training.types import AnyFloats, Indices

EPOCHS = 6
LEARNING_RATE = 3e-4  # a good deal below that of a new student, which would forget
BATCH = 32


def adapt(dataset: Dataset, student: Path, folder: Path, epochs: int = EPOCHS) -> Path:
    """Train a student further, or go on with a training that was interrupted.

    The test tracks are left out. Scales and projection stay those of the student.

    Parameters
    ----------
    dataset : Dataset
    student : Path
        As `load_student` reads it.
    folder : Path
        As of `distill`.
    epochs : int

    Returns
    -------
    path : Path
        The adapted student.
    """
    trained = load_student(student)
    changes = {"epochs": epochs, "restarts": [], "learning_rate": LEARNING_RATE}
    config = trained.config.model_copy(update=changes)
    network = fit(dataset, own_targets(dataset, trained), config, folder, trained)
    path = folder / STUDENT_FILE
    save_student(replace(trained, network=network), path)
    return path


def own_targets(dataset: Dataset, trained: TrainedStudent) -> Targets:
    """Return what a student says of the clean window, for each row of a dataset.

    A student's outputs are standardised already. A take may have a window more than the clean one
    has: its target is that of the last.
    """
    raw = dataset.rows("raw")
    outputs = _outputs(dataset, trained, raw)
    rows = np.sort(np.concatenate([dataset.rows(take) for take in TAKES]))
    values = np.empty((len(rows), outputs.shape[1]), np.float32)
    first = np.searchsorted(dataset.track_of[raw], np.arange(len(dataset.tracks) + 1))
    for take in TAKES:
        of_take = dataset.rows(take)
        tracks = dataset.track_of[of_take]
        number = np.arange(len(tracks)) - np.searchsorted(tracks, tracks)
        source = np.minimum(first[tracks] + number, first[tracks + 1] - 1)
        values[np.searchsorted(rows, of_take)] = outputs[source]
    kinds = {kind: slice(*columns) for kind, columns in trained.kinds.items()}
    nothing = np.zeros(outputs.shape[1], np.float32)
    return Targets(rows, values, kinds, mean=nothing, scale=nothing + 1)


@torch.inference_mode()
def _outputs(dataset: Dataset, trained: TrainedStudent, rows: Indices) -> AnyFloats:
    """Return the student's outputs for rows; float32 [shape=(len(rows), n_targets)]."""
    return np.concatenate(
        [
            trained.network(
                torch.from_numpy(dataset.spectrograms(rows[start : start + BATCH])).to(device())
            )
            .cpu()
            .numpy()
            for start in range(0, len(rows), BATCH)
        ]
    )
