"""Trains a CNN on the spectrograms of some tracks."""

import numpy as np
import torch
from torch import Tensor

from training.data.dataset import Dataset
from training.data.splits import Fold
from training.fit.augment import mask, random_crops, shift_and_equalise
from training.fit.config import Config
from training.fit.loop import Epoch, Schedule, fit_member
from training.fit.loss import MultitaskLoss, origin_shares
from training.fit.run import output_shape
from training.fit.sampler import Sampler, mix_up
from training.models.base import device
from training.models.cnn import Cnn
from training.types import Indices

STANDARDISING_ROWS = 1_000
VALID_BATCH = 64


def fit_cnn(dataset: Dataset, config: Config, fold: Fold, seed: int) -> tuple[Cnn, list[Epoch]]:
    """Train a CNN, and select its epoch by the validation loss.

    Returns
    -------
    member : Cnn
        On the CPU, in evaluation mode.
    history : list of Epoch

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    torch.manual_seed(seed)
    own = config.cnn
    rows = dataset.train_rows(fold.train)
    sampler = Sampler(
        dataset.track_of[rows],
        dataset.label,
        balance=config.balance,
        mixup=own.mixup,
        mixup_alpha=config.mixup_alpha,
        seed=seed,
    )
    member = _new(dataset, config, rows, sampler.tracks)
    loss = MultitaskLoss(dataset, sampler.tracks, config.emotion_weight)

    def batch_loss() -> Tensor:
        drawn, tracks = sampler.draw(own.batch_size)
        partners, shares = sampler.partners(own.batch_size)
        crops = random_crops(dataset.spectrograms(rows[drawn]), own.crop_frames, sampler.rng)
        inputs = torch.from_numpy(mask(shift_and_equalise(crops, sampler.rng), sampler.rng))
        mixed = mix_up(inputs.to(device()), partners, shares)
        with torch.autocast(device().type, torch.bfloat16):
            return loss(member, mixed, tracks, tracks[partners], shares)

    def valid_loss() -> float:
        return _valid_loss(dataset, member, loss, fold.valid)

    schedule = Schedule(own.epochs, own.steps, own.learning_rate, own.weight_decay)
    history = fit_member(member, batch_loss, valid_loss, schedule)
    return member.cpu(), history


def _new(dataset: Dataset, config: Config, rows: Indices, tracks: Indices) -> Cnn:
    """Return an untrained CNN that standardises by the mean and deviation of its training data."""
    member = Cnn(output_shape(dataset), config.cnn.width, config.cnn.dropout)
    some = dataset.spectrograms(rows[:: -(-len(rows) // STANDARDISING_ROWS)])
    member.mean.copy_(torch.from_numpy(some.mean((0, 2)))[:, None])
    member.scale.fill_(float(some.std()))
    member.origin_shares.copy_(origin_shares(dataset, tracks))
    for layer in member.modules():  # with the feature maps in the same format, 1.5 times as fast
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    return member.to(device())


@torch.no_grad()
def _valid_loss(dataset: Dataset, member: Cnn, loss: MultitaskLoss, tracks: Indices) -> float:
    """Return the mean loss over the first window of each track's phone take."""
    rows = dataset.rows("phone", tracks)
    rows = rows[np.unique(dataset.track_of[rows], return_index=True)[1]]
    losses = []
    for start in range(0, len(rows), VALID_BATCH):
        some = rows[start : start + VALID_BATCH]
        windows = torch.from_numpy(dataset.spectrograms(some)).to(device())
        losses.append(float(loss(member, windows, dataset.track_of[some])) * len(some))
    return sum(losses) / len(rows)
