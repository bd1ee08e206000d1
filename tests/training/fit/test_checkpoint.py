import pytest
import torch

from tests.training.conftest import CONFIG, changed
from training.fit.checkpoint import fingerprint, load_or_fit
from training.fit.loop import Epoch
from training.models.base import EnsembleMember, OutputShape

HISTORY = [Epoch(1, 2.0, 3.0)]


def member(state=None):
    restored = EnsembleMember(OutputShape(4, 2), 3)
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


@pytest.mark.parametrize("change", [{"seed": 9}, {"folds": 4}, {"balance": 0.9}])
def test_common_values_are_in_the_fingerprint(dataset, change):
    other = changed(CONFIG, **change)
    assert fingerprint(dataset, other, other.mlp) != fingerprint(dataset, CONFIG, CONFIG.mlp)


def test_the_number_and_combination_of_members_are_not_in_the_fingerprint(dataset):
    other = changed(CONFIG, danceability_to_valence=0.9, cnn={"members": 2})
    before = fingerprint(dataset, CONFIG, CONFIG.cnn)
    assert fingerprint(dataset, other, other.cnn) == before
    longer = changed(CONFIG, cnn={"epochs": 99})
    assert fingerprint(dataset, longer, longer.cnn) != before
