"""Fits a convolutional network to the spectrograms of some tracks."""

import numpy as np
import torch
from torch import Tensor

from service import audio
from training.data.dataset import Dataset
from training.data.splits import Fold
from training.fit.augment import shift_and_equalise
from training.fit.config import Config
from training.fit.loop import Epoch, Schedule, fit
from training.fit.loss import MultitaskLoss, origin_shares
from training.fit.run import shape
from training.fit.sampler import Sampler, blend
from training.models.base import device
from training.models.cnn import Cnn
from training.types import Indices

MASKS, MASK_SHARE = 2, 0.5  # masks of each kind in a window, and how often each is there
LARGEST_BAND_MASK, LARGEST_TIME_MASK = 14, 40  # mel bands, frames
STANDARDISING_ROWS = 1_000
VALIDATED_AT_ONCE = 64


def fit_cnn(dataset: Dataset, config: Config, part: Fold, seed: int) -> tuple[Cnn, list[Epoch]]:
    """Fit a convolutional network, chosen by its loss on validation.

    Parameters
    ----------
    prepared : Prepared
    config : Config
    part : Part
        What to learn from, and what to choose the best state on.
    seed : int

    Returns
    -------
    member : Convolutional
        On the CPU, in evaluation mode.
    history : list of Epoch

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite loss.
    """
    torch.manual_seed(seed)
    numbers = config.cnn
    rows = dataset.train_rows(part.train)
    sampler = Sampler(
        dataset.track_of[rows],
        dataset.label,
        balance=config.balance,
        mixup=numbers.mixup,
        mixup_alpha=config.mixup_alpha,
        seed=seed,
    )
    member = _new(dataset, config, rows, sampler.tracks)
    targets = MultitaskLoss(dataset, sampler.tracks, config.emotion_weight)

    def batch_loss() -> Tensor:
        drawn, tracks = sampler.draw(numbers.batch_size)
        partners, shares = sampler.partners(numbers.batch_size)
        cut = _crops(dataset.spectrograms(rows[drawn]), numbers.crop_frames, sampler.rng)
        inputs = torch.from_numpy(_masked(shift_and_equalise(cut, sampler.rng), sampler.rng))
        blended = blend(inputs.to(device()), partners, shares)
        with torch.autocast(device().type, torch.bfloat16):
            return targets.loss(member, blended, tracks, tracks[partners], shares)

    def valid_loss() -> float:
        return _valid_loss(dataset, member, targets, part.valid)

    schedule = Schedule(numbers.epochs, numbers.steps, numbers.learning_rate, numbers.weight_decay)
    history = fit(member, batch_loss, valid_loss, schedule)
    return member.cpu(), history


def _new(dataset: Dataset, config: Config, rows: Indices, tracks: Indices) -> Cnn:
    """Return a new network that standardises by what trains it."""
    numbers = config.cnn
    member = Cnn(shape(dataset), numbers.width, numbers.dropout)
    some = dataset.spectrograms(rows[:: -(-len(rows) // STANDARDISING_ROWS)])
    member.mean.copy_(torch.from_numpy(some.mean((0, 2)))[:, None])
    member.scale.fill_(float(some.std()))
    member.origin_shares.copy_(origin_shares(dataset, tracks))
    for layer in member.modules():  # with the maps, half as fast again
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    return member.to(device())


def _crops(
    windows: audio.Spectrograms, n_frames: int, rng: np.random.Generator
) -> audio.Spectrograms:
    """Cut some moments out of each window."""
    starts = rng.integers(windows.shape[2] - n_frames + 1, size=len(windows))
    return np.stack([w[:, s : s + n_frames] for w, s in zip(windows, starts, strict=True)])


def _masked(windows: audio.Spectrograms, rng: np.random.Generator) -> audio.Spectrograms:
    """Cover bands and moments with a window's mean level.

    Park et al., "SpecAugment: A simple data augmentation method for automatic speech recognition",
    2019.
    """
    for window in windows:
        mean = window.mean()
        for bands, largest in ((window, LARGEST_BAND_MASK), (window.T, LARGEST_TIME_MASK)) * MASKS:
            if rng.random() < MASK_SHARE:
                size = rng.integers(2, min(largest, len(bands)))
                start = rng.integers(len(bands) - size)
                bands[start : start + size] = mean
    return windows


@torch.no_grad()
def _valid_loss(dataset: Dataset, member: Cnn, targets: MultitaskLoss, tracks: Indices) -> float:
    """Return the mean loss over the first window, as a phone hears it, of each track."""
    rows = dataset.rows("phone", tracks)
    rows = rows[np.unique(dataset.track_of[rows], return_index=True)[1]]
    losses = []
    for start in range(0, len(rows), VALIDATED_AT_ONCE):
        some = rows[start : start + VALIDATED_AT_ONCE]
        windows = torch.from_numpy(dataset.spectrograms(some)).to(device())
        losses.append(float(targets.loss(member, windows, dataset.track_of[some])) * len(some))
    return sum(losses) / len(rows)
