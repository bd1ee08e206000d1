"""Describes a prepared folder once for many trainings.

Written into a folder of runs: the descriptors of every row, and those of disturbed copies of the
rows that train.
"""

import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from service import audio
from training.data.dataset import Dataset
from training.fit.augment import simulate_phone
from training.models.base import device
from training.models.descriptors import Descriptors
from training.models.mlp import count_descriptors
from training.types import Indices

DESCRIBED_FILE = "described.npy"
MADE_OF_FILE = "described.json"
BATCH = 64
DISTURB_SEED = 15


class DescriptorCache:
    """Descriptors of a prepared folder.

    Parameters
    ----------
    prepared : Prepared
    copies : int
        Disturbed copies of each row of the takes that train.
    folder : Path
        Where they are kept. What is there already is used if it is of the same rows and copies.

    Attributes
    ----------
    row_of : int64 [shape=(n_entries,)]
        Row of `prepared` that an entry describes. The first entries are the rows themselves, in
        order, and the rest disturbed copies.
    values : float32 [shape=(n_entries, n_descriptors)], memory-mapped
    """

    def __init__(self, dataset: Dataset, copies: int, folder: Path) -> None:
        self._arguments = (dataset, copies, folder)
        n_rows = len(dataset.track_of)
        trains = dataset.train_rows(np.arange(len(dataset.tracks)))
        self.row_of = np.concatenate([np.arange(n_rows), *[trains] * copies])
        self.track_of = dataset.track_of[self.row_of]
        self.trains = np.isin(self.row_of, trains)
        fingerprint = {"prepared": dataset.digest, "copies": copies}
        path, note = folder / DESCRIBED_FILE, folder / MADE_OF_FILE
        if not note.exists() or json.loads(note.read_text()) != fingerprint:
            folder.mkdir(parents=True, exist_ok=True)
            note.unlink(missing_ok=True)
            _describe(dataset, self.row_of, n_rows, path)
            note.write_text(json.dumps(fingerprint))
        self.values = np.load(path, mmap_mode="r")

    def __reduce__(self) -> tuple[type["DescriptorCache"], tuple[Dataset, int, Path]]:
        """Pickle what it is opened by; see `Prepared.__reduce__`."""
        return DescriptorCache, self._arguments

    def entries_of(self, tracks: Indices) -> Indices:
        """Return the entries that train, of some tracks."""
        return np.flatnonzero(self.trains & np.isin(self.track_of, tracks))


@torch.no_grad()
def _describe(dataset: Dataset, row_of: Indices, n_rows: int, path: Path) -> None:
    shape = (len(row_of), count_descriptors())
    values = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    network = Descriptors().to(device()).eval()
    rng = np.random.default_rng(DISTURB_SEED)
    for start in tqdm(range(0, len(row_of), BATCH), desc="describe", unit="batch"):
        rows = row_of[start : start + BATCH]
        windows = dataset.spectrograms(rows)
        copied = np.arange(start, start + len(rows)) >= n_rows
        if copied.any():
            windows[copied] = simulate_phone(windows[copied], rng)
        values[start : start + len(rows)] = _on(network, windows)
    values.flush()


def _on(network: Descriptors, windows: audio.Spectrograms) -> torch.Tensor:
    described: torch.Tensor = network(torch.from_numpy(windows).to(device()))
    return described.cpu()
