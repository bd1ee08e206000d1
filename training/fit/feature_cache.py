"""Computes the features of a dataset once, for many trainings."""

import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from training import parallel
from training.data.dataset import Dataset
from training.data.takes import TAKES
from training.files import write_atomically
from training.fit.augment import simulate_phone
from training.fit.student_file import load_student
from training.models.base import device
from training.types import AnyFloats, Floats, Indices

FEATURES_FILE = "features.npy"
EMOTION_FILE = "emotion.npy"
IDENTITY_FILE = "features.json"
BATCH = 32
ENTRIES_PER_TASK = 2_048
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
    jobs : int or None
        Number of processes that compute it; None for one per processor.

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

    def __init__(
        self, dataset: Dataset, student: Path, copies: int, folder: Path, jobs: int | None = 1
    ) -> None:
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
            _compute(dataset, student, self.row_of, folder, jobs)
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


def _compute(
    dataset: Dataset, student: Path, row_of: Indices, folder: Path, jobs: int | None
) -> None:
    """Write the features of all entries, and the emotions of the rows."""
    n_features = load_student(student).config.features
    values = np.lib.format.open_memmap(
        folder / FEATURES_FILE, mode="w+", dtype=np.float16, shape=(len(row_of), n_features)
    )
    tasks = [
        (dataset, student, row_of[start : start + ENTRIES_PER_TASK], start)
        for start in range(0, len(row_of), ENTRIES_PER_TASK)
    ]
    emotion = []
    parts = parallel.run(_compute_part, tasks, 1 if device().type == "cuda" else jobs)
    for start, part in enumerate(tqdm(parts, total=len(tasks), desc="features", unit="task")):
        first = start * ENTRIES_PER_TASK
        values[first : first + len(part[0])] = part[0]
        emotion.append(part[1])
    values.flush()
    np.save(folder / EMOTION_FILE, np.concatenate(emotion))


@torch.inference_mode()
def _compute_part(
    dataset: Dataset, student: Path, row_of: Indices, first: int
) -> tuple[AnyFloats, AnyFloats]:
    """Return the features of some entries, and the emotions of those that are rows.

    Parameters
    ----------
    dataset : Dataset
    student : Path
    row_of : int64 [shape=(n,)]
        Rows of the entries.
    first : int
        Number of the first entry; it seeds the augmentation of copies.
    """
    trained = load_student(student)
    rng = np.random.default_rng([AUGMENTATION_SEED, first])
    features, emotion = [], []
    for start in range(0, len(row_of), BATCH):
        rows = row_of[start : start + BATCH]
        windows = dataset.spectrograms(rows)
        is_copy = first + start + np.arange(len(rows)) >= len(dataset.track_of)
        if is_copy.any():
            windows[is_copy] = simulate_phone(windows[is_copy], rng)
        found = trained.network.features(torch.from_numpy(windows).to(device()))
        features.append(found.cpu().numpy().astype(np.float16))
        targets = trained.network.to_targets(found[torch.from_numpy(~is_copy)])
        emotion.append(trained.emotion(targets.cpu().numpy()))
    return np.concatenate(features), np.concatenate(emotion)


def _mean_by_track(dataset: Dataset, of_rows: Floats) -> Floats:
    """Return the mean over the take ``raw`` of each track; NaN for what is not music."""
    raw = dataset.take_of == TAKES.index("raw")
    sums = np.zeros((len(dataset.tracks), of_rows.shape[1]))
    np.add.at(sums, dataset.track_of[raw], of_rows[raw])
    counts = np.bincount(dataset.track_of[raw], minlength=len(sums))
    means = sums / np.maximum(counts, 1)[:, None]
    return np.where((dataset.is_music & ~dataset.synthetic & (counts > 0))[:, None], means, np.nan)
