"""Trains the student on what the teachers say of every window.

The teachers heard the clean recording; the student gets a crop of one of its takes, further
changed in pitch, tempo, room, equaliser and noise, or mixed with another window. A mixture has the
mixed targets. This is the "consistent and patient" teaching of Beyer et al., "Knowledge
distillation: A good teacher is patient and consistent", 2022, except that the teachers' outputs
are computed once.
"""

import bisect
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from tqdm import tqdm

from service import audio
from training.data.dataset import Dataset
from training.data.takes import TAKES
from training.data.teachers import Targets
from training.files import write_atomically
from training.fit.augment import mask, mix_power, random_crops, simulate_phone
from training.fit.config import StudentConfig
from training.fit.finish import finish
from training.fit.student_file import TrainedStudent, save_student
from training.models.base import device
from training.models.student import Student
from training.types import Indices

CHECKPOINT = "student-training.pt"  # with the optimizer's state, to resume
STUDENT_FILE = "student.pt"
AVERAGE_STEPS = 400  # of the exponential moving average of the weights
WARM_UP = 0.1  # share of the steps in which the learning rate rises
MAX_STRETCH = 0.12  # change of tempo
STANDARDISING_ROWS = 1_000
WATCH_BATCH = 32


def distill(dataset: Dataset, targets: Targets, config: StudentConfig, folder: Path) -> Path:
    """Train the student, or go on with a training that was interrupted.

    The test tracks of the corpus are left out, so that the figures on them are honest.

    Parameters
    ----------
    dataset : Dataset
    targets : Targets
    config : StudentConfig
    folder : Path
        Gets `CHECKPOINT` after each epoch, and `STUDENT_FILE` at the end.

    Returns
    -------
    path : Path
        `STUDENT_FILE`, for `load_student`.
    """
    network = fit(dataset, targets, config, folder)
    path = folder / STUDENT_FILE
    save_student(finish(dataset, targets, network, config), path)
    return path


def fit(
    dataset: Dataset,
    targets: Targets,
    config: StudentConfig,
    folder: Path,
    start: TrainedStudent | None = None,
) -> Student:
    """Train a student's network, or go on with a training that was interrupted.

    Parameters
    ----------
    dataset, targets, config, folder
        As of `distill`.
    start : TrainedStudent or None
        Its weights are the initial ones.

    Returns
    -------
    network : Student
        The moving average of the weights, in evaluation mode.
    """
    train, watched = _places(dataset, targets)
    training = _Training.resumed(dataset, targets, config, folder / CHECKPOINT, start)
    steps = len(train) // config.batch_size
    while training.epoch < config.epochs:
        rng = np.random.default_rng([config.seed, training.epoch])
        torch.manual_seed(int(rng.integers(2**31)))
        losses = []
        progress = tqdm(_batches(train, config.batch_size, rng), total=steps, unit="batch")
        for number, places in enumerate(progress):
            rate = _learning_rate(config, training.epoch + number / steps)
            inputs, wanted = _views(dataset, targets, places, config, rng)
            losses.append(training.step(inputs, wanted, rate))
            progress.set_description(f"epoch {training.epoch + 1}, loss {np.mean(losses):.4f}")
        training.finish_epoch(float(np.mean(losses)), _watch(dataset, targets, training, watched))
        training.save(folder / CHECKPOINT)
    return training.averaged


def _places(dataset: Dataset, targets: Targets) -> tuple[Indices, Indices]:
    """Return the places in `targets.rows` to train on, and some to watch, none of which trains."""
    tracks = dataset.track_of[targets.rows]
    is_test = np.array([track.subset == "test" for track in dataset.tracks])[tracks]
    takes = dataset.take_of[targets.rows]
    raw = takes == TAKES.index("raw")
    return np.flatnonzero(~is_test & ~raw), np.flatnonzero(is_test & raw)


def _batches(places: Indices, size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Yield places in random order; the last ones that do not fill a batch are left out."""
    order = rng.permutation(places)
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def _learning_rate(config: StudentConfig, epoch: float) -> float:
    """Return the learning rate after some epochs: in each cycle a linear rise, then a cosine."""
    bounds = [0, *config.restarts, config.epochs]
    cycle = bisect.bisect_right(bounds, epoch) - 1
    done = (epoch - bounds[cycle]) / (bounds[cycle + 1] - bounds[cycle])
    highest = config.learning_rate * 0.5**cycle
    if done < WARM_UP:
        return highest * (0.01 + 0.99 * done / WARM_UP)
    return highest * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def _views(
    dataset: Dataset,
    targets: Targets,
    places: Indices,
    config: StudentConfig,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Return augmented crops of windows, and their targets."""
    windows = dataset.spectrograms(targets.rows[places])
    wanted = torch.from_numpy(targets.values[places])
    n_frames = round(config.crop_frames * rng.uniform(1 - MAX_STRETCH, 1 + MAX_STRETCH))
    crops = random_crops(windows, min(n_frames, audio.N_FRAMES), rng)
    stretched = interpolate(torch.from_numpy(crops), config.crop_frames, mode="linear")
    if rng.random() < config.mixed:
        partners = torch.from_numpy(rng.permutation(len(places)))
        shares = torch.from_numpy(rng.beta(0.5, 0.5, len(places)).astype(np.float32))
        stretched = mix_power(stretched, stretched[partners], shares)
        wanted = wanted * shares[:, None] + wanted[partners] * (1 - shares[:, None])
    views = mask(simulate_phone(stretched.numpy(), rng), rng)
    return torch.from_numpy(views), wanted


class _Training:
    """A student in training: its weights, their moving average and the optimizer."""

    def __init__(
        self,
        dataset: Dataset,
        targets: Targets,
        config: StudentConfig,
        start: TrainedStudent | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.made_from = f"{dataset.rows_digest} {targets.digest} {config.model_dump_json()}"
        self.made_from += f" {start.digest}" if start else ""
        self.epoch = 0
        self.history: list[tuple[float, float]] = []
        self.steps = 0
        self.student = _new(dataset, targets, config)
        if start:
            self.student.load_state_dict(start.network.state_dict())
        self.averaged = _new(dataset, targets, config).eval()
        self.averaged.load_state_dict(self.student.state_dict())
        self.weights = _weights(targets).to(device())
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )

    @classmethod
    def resumed(
        cls,
        dataset: Dataset,
        targets: Targets,
        config: StudentConfig,
        path: Path,
        start: TrainedStudent | None,
    ) -> "_Training":
        """Return the training in a checkpoint, or a new one."""
        training = cls(dataset, targets, config, start)
        if path.exists():
            saved = torch.load(path, map_location=device(), weights_only=True)
            if saved["made_from"] == training.made_from:
                training.student.load_state_dict(saved["student"])
                training.averaged.load_state_dict(saved["averaged"])
                training.optimizer.load_state_dict(saved["optimizer"])
                training.epoch, training.steps = saved["epoch"], saved["steps"]
                training.history = saved["history"]
        return training

    def step(self, inputs: Tensor, wanted: Tensor, learning_rate: float) -> float:
        """Train on one batch; return its loss."""
        self.student.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss = self.loss(self.student(inputs.to(device())), wanted.to(device()))
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps += 1
        self._average()
        return loss.item()

    def loss(self, predicted: Tensor, wanted: Tensor) -> Tensor:
        """Return the weighted squared error: the mean over the windows that have the targets."""
        known = ~wanted.isnan()
        error = torch.where(known, predicted - wanted.nan_to_num(), 0) ** 2
        means = error.sum(0) / known.sum(0).clamp(min=1)
        return (means * self.weights).sum()

    @torch.no_grad()
    def _average(self) -> None:
        """Move the average towards the present weights, faster at the beginning."""
        share = max(1 / AVERAGE_STEPS, 1 / (1 + self.steps / 10))
        state = self.student.state_dict()
        for name, value in self.averaged.state_dict().items():
            if value.is_floating_point():
                value.lerp_(state[name], share)
            else:
                value.copy_(state[name])

    def finish_epoch(self, train_loss: float, watched_loss: float) -> None:
        """Count an epoch."""
        self.epoch += 1
        self.history.append((train_loss, watched_loss))
        tqdm.write(f"epoch {self.epoch}: {train_loss:.4f} in training, {watched_loss:.4f} on test")

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        checkpoint = {
            "made_from": self.made_from,
            "student": self.student.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "steps": self.steps,
            "history": self.history,
        }
        write_atomically(path, partial(torch.save, checkpoint))


def _weights(targets: Targets) -> Tensor:
    """Return the weight of each target; those of a kind have the same, and all sum to 1."""
    weights = torch.zeros(targets.values.shape[1])
    for columns in targets.kinds.values():
        weights[columns] = 1 / (columns.stop - columns.start) / len(targets.kinds)
    return weights


def _new(dataset: Dataset, targets: Targets, config: StudentConfig) -> Student:
    """Return an untrained student that standardises by the mean and deviation of its input."""
    n_targets = targets.values.shape[1]
    student = Student(config.width, config.features, n_targets, config.dropout)
    some = dataset.spectrograms(targets.rows[:: -(-len(targets.rows) // STANDARDISING_ROWS)])
    student.mean.copy_(torch.from_numpy(some.mean((0, 2)))[:, None])
    student.scale.fill_(float(some.std()))
    for layer in student.modules():  # with the feature maps in the same format, 1.5 times as fast
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    return student.to(device())


@torch.no_grad()
def _watch(dataset: Dataset, targets: Targets, training: _Training, places: Indices) -> float:
    """Return the mean loss of the averaged student for whole windows."""
    losses = []
    for start in range(0, len(places), WATCH_BATCH):
        some = places[start : start + WATCH_BATCH]
        windows = torch.from_numpy(dataset.spectrograms(targets.rows[some])).to(device())
        wanted = torch.from_numpy(targets.values[some]).to(device())
        losses.append(float(training.loss(training.averaged(windows), wanted)) * len(some))
    return sum(losses) / max(len(places), 1)
