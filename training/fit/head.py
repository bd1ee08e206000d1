"""Trains a head on the inputs of some tracks."""

import numpy as np
import torch
from torch import Tensor

from training.data.dataset import Dataset
from training.data.splits import Fold
from training.data.takes import MEASURED_TAKES
from training.fit.config import Config
from training.fit.feature_cache import FeatureCache
from training.fit.linear import fit_linear
from training.fit.loop import Epoch, Schedule, fit_member
from training.fit.loss import MultitaskLoss
from training.fit.run import output_shape
from training.fit.sampler import Sampler, mix_up
from training.models.base import device
from training.models.head import Head


def fit_head(
    dataset: Dataset, cache: FeatureCache, config: Config, fold: Fold, seed: int
) -> tuple[Head, list[Epoch]]:
    """Train a head: the perceptron, whose epoch the validation loss selects, and linear models.

    Returns
    -------
    member : Head
        On the CPU, in evaluation mode.
    history : list of Epoch

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    torch.manual_seed(seed)
    own = config.head
    entries = cache.train_entries(fold.train)
    values = cache.inputs(entries)
    sampler = Sampler(
        cache.track_of[entries],
        dataset.label,
        balance=config.balance,
        mixup=own.mixup,
        mixup_alpha=config.mixup_alpha,
        seed=seed,
    )
    member = _new(dataset, config, values)
    inputs = member.standardised(values.to(device()))
    loss = MultitaskLoss(dataset, cache, config, sampler.tracks)
    rows = np.concatenate([dataset.rows(take, fold.valid) for take in MEASURED_TAKES])
    valid_inputs = member.standardised(cache.inputs(rows).to(device()))

    def batch_loss() -> Tensor:
        drawn, tracks = sampler.draw(own.batch_size)
        partners, shares = sampler.partners(own.batch_size)
        mixed = mix_up(inputs[torch.from_numpy(drawn)], partners, shares)
        return loss(member, mixed, tracks, tracks[partners], shares)

    @torch.no_grad()
    def valid_loss() -> float:
        return float(loss(member, valid_inputs, dataset.track_of[rows]))

    steps = max(len(sampler.tracks) // own.batch_size, 1)
    schedule = Schedule(own.epochs, steps, own.learning_rate, own.weight_decay)
    history = fit_member(member, batch_loss, valid_loss, schedule)
    member.cpu()
    fit_linear(member, dataset, cache, config, fold.train)
    return member, history


def _new(dataset: Dataset, config: Config, values: Tensor) -> Head:
    """Return an untrained head that standardises by the mean and deviation of its training data."""
    own = config.head
    member = Head(
        output_shape(dataset, config),
        own.hidden,
        own.dropout,
        own.input_dropout,
        own.input_noise,
    )
    member.mean.copy_(values.mean(0))
    member.scale.copy_(values.std(0) + 1e-6)
    return member.to(device())
