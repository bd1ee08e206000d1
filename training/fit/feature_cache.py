"""Computes the inputs of heads once, for many trainings."""

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
from training.models.statistics import N_STATISTICS, statistics
from training.types import AnyFloats, Floats, Indices

INPUTS_FILE = "inputs.npy"
EMOTION_FILE = "emotion.npy"
IDENTITY_FILE = "inputs.json"
BATCH = 32
ENTRIES_PER_TASK = 2_048
AUGMENTATION_SEED = 15


class FeatureCache:
    """The inputs of heads for every row of a dataset, and for augmented copies.

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
    values : float16 [shape=(n_entries, n_features + N_STATISTICS)], memory-mapped
        Features of the student, then statistics of the spectrogram.
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
        self.values = np.load(folder / INPUTS_FILE, mmap_mode="r")
        self.is_true = ~np.isnan(dataset.emotion)
        heard = _mean_by_track(dataset, np.load(folder / EMOTION_FILE))
        self.emotion = np.where(self.is_true, dataset.emotion, heard).astype(np.float32)

    def __reduce__(self) -> tuple[type["FeatureCache"], tuple[Dataset, Path, int, Path]]:
        """Pickle the arguments: another process opens the cache and copies nothing."""
        return FeatureCache, self._arguments

    def inputs(self, entries: Indices) -> torch.Tensor:
        """Return the inputs of some entries; float32 [shape=(n, n_features + N_STATISTICS)]."""
        return torch.from_numpy(self.values[entries].astype(np.float32))

    def features(self, entries: Indices) -> torch.Tensor:
        """Return the features of some entries; float32 [shape=(n, n_features)]."""
        return self.inputs(entries)[:, : self.student.config.features]

    def train_entries(self, tracks: Indices) -> Indices:
        """Return the training entries of some tracks."""
        return np.flatnonzero(self._trains & np.isin(self.track_of, tracks))


def _compute(
    dataset: Dataset, student: Path, row_of: Indices, folder: Path, jobs: int | None
) -> None:
    """Write the inputs of all entries, and the emotions of the rows."""
    n_inputs = load_student(student).config.features + N_STATISTICS
    values = np.lib.format.open_memmap(
        folder / INPUTS_FILE, mode="w+", dtype=np.float16, shape=(len(row_of), n_inputs)
    )
    tasks = [
        (dataset, student, row_of[start : start + ENTRIES_PER_TASK], start)
        for start in range(0, len(row_of), ENTRIES_PER_TASK)
    ]
    emotion = []
    parts = parallel.run(_compute_part, tasks, 1 if device().type == "cuda" else jobs)
    for start, part in enumerate(tqdm(parts, total=len(tasks), desc="inputs", unit="task")):
        first = start * ENTRIES_PER_TASK
        values[first : first + len(part[0])] = part[0]
        emotion.append(part[1])
    values.flush()
    np.save(folder / EMOTION_FILE, np.concatenate(emotion))


@torch.inference_mode()
def _compute_part(
    dataset: Dataset, student: Path, row_of: Indices, first: int
) -> tuple[AnyFloats, AnyFloats]:
    """Return the inputs of some entries, and the emotions of those that are rows.

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
    inputs, emotion = [], []
    for start in range(0, len(row_of), BATCH):
        rows = row_of[start : start + BATCH]
        windows = dataset.spectrograms(rows)
        is_copy = first + start + np.arange(len(rows)) >= len(dataset.track_of)
        if is_copy.any():
            windows[is_copy] = simulate_phone(windows[is_copy], rng)
        log_mel = torch.from_numpy(windows).to(device())
        found = trained.network.features(log_mel)
        together = torch.cat([found, statistics(log_mel)], dim=1)
        inputs.append(together.cpu().numpy().astype(np.float16))
        targets = trained.network.to_targets(found[torch.from_numpy(~is_copy)])
        emotion.append(trained.emotion(targets.cpu().numpy()))
    return np.concatenate(inputs), np.concatenate(emotion)


def _mean_by_track(dataset: Dataset, of_rows: Floats) -> Floats:
    """Return the mean over the take ``raw`` of each track; NaN for what is not music."""
    raw = dataset.take_of == TAKES.index("raw")
    sums = np.zeros((len(dataset.tracks), of_rows.shape[1]))
    np.add.at(sums, dataset.track_of[raw], of_rows[raw])
    counts = np.bincount(dataset.track_of[raw], minlength=len(sums))
    means = sums / np.maximum(counts, 1)[:, None]
    return np.where((dataset.is_music & ~dataset.synthetic & (counts > 0))[:, None], means, np.nan)
