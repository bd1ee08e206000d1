"""Computes the descriptors of a dataset once, for many trainings."""

import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from training.data.dataset import Dataset
from training.files import write_atomically
from training.fit.augment import simulate_phone
from training.models.base import device
from training.models.descriptors import Descriptors, count_descriptors
from training.types import Indices

DESCRIPTORS_FILE = "descriptors.npy"
IDENTITY_FILE = "descriptors.json"
BATCH = 64
AUGMENTATION_SEED = 15


class DescriptorCache:
    """Descriptors of every row of a dataset, and of augmented copies of the training rows.

    Parameters
    ----------
    dataset : Dataset
    copies : int
        Augmented copies of each training row.
    folder : Path
        Contains the cache. It is computed again if it is of other rows or another number of copies.

    Attributes
    ----------
    row_of : int64 [shape=(n_entries,)]
        The row of the dataset that an entry describes. The first entries are the rows themselves,
        in order; augmented copies follow.
    track_of : int64 [shape=(n_entries,)]
    values : float32 [shape=(n_entries, n_descriptors)], memory-mapped
    """

    def __init__(self, dataset: Dataset, copies: int, folder: Path) -> None:
        self._arguments = (dataset, copies, folder)
        n_rows = len(dataset.track_of)
        trains = dataset.train_rows(np.arange(len(dataset.tracks)))
        self.row_of = np.concatenate([np.arange(n_rows), *[trains] * copies])
        self.track_of = dataset.track_of[self.row_of]
        self._trains = np.isin(self.row_of, trains)
        identity = json.dumps({"dataset": dataset.digest, "copies": copies})
        path, note = folder / DESCRIPTORS_FILE, folder / IDENTITY_FILE
        if not note.exists() or note.read_text() != identity:
            folder.mkdir(parents=True, exist_ok=True)
            note.unlink(missing_ok=True)  # the cache is incomplete until the note is written
            _compute(dataset, self.row_of, n_rows, path)
            write_atomically(note, identity)
        self.values = np.load(path, mmap_mode="r")

    def __reduce__(self) -> tuple[type["DescriptorCache"], tuple[Dataset, int, Path]]:
        """Pickle the arguments: another process opens the cache and copies nothing."""
        return DescriptorCache, self._arguments

    def train_entries(self, tracks: Indices) -> Indices:
        """Return the training entries of some tracks."""
        return np.flatnonzero(self._trains & np.isin(self.track_of, tracks))


@torch.no_grad()
def _compute(dataset: Dataset, row_of: Indices, n_rows: int, path: Path) -> None:
    shape = (len(row_of), count_descriptors())
    values = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    network = Descriptors().to(device()).eval()
    rng = np.random.default_rng(AUGMENTATION_SEED)
    for start in tqdm(range(0, len(row_of), BATCH), desc="descriptors", unit="batch"):
        rows = row_of[start : start + BATCH]
        windows = dataset.spectrograms(rows)
        is_copy = np.arange(start, start + len(rows)) >= n_rows
        if is_copy.any():
            windows[is_copy] = simulate_phone(windows[is_copy], rng)
        descriptors = network(torch.from_numpy(windows).to(device()))
        values[start : start + len(rows)] = descriptors.cpu()
    values.flush()
