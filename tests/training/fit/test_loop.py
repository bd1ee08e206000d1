import pytest
import torch

from training.fit.loop import Epoch, Schedule, TrainingDivergedError, best_epoch, fit_member
from training.models.base import OutputShape
from training.models.head import Head

SCHEDULE = Schedule(epochs=4, steps=25, learning_rate=0.1, weight_decay=0.0)


@pytest.fixture
def member():
    torch.manual_seed(0)
    return Head(OutputShape(n_features=1, n_classes=2), 1)


def distance(member):
    return ((member.class_head.bias - torch.tensor([1.0, -1.0])) ** 2).sum()


def test_the_losses_fall(member):
    history = fit_member(
        member, lambda: distance(member), lambda: float(distance(member).detach()), SCHEDULE
    )
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4]
    assert history[-1].valid_loss < 0.1 * history[0].valid_loss
    assert history[-1].train_loss < history[0].train_loss


def test_the_best_state_is_restored(member):
    losses = iter([3.0, 1.0, 2.0, 4.0])
    states = []

    def valid_loss():
        states.append(member.class_head.bias.detach().clone())
        return next(losses)

    fit_member(member, lambda: distance(member), valid_loss, SCHEDULE)
    torch.testing.assert_close(member.class_head.bias.detach(), states[1])


def test_training_and_validation_use_their_own_modes(member):
    modes = []

    def valid_loss():
        modes.append(member.training)
        return 0.0

    def batch_loss():
        modes.append(member.training)
        return distance(member)

    fit_member(member, batch_loss, valid_loss, Schedule(2, 1, 0.1, 0.0))
    assert modes == [True, False, True, False]


def test_an_epoch_without_a_finite_loss_is_not_the_best():
    history = [Epoch(1, 0.9, float("nan")), Epoch(2, 0.5, 0.4)]
    assert best_epoch(history).epoch == 2
    with pytest.raises(TrainingDivergedError, match="lower learning_rate"):
        best_epoch(history[:1])


def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss():
    history = [Epoch(1, 0.9, 0.8), Epoch(2, 0.5, 0.4), Epoch(3, 0.1, 0.4)]
    assert best_epoch(history).epoch == 2
