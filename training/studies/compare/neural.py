"""Small networks of PyTorch: a tower for each feature, and one layer over all of them.

Conventions
-----------
* A network's outputs are the classes' logits, then the scales' scores.
* Scores are trained in standard deviations from the mean of train; only their ranks are used.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from training.models.base import device
from training.models.student import Student
from training.studies.compare.sample import UNKNOWN, Epoch, Prediction, Sample, Trial
from training.types import AnyFloats

Kind = Literal["lstm", "cnn", "cnn in time", "dense", "backbone"]
Stop = Literal["patience", "two phases"]

BATCH = 32
RATE = 1e-3
WEIGHT_DECAY = 1e-3
HIDDEN = 64
CHANNELS = (16, 32, 64)
SIDE = 135  # rows or frames to which the first convolution reduces a large picture
LARGE_CHANNELS = (8, 16, 32, 64)
DROPOUT = 0.3
MOST_MEASURED = 512  # cases that standardisation is computed from
BACKBONE_WIDTH, BACKBONE_FEATURES = 16, 256
BACKBONE_CROP = 150  # frames: 5 s, at a random position in every batch


class Recurrent(nn.Module):
    """The mean over time of the outputs of an LSTM; [shape=(n, HIDDEN)]."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.lstm = nn.LSTM(shape[0], HIDDEN, batch_first=True)

    def forward(self, picture: Tensor) -> Tensor:
        """Read pictures, [shape=(n, n_rows, n_frames)]."""
        outputs: Tensor = self.lstm(picture.transpose(1, 2))[0]
        return outputs.mean(1)


class Pictures(nn.Module):
    """Convolutions over rows and time, averaged over time; [shape=(n, n_features)]."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        shrinking = max(1, min(shape) // SIDE)
        channels = CHANNELS if shrinking == 1 else LARGE_CHANNELS
        blocks: list[nn.Module] = []
        for place, (n_in, n_out) in enumerate(zip((1, *channels), channels, strict=False)):
            stride = shrinking if place == 0 else 1
            kernel = max(3, 2 * stride - 1)
            blocks += [
                nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, picture: Tensor) -> Tensor:
        """Read pictures, [shape=(n, n_rows, n_frames)]."""
        maps: Tensor = self.blocks(picture[:, None])
        return maps.mean(-1).flatten(1)


class Backbone(nn.Module):
    """The project's convolutional network, without its heads; its training input is 5 s."""

    def __init__(self, shape: Sequence[int]) -> None:  # noqa: ARG002 - any length fits
        super().__init__()
        self.student = Student(BACKBONE_WIDTH, BACKBONE_FEATURES, n_targets=1)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Read standardised spectrograms, [shape=(n, audio.N_MELS, n_frames)]."""
        if self.training:
            start = int(torch.randint(log_mel.shape[-1] - BACKBONE_CROP + 1, ()))
            log_mel = log_mel[..., start : start + BACKBONE_CROP]
        return self.student.features(log_mel)


def dense(shape: Sequence[int]) -> nn.Module:
    """Return two hidden layers over a whole feature."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(int(np.prod(shape)), 2 * HIDDEN),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(2 * HIDDEN, HIDDEN),
        nn.ReLU(),
    )


def in_time(shape: Sequence[int]) -> nn.Module:
    """Return convolutions along time only, for rows whose order has no meaning."""
    return nn.Sequential(
        nn.Conv1d(shape[0], HIDDEN, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )


TOWERS = {
    "lstm": Recurrent,
    "cnn": Pictures,
    "cnn in time": in_time,
    "dense": dense,
    "backbone": Backbone,
}


class Network(nn.Module):
    """Towers over standardised features, and a layer over them.

    Parameters
    ----------
    towers : sequence of Kind
        One per feature, or one for all.
    inputs : tuple of float [shape=(n, ...)]
        The training inputs, whose mean and deviation standardise.
    n_classes, n_scales : int
    """

    def __init__(
        self, towers: Sequence[Kind], inputs: tuple[AnyFloats, ...], n_classes: int, n_scales: int
    ) -> None:
        super().__init__()
        kinds = towers if len(towers) == len(inputs) else [*towers] * len(inputs)
        self.n_classes = n_classes
        self.towers = nn.ModuleList(
            TOWERS[kind](each.shape[1:]) for kind, each in zip(kinds, inputs, strict=True)
        )
        for place, each in enumerate(inputs):
            mean, scale = _moments(each)
            self.register_buffer(f"mean_{place}", mean)
            self.register_buffer(f"scale_{place}", scale)
        self.head: nn.Module = nn.Identity()
        with torch.no_grad():
            self.n_features = self.eval()(*(tensor(each[:1]) for each in inputs)).shape[1]
        self.head = _head(self.n_features, n_classes + n_scales)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return logits and scores, float32 [shape=(n, n_classes + n_scales)]."""
        seen = [
            tower(self.standardised(place, each))
            for place, (tower, each) in enumerate(zip(self.towers, inputs, strict=True))
        ]
        outputs: Tensor = self.head(torch.cat(seen, dim=1))
        return outputs

    def standardised(self, place: int, values: Tensor) -> Tensor:
        """Return a feature as the input of its tower."""
        return (values - self.get_buffer(f"mean_{place}")) / self.get_buffer(f"scale_{place}")


def _head(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(n_features, n_outputs))


def _moments(values: AnyFloats) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each row of pictures, or of each number, over some cases."""
    some = np.asarray(values[:: -(-len(values) // MOST_MEASURED)], np.float32)
    axes = (0, 2) if values.ndim > 2 else (0,)
    mean, scale = some.mean(axis=axes, keepdims=True)[0], some.std(axis=axes, keepdims=True)[0]
    return torch.from_numpy(mean), torch.from_numpy(scale + np.float32(1e-3))


def tensor(values: AnyFloats) -> Tensor:
    """Return an array in single precision."""
    return torch.from_numpy(np.asarray(values, np.float32))


def fit(network: Network, trial: Trial, rate: float = RATE) -> list[Epoch]:
    """Train until the validation loss stops improving, and restore the best state.

    Returns
    -------
    history : list of Epoch
    """
    epochs, budget = train_epochs(network, trial, rate), trial.budget
    history: list[Epoch] = []
    best, state, since = np.inf, deepcopy(network.state_dict()), 0
    while len(history) < budget.epochs and since < budget.patience:
        history.append(next(epochs))
        since += 1
        if history[-1].valid_loss < best:
            best, state, since = history[-1].valid_loss, deepcopy(network.state_dict()), 0
    network.load_state_dict(state)
    return history


def fit_in_two_phases(network: Network, trial: Trial) -> list[Epoch]:
    """Train for N epochs, then until the best validation accuracy of these is reached again.

    The second phase has at most N epochs; the network stays in its last state.

    Returns
    -------
    history : list of Epoch
    """
    epochs, most = train_epochs(network, trial, RATE), trial.budget.epochs
    history = [next(epochs) for _ in range(most)]
    best = max(epoch.valid_accuracy for epoch in history)
    while len(history) < 2 * most:
        history.append(next(epochs))
        if history[-1].valid_accuracy >= best:
            break
    return history


def train_epochs(network: Network, trial: Trial, rate: float) -> Iterator[Epoch]:
    """Train, and yield each epoch."""
    train, valid = trial.train, trial.valid
    network.to(device())
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=WEIGHT_DECAY)
    rng = np.random.default_rng(trial.seed)
    while True:
        network.train()
        losses = []
        for chosen in np.array_split(rng.permutation(len(train.label)), _n_batches(train)):
            optimizer.zero_grad()
            batch = train.at(chosen)
            loss = error(network, _outputs(network, batch), batch)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        outputs = outputs_for(network, valid)
        known = valid.label != UNKNOWN
        right = (
            outputs[:, : network.n_classes].argmax(1).numpy() == valid.label if known.any() else 0
        )
        yield Epoch(
            float(np.mean(losses)),
            float(error(network, outputs, valid)),
            float(np.mean(right, where=known)) if known.any() else float("nan"),
        )


def _n_batches(sample: Sample) -> int:
    return -(-len(sample.label) // BATCH)


def _outputs(network: Network, sample: Sample) -> Tensor:
    outputs: Tensor = network(*(tensor(each).to(device()) for each in sample.inputs))
    return outputs


@torch.no_grad()
def outputs_for(network: Network, sample: Sample) -> Tensor:
    """Return a network's outputs for all cases of a sample, on the CPU."""
    network.eval()
    places = np.array_split(np.arange(len(sample.label)), _n_batches(sample))
    return torch.cat([_outputs(network, sample.at(each)).cpu() for each in places])


def error(network: Network, outputs: Tensor, sample: Sample) -> Tensor:
    """Return cross-entropy plus squared error, each a mean over labelled cases."""
    label = torch.from_numpy(sample.label).to(outputs.device)
    target = tensor(sample.scores).to(outputs.device)
    classes, scores = outputs[:, : network.n_classes], outputs[:, network.n_classes :]
    loss = outputs.sum() * 0  # for a batch without labels
    if network.n_classes and (label != UNKNOWN).any():
        loss = loss + cross_entropy(classes, label, ignore_index=UNKNOWN)
    known = ~target.isnan()
    if known.any():
        loss = loss + mse_loss(scores[known], target[known])
    return loss


@dataclass(frozen=True)
class Classifier:
    """One network that classifies."""

    towers: tuple[Kind, ...]
    stop: Stop = "patience"

    def __call__(self, trial: Trial) -> Prediction:
        """Train, and predict the test cases."""
        network = self.network(trial)
        fitting = fit if self.stop == "patience" else fit_in_two_phases
        history = fitting(network, only_classes(trial))
        return Prediction(
            outputs_for(network, trial.test).argmax(1).numpy(), history=tuple(history)
        )

    def network(self, trial: Trial) -> Network:
        """Return the untrained network."""
        torch.manual_seed(trial.seed)
        return Network(self.towers, trial.train.inputs, len(trial.train.classes), 0)


@dataclass(frozen=True)
class Regressors:
    """One network per scale, with one output."""

    towers: tuple[Kind, ...]

    def __call__(self, trial: Trial) -> Prediction:
        """Train, and predict the test cases."""
        scores, history = [], []
        for scale in range(trial.train.scores.shape[1]):
            reduced = only_scale(trial, scale)
            torch.manual_seed(trial.seed)
            network = Network(self.towers, reduced.train.inputs, 0, 1)
            history = fit(network, reduced)
            scores.append(outputs_for(network, trial.test).numpy())
        return Prediction(scores=np.concatenate(scores, axis=1), history=tuple(history))


@dataclass(frozen=True)
class Transfer:
    """A network that is trained on genres, and one fine-tuned copy of it per scale."""

    towers: tuple[Kind, ...]

    def __call__(self, trial: Trial) -> Prediction:
        """Train, and predict the test cases."""
        network = Classifier(self.towers).network(trial)
        fit(network, only_classes(trial))
        scores, history = [], []
        for scale in range(trial.train.scores.shape[1]):
            tuned = deepcopy(network)
            tuned.head, tuned.n_classes = _head(network.n_features, 1), 0
            history = fit(tuned, only_scale(trial, scale), RATE / 2)
            scores.append(outputs_for(tuned, trial.test).numpy())
        return Prediction(scores=np.concatenate(scores, axis=1), history=tuple(history))


@dataclass(frozen=True)
class Multitask:
    """One network for genres and all scales."""

    towers: tuple[Kind, ...]

    def __call__(self, trial: Trial) -> Prediction:
        """Train, and predict the test cases."""
        torch.manual_seed(trial.seed)
        standard = standardised_scores(trial)
        train, n_classes = standard.train, len(trial.train.classes)
        network = Network(self.towers, train.inputs, n_classes, train.scores.shape[1])
        history = fit(network, standard)
        outputs = outputs_for(network, trial.test).numpy()
        return Prediction(outputs[:, :n_classes].argmax(1), outputs[:, n_classes:], tuple(history))


def only_classes(trial: Trial) -> Trial:
    """Return the cases that have a class, without scores."""

    def reduced(sample: Sample) -> Sample:
        chosen = sample.at(sample.label != UNKNOWN)
        return replace(chosen, scores=np.empty((len(chosen.label), 0), np.float32))

    return replace(trial, train=reduced(trial.train), valid=reduced(trial.valid))


def only_scale(trial: Trial, scale: int) -> Trial:
    """Return the cases that have a score on a scale, without classes."""

    def reduced(sample: Sample) -> Sample:
        chosen = sample.at(~np.isnan(sample.scores[:, scale]))
        unknown = np.full_like(chosen.label, UNKNOWN)
        return replace(chosen, label=unknown, scores=chosen.scores[:, [scale]])

    standard = standardised_scores(trial)
    return replace(standard, train=reduced(standard.train), valid=reduced(standard.valid))


def standardised_scores(trial: Trial) -> Trial:
    """Return scores in standard deviations from the mean of train."""
    scores = trial.train.scores
    mean, deviation = np.nanmean(scores, axis=0), np.nanstd(scores, axis=0) + np.float32(1e-3)

    def standard(sample: Sample) -> Sample:
        return replace(sample, scores=(sample.scores - mean) / deviation)

    return replace(trial, train=standard(trial.train), valid=standard(trial.valid))
