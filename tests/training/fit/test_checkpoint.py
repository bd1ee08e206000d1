import pytest
import torch

from tests.training.conftest import CONFIG, changed
from training.fit.checkpoint import fingerprint, load_or_fit
from training.fit.loop import Epoch
from training.models.base import OutputShape
from training.models.head import Head

HISTORY = [Epoch(1, 2.0, 3.0)]


def member(state=None):
    restored = Head(OutputShape(4, 2), 3)
    if state:
        restored.load_state_dict(state)
    return restored


@pytest.fixture
def path(tmp_path):
    return tmp_path / "members" / "member-0.pt"


def checkpoint(path, made_from, fitted=None):
    """The result of `load_or_fit`; fails on a training without `fitted`."""
    fit = (lambda: (fitted, HISTORY)) if fitted else lambda: pytest.fail("it was trained again")
    return load_or_fit(path, made_from, member, fit)


def test_a_trained_member_is_not_trained_again(path):
    first, _ = checkpoint(path, {"seed": 1}, fitted=member())
    again, history = checkpoint(path, {"seed": 1})
    assert history == HISTORY
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_checkpoint_with_another_fingerprint_is_replaced(path):
    checkpoint(path, {"seed": 1}, fitted=member())
    other = member()
    assert checkpoint(path, {"seed": 2}, fitted=other)[0] is other
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("change", [{"seed": 9}, {"folds": 4}, {"head": {"epochs": 99}}])
def test_every_value_is_in_the_fingerprint(dataset, change):
    other = changed(CONFIG, **change)
    assert fingerprint(dataset, "a", other) != fingerprint(dataset, "a", CONFIG)


def test_the_student_is_in_the_fingerprint(dataset):
    assert fingerprint(dataset, "a", CONFIG) != fingerprint(dataset, "b", CONFIG)
