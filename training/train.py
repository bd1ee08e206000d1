"""Trains the networks of a model and keeps of each the best state on validation."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from service.card import EMOTIONS
from training.corpus import CorpusError, Split
from training.networks import SHARING, FifteenNetwork, TaskNetwork
from training.prepared import Prepared, Rows

CONFIG_FILE = "config.json"
HISTORY_FILE = "history.json"
STATE_FILE = "state.pt"


@dataclass(frozen=True)
class Config:
    """What a run is reproducible from, beside the prepared folder.

    Attributes
    ----------
    sharing : str
        One of `networks.SHARING`.
    """

    sharing: str = "emotion"
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 1e-3
    seed: int = 0


class AnotherRunError(RuntimeError):
    """A run is not of this prepared folder, or not the one that was measured."""


class TrainingDivergedError(RuntimeError):
    """A training gave no usable state."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; losses are means over the labelled windows."""

    epoch: int
    train_loss: float
    valid_loss: float


def device() -> torch.device:
    """Return the GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(prepared: Prepared, config: Config, run: Path) -> FifteenNetwork:
    """Train every network of a model and record the run.

    Parameters
    ----------
    prepared : Prepared
    config : Config
    run : Path
        Where `CONFIG_FILE`, `HISTORY_FILE` and `STATE_FILE` are written.

    Returns
    -------
    network : FifteenNetwork
        Its best state on validation, in evaluation mode.

    Raises
    ------
    CorpusError
        If there is nothing to learn a task from, or all its labels are the same.
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    networks, histories = [], {}
    for tasks in task_groups(prepared, config.sharing):
        network, history = _train_tasks(prepared, tasks, config)
        networks.append(network)
        histories["+".join(tasks)] = [asdict(epoch) for epoch in history]
    model = FifteenNetwork(networks).cpu().eval()
    run.mkdir(parents=True, exist_ok=True)
    (run / CONFIG_FILE).write_text(json.dumps(asdict(config), indent=1))
    torch.save({"prepared": prepared.digest, "model": model.state_dict()}, run / STATE_FILE)
    (run / HISTORY_FILE).write_text(json.dumps(histories, indent=1))  # last: makes it a run
    return model


def load(prepared: Prepared, run: Path) -> tuple[FifteenNetwork, Config]:
    """Read a recorded run back; the network in evaluation mode.

    Raises
    ------
    AnotherRunError
        If it was trained on other recordings, labels or another split.
    """
    config = Config(**json.loads((run / CONFIG_FILE).read_text()))
    state = torch.load(run / STATE_FILE, map_location="cpu", weights_only=True)
    if state["prepared"] != prepared.digest:
        raise AnotherRunError(f"{run} was trained on another corpus or split: train it anew.")
    networks = [_network(prepared, tasks) for tasks in task_groups(prepared, config.sharing)]
    model = FifteenNetwork(networks)
    model.load_state_dict(state["model"])
    return model.eval(), config


def task_groups(prepared: Prepared, sharing: str) -> list[tuple[str, ...]]:
    """Return the tasks of each network: those that share a trunk and that there are labels for."""
    labels = prepared.emotion[_tracks(prepared, "train")]
    missing = {name for i, name in enumerate(EMOTIONS) if np.isnan(labels[:, i]).all()}
    groups = [tuple(task for task in group if task not in missing) for group in SHARING[sharing]]
    return [group for group in groups if group]


def _tracks(prepared: Prepared, split: Split) -> Rows:
    """Return the tracks of one part of the split that have spectrograms."""
    return np.unique(prepared.track_of[prepared.rows(split)])


def _network(prepared: Prepared, tasks: tuple[str, ...]) -> TaskNetwork:
    counts = torch.zeros(len(prepared.origins), prepared.emotion.shape[1])
    for track in _tracks(prepared, "train"):
        for column in np.flatnonzero(~np.isnan(prepared.emotion[track])):
            counts[prepared.origin[track, column], column] += 1
    return TaskNetwork(tasks, len(prepared.genres), counts)


def _train_tasks(
    prepared: Prepared, tasks: tuple[str, ...], config: Config
) -> tuple[TaskNetwork, list[Epoch]]:
    """Train one network; return it in its best state on validation, and what each epoch gave."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    network = _network(prepared, tasks).to(device())
    # Channels last is 2.6 times as fast on two cores; torch's stubs do not know it.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if "genre" in tasks and len(prepared.genres) < 2:
        raise CorpusError("There are not two genres to tell apart.")
    loss = _Loss(prepared, network)
    train_rows = loss.labelled(prepared.rows("train"))
    valid_rows = loss.labelled(prepared.rows("valid"))
    for split, rows in (("train", train_rows), ("valid", valid_rows)):
        if not len(rows):
            raise CorpusError(f"There is nothing in {split} to learn {', '.join(tasks)} from.")
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    history: list[Epoch] = []
    best: dict[str, Tensor] = {}
    progress = tqdm(range(1, config.epochs + 1), desc="+".join(tasks), unit="epoch")
    for epoch in progress:
        network.train()
        losses = []
        for rows in _batches(rng.permutation(train_rows), config.batch_size):
            optimizer.zero_grad()
            value = loss(rows)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(value.item() * len(rows))
        schedule.step()
        history.append(Epoch(epoch, sum(losses) / len(train_rows), _valid_loss(loss, valid_rows)))
        progress.set_postfix(train=history[-1].train_loss, valid=history[-1].valid_loss)
        if history[-1] is best_epoch(history):
            best = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best)
    return network.eval(), history


def best_epoch(history: list[Epoch]) -> Epoch:
    """Return the epoch of the lowest loss on validation, the first of equals.

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    finite = [epoch for epoch in history if math.isfinite(epoch.valid_loss)]
    if not finite:
        raise TrainingDivergedError("The loss is not a number: try a lower --learning-rate.")
    return min(finite, key=lambda epoch: epoch.valid_loss)


def _batches(rows: Rows, size: int) -> Iterator[Rows]:
    """Yield rows in order, the last batch as long as it may be."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@torch.no_grad()
def _valid_loss(loss: "_Loss", rows: Rows) -> float:
    loss.network.eval()
    parts = [torch.stack(loss.sums(batch)) for batch in _batches(rows, 64)]
    sums, counts = torch.stack(parts).sum(0)
    return float((sums / counts.clamp(min=1)).sum())


class _Loss:
    """Cross-entropy of the genre plus, for each emotion, its squared error over its variance."""

    def __init__(self, prepared: Prepared, network: TaskNetwork) -> None:
        self.prepared = prepared
        self.network = network
        self._emotion = prepared.emotion[:, network.emotions]
        self._origin = prepared.origin[:, network.emotions]
        labels = self._emotion[_tracks(prepared, "train")]
        variance = np.nanvar(labels, axis=0)
        if not (variance > 0).all():
            raise CorpusError(f"Of {', '.join(network.tasks)}, one has the same label throughout.")
        self._variance = torch.tensor(variance).to(device())

    def labelled(self, rows: Rows) -> Rows:
        """Return those rows that have a label for one of the network's tasks."""
        tracks = self.prepared.track_of[rows]
        keep = (~np.isnan(self._emotion[tracks])).any(axis=1)
        if "genre" in self.network.tasks:
            keep |= self.prepared.genre[tracks] >= 0
        return rows[keep]

    def __call__(self, rows: Rows) -> Tensor:
        """Return the mean over the labels of each task, summed over the tasks."""
        sums, counts = self.sums(rows)
        return (sums / counts.clamp(min=1)).sum()

    def sums(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Return each task's summed loss and its number of labels; both [shape=(n_tasks,)]."""
        tracks = self.prepared.track_of[rows]
        log_mel = torch.from_numpy(self.prepared.spectrograms(rows)).to(device())
        genre_logits, emotion_logits = self.network(log_mel)
        sums, counts = [], []
        if genre_logits is not None:
            genre = torch.from_numpy(self.prepared.genre[tracks]).to(device())
            summed = nn.functional.cross_entropy(
                genre_logits, genre, ignore_index=-1, reduction="sum"
            )
            sums.append(summed[None])
            counts.append((genre >= 0).sum()[None])
        if emotion_logits is not None:
            target = torch.from_numpy(self._emotion[tracks]).to(device())
            origins = torch.from_numpy(self._origin[tracks]).to(device())
            predicted = (emotion_logits + self.network.offsets(origins)).sigmoid()
            known = ~target.isnan()
            error = torch.where(known, predicted - target.nan_to_num(), 0) ** 2 / self._variance
            sums.append(error.sum(0))
            counts.append(known.sum(0))
        return torch.cat(sums), torch.cat(counts)
