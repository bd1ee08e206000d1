"""Trains an MLP on the descriptors of some tracks."""

import numpy as np
import torch
from torch import Tensor

from training.data.dataset import Dataset
from training.data.splits import Fold
from training.data.takes import MEASURED_TAKES
from training.fit.config import Config
from training.fit.descriptor_cache import DescriptorCache
from training.fit.loop import Epoch, Schedule, fit_member
from training.fit.loss import MultitaskLoss, origin_shares
from training.fit.run import output_shape
from training.fit.sampler import Sampler, mix_up
from training.models.base import device
from training.models.mlp import Mlp
from training.types import Indices


def fit_mlp(
    dataset: Dataset, cache: DescriptorCache, config: Config, fold: Fold, seed: int
) -> tuple[Mlp, list[Epoch]]:
    """Train an MLP, and select its epoch by the validation loss.

    Returns
    -------
    member : Mlp
        On the CPU, in evaluation mode.
    history : list of Epoch

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    torch.manual_seed(seed)
    own = config.mlp
    entries = cache.train_entries(fold.train)
    values = torch.from_numpy(cache.values[entries])
    sampler = Sampler(
        cache.track_of[entries],
        dataset.label,
        balance=config.balance,
        mixup=own.mixup,
        mixup_alpha=config.mixup_alpha,
        seed=seed,
    )
    member = _new(dataset, config, values, sampler.tracks)
    inputs = member.standardised(values.to(device()))
    loss = MultitaskLoss(dataset, sampler.tracks, config.emotion_weight)
    rows = np.concatenate([dataset.rows(take, fold.valid) for take in MEASURED_TAKES])
    valid_inputs = member.standardised(torch.from_numpy(cache.values[rows]).to(device()))

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
    return member.cpu(), history


def _new(dataset: Dataset, config: Config, values: Tensor, tracks: Indices) -> Mlp:
    """Return an untrained MLP that standardises by the mean and deviation of its training data."""
    own = config.mlp
    member = Mlp(output_shape(dataset), own.hidden, own.dropout, own.input_dropout, own.input_noise)
    member.mean.copy_(values.mean(0))
    member.scale.copy_(values.std(0) + 1e-6)
    member.origin_shares.copy_(origin_shares(dataset, tracks))
    return member.to(device())
