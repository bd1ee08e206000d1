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
from training.descriptors import Descriptors
from training.device import device
from training.disturb import disturbed
from training.perceptron import count_descriptors
from training.prepared import Prepared, Rows

DESCRIBED_FILE = "described.npy"
MADE_OF_FILE = "described.json"
BATCH = 64
DISTURB_SEED = 15


class Described:
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

    def __init__(self, prepared: Prepared, copies: int, folder: Path) -> None:
        self._arguments = (prepared, copies, folder)
        n_rows = len(prepared.track_of)
        trains = prepared.training_rows(np.arange(len(prepared.tracks)))
        self.row_of = np.concatenate([np.arange(n_rows), *[trains] * copies])
        self.track_of = prepared.track_of[self.row_of]
        self.trains = np.isin(self.row_of, trains)
        made_of = {"prepared": prepared.digest, "copies": copies}
        path, note = folder / DESCRIBED_FILE, folder / MADE_OF_FILE
        if not note.exists() or json.loads(note.read_text()) != made_of:
            folder.mkdir(parents=True, exist_ok=True)
            note.unlink(missing_ok=True)
            _describe(prepared, self.row_of, n_rows, path)
            note.write_text(json.dumps(made_of))
        self.values = np.load(path, mmap_mode="r")

    def __reduce__(self) -> tuple[type["Described"], tuple[Prepared, int, Path]]:
        """Pickle what it is opened by; see `Prepared.__reduce__`."""
        return Described, self._arguments

    def entries_of(self, tracks: Rows) -> Rows:
        """Return the entries that train, of some tracks."""
        return np.flatnonzero(self.trains & np.isin(self.track_of, tracks))


@torch.no_grad()
def _describe(prepared: Prepared, row_of: Rows, n_rows: int, path: Path) -> None:
    shape = (len(row_of), count_descriptors())
    values = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    network = Descriptors().to(device()).eval()
    rng = np.random.default_rng(DISTURB_SEED)
    for start in tqdm(range(0, len(row_of), BATCH), desc="describe", unit="batch"):
        rows = row_of[start : start + BATCH]
        windows = prepared.spectrograms(rows)
        copied = np.arange(start, start + len(rows)) >= n_rows
        if copied.any():
            windows[copied] = disturbed(windows[copied], rng)
        values[start : start + len(rows)] = _on(network, windows)
    values.flush()


def _on(network: Descriptors, windows: audio.Spectrograms) -> torch.Tensor:
    described: torch.Tensor = network(torch.from_numpy(windows).to(device()))
    return described.cpu()
