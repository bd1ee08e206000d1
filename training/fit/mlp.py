"""Fits a perceptron to the descriptors of some tracks."""

import numpy as np
import torch
from torch import Tensor

from training.data.dataset import Dataset
from training.data.splits import Fold
from training.fit.config import Config
from training.fit.descriptor_cache import DescriptorCache
from training.fit.loop import Epoch, Schedule, fit
from training.fit.loss import MultitaskLoss, origin_shares
from training.fit.run import shape
from training.fit.sampler import Sampler, blend
from training.models.base import device
from training.models.mlp import Mlp
from training.types import Indices


def fit_mlp(
    dataset: Dataset,
    described: DescriptorCache,
    config: Config,
    part: Fold,
    seed: int,
) -> tuple[Mlp, list[Epoch]]:
    """Fit a perceptron, chosen by its loss on validation.

    Parameters
    ----------
    prepared : Prepared
    described : Described
    config : Config
    part : Part
        What to learn from, and what to choose the best state on.
    seed : int

    Returns
    -------
    member : Perceptron
        On the CPU, in evaluation mode.
    history : list of Epoch

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    torch.manual_seed(seed)
    numbers = config.mlp
    entries = described.entries_of(part.train)
    values = torch.from_numpy(described.values[entries])
    sampler = Sampler(
        described.track_of[entries],
        dataset.label,
        balance=config.balance,
        mixup=numbers.mixup,
        mixup_alpha=config.mixup_alpha,
        seed=seed,
    )
    member = _new(dataset, config, values, sampler.tracks)
    inputs = member.standardised(values.to(device()))
    targets = MultitaskLoss(dataset, sampler.tracks, config.emotion_weight)
    rows = np.concatenate([dataset.rows(take, part.valid) for take in ("heard", "phone")])
    heard = member.standardised(torch.from_numpy(described.values[rows]).to(device()))

    def batch_loss() -> Tensor:
        drawn, tracks = sampler.draw(numbers.batch_size)
        partners, shares = sampler.partners(numbers.batch_size)
        blended = blend(inputs[torch.from_numpy(drawn)], partners, shares)
        return targets.loss(member, blended, tracks, tracks[partners], shares)

    @torch.no_grad()
    def valid_loss() -> float:
        return float(targets.loss(member, heard, dataset.track_of[rows]))

    steps = max(len(sampler.tracks) // numbers.batch_size, 1)
    schedule = Schedule(numbers.epochs, steps, numbers.learning_rate, numbers.weight_decay)
    history = fit(member, batch_loss, valid_loss, schedule)
    return member.cpu(), history


def _new(dataset: Dataset, config: Config, values: Tensor, tracks: Indices) -> Mlp:
    """Return a new perceptron that standardises by what trains it."""
    numbers = config.mlp
    member = Mlp(
        shape(dataset), numbers.hidden, numbers.dropout, numbers.input_dropout, numbers.input_noise
    )
    member.mean.copy_(values.mean(0))
    member.scale.copy_(values.std(0) + 1e-6)
    member.origin_shares.copy_(origin_shares(dataset, tracks))
    return member.to(device())
