"""Computes the features of a dataset once, for many trainings."""

import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from training.data.dataset import Dataset
from training.data.takes import TAKES
from training.files import write_atomically
from training.fit.augment import simulate_phone
from training.fit.student_file import TrainedStudent, load_student
from training.models.base import device
from training.types import Floats, Indices

FEATURES_FILE = "features.npy"
EMOTION_FILE = "emotion.npy"
IDENTITY_FILE = "features.json"
BATCH = 64
AUGMENTATION_SEED = 15


class FeatureCache:
    """The student's features of every row of a dataset, and of augmented copies.

    Parameters
    ----------
    dataset : Dataset
    student : Path
        As `load_student` reads it.
    copies : int
        Augmented copies of each training row.
    folder : Path
        Contains the cache. It is computed again if it is of other rows, of another student or of
        another number of copies.

    Attributes
    ----------
    row_of : int64 [shape=(n_entries,)]
        The row of the dataset that an entry describes. The first entries are the rows themselves,
        in order; augmented copies follow.
    track_of : int64 [shape=(n_entries,)]
    values : float16 [shape=(n_entries, n_features)], memory-mapped
    emotion : float32 [shape=(n_tracks, len(EMOTIONS))]
        True values where the dataset has them, otherwise those of the student for the take ``raw``.
    is_true : bool [shape=(n_tracks, len(EMOTIONS))]
    """

    def __init__(self, dataset: Dataset, student: Path, copies: int, folder: Path) -> None:
        self._arguments = (dataset, student, copies, folder)
        self.student = load_student(student)
        n_rows = len(dataset.track_of)
        trains = dataset.train_rows(np.arange(len(dataset.tracks)))
        self.row_of = np.concatenate([np.arange(n_rows), *[trains] * copies])
        self.track_of = dataset.track_of[self.row_of]
        self._trains = np.isin(self.row_of, trains)
        identity = json.dumps(
            {"rows": dataset.rows_digest, "student": self.student.digest, "copies": copies}
        )
        note = folder / IDENTITY_FILE
        if not note.exists() or note.read_text() != identity:
            folder.mkdir(parents=True, exist_ok=True)
            note.unlink(missing_ok=True)  # the cache is incomplete until the note is written
            _compute(dataset, self.student, self.row_of, n_rows, folder)
            write_atomically(note, identity)
        self.values = np.load(folder / FEATURES_FILE, mmap_mode="r")
        self.is_true = ~np.isnan(dataset.emotion)
        heard = _mean_by_track(dataset, np.load(folder / EMOTION_FILE))
        self.emotion = np.where(self.is_true, dataset.emotion, heard).astype(np.float32)

    def __reduce__(self) -> tuple[type["FeatureCache"], tuple[Dataset, Path, int, Path]]:
        """Pickle the arguments: another process opens the cache and copies nothing."""
        return FeatureCache, self._arguments

    def features(self, entries: Indices) -> torch.Tensor:
        """Return the features of some entries; float32 [shape=(n, n_features)]."""
        return torch.from_numpy(self.values[entries].astype(np.float32))

    def train_entries(self, tracks: Indices) -> Indices:
        """Return the training entries of some tracks."""
        return np.flatnonzero(self._trains & np.isin(self.track_of, tracks))


@torch.no_grad()
def _compute(
    dataset: Dataset, student: TrainedStudent, row_of: Indices, n_rows: int, folder: Path
) -> None:
    shape = (len(row_of), student.config.features)
    values = np.lib.format.open_memmap(
        folder / FEATURES_FILE, mode="w+", dtype=np.float16, shape=shape
    )
    emotion = []
    rng = np.random.default_rng(AUGMENTATION_SEED)
    for start in tqdm(range(0, len(row_of), BATCH), desc="features", unit="batch"):
        rows = row_of[start : start + BATCH]
        windows = dataset.spectrograms(rows)
        is_copy = np.arange(start, start + len(rows)) >= n_rows
        if is_copy.any():
            windows[is_copy] = simulate_phone(windows[is_copy], rng)
        features = student.network.features(torch.from_numpy(windows).to(device()))
        values[start : start + len(rows)] = features.cpu()
        targets = student.network.to_targets(features[torch.from_numpy(~is_copy)])
        emotion.append(student.emotion(targets.cpu().numpy()))
    values.flush()
    np.save(folder / EMOTION_FILE, np.concatenate(emotion))


def _mean_by_track(dataset: Dataset, of_rows: Floats) -> Floats:
    """Return the mean over the take ``raw`` of each track; NaN for what is not music."""
    raw = dataset.take_of == TAKES.index("raw")
    sums = np.zeros((len(dataset.tracks), of_rows.shape[1]))
    np.add.at(sums, dataset.track_of[raw], of_rows[raw])
    counts = np.bincount(dataset.track_of[raw], minlength=len(sums))
    means = sums / np.maximum(counts, 1)[:, None]
    return np.where((dataset.is_music & ~dataset.synthetic & (counts > 0))[:, None], means, np.nan)
