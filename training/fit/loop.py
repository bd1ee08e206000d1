"""The training loop of one member."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.models.head import Head

WARM_UP = 0.3  # share of the steps in which the learning rate rises


class TrainingDivergedError(RuntimeError):
    """No epoch of a training has a finite loss."""


@dataclass(frozen=True)
class Epoch:
    """The losses of one epoch: means over labelled tracks, summed over the tasks."""

    epoch: int
    train_loss: float
    valid_loss: float


@dataclass(frozen=True)
class Schedule:
    """Length and learning rate of a training.

    Attributes
    ----------
    epochs, steps : int
        Number of epochs, and steps in each.
    learning_rate : float
        Maximum of the one-cycle schedule: Smith and Topin, "Super-convergence", 2018.
    weight_decay : float
        Decoupled: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    epochs: int
    steps: int
    learning_rate: float
    weight_decay: float


def fit_member(
    member: Head,
    batch_loss: Callable[[], Tensor],
    valid_loss: Callable[[], float],
    schedule: Schedule,
) -> list[Epoch]:
    """Train a member, and restore its state with the lowest validation loss.

    Parameters
    ----------
    member : Head
    batch_loss : callable
        Draws a batch and returns its loss.
    valid_loss : callable
        Is called after every epoch, with the member in evaluation mode.
    schedule : Schedule

    Returns
    -------
    history : list of Epoch

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite validation loss.
    """
    optimizer = torch.optim.AdamW(
        member.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        schedule.learning_rate,
        total_steps=schedule.epochs * schedule.steps,
        pct_start=WARM_UP,
    )
    history: list[Epoch] = []
    best: dict[str, Tensor] = {}
    for epoch in range(1, schedule.epochs + 1):
        member.train()
        losses = [_step(optimizer, rates, batch_loss) for _ in range(schedule.steps)]
        member.eval()
        history.append(Epoch(epoch, float(np.mean(losses)), valid_loss()))
        if history[-1] is best_epoch(history):
            best = {name: value.clone() for name, value in member.state_dict().items()}
    member.load_state_dict(best)
    return history


def _step(
    optimizer: torch.optim.Optimizer,
    rates: torch.optim.lr_scheduler.LRScheduler,
    batch_loss: Callable[[], Tensor],
) -> float:
    optimizer.zero_grad()
    loss = batch_loss()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    rates.step()
    return loss.item()


def best_epoch(history: list[Epoch]) -> Epoch:
    """Return the epoch with the lowest validation loss, the first one if several are equal.

    Raises
    ------
    TrainingDivergedError
        If no epoch has a finite validation loss.
    """
    finite = [epoch for epoch in history if math.isfinite(epoch.valid_loss)]
    if not finite:
        raise TrainingDivergedError("The loss is not a number: try a lower learning_rate.")
    return min(finite, key=lambda epoch: epoch.valid_loss)
