from dataclasses import replace

import pytest
import torch

from tests.training.conftest import CONFIG
from training.fit.checkpoint import fingerprint, load_or_fit
from training.fit.loop import Epoch
from training.models.base import EnsembleMember, Shape

HISTORY = [Epoch(1, 2.0, 3.0)]


def member(state=None):
    synthetic = EnsembleMember(Shape(4, 2), 3)
    if state:
        synthetic.load_state_dict(state)
    return synthetic


@pytest.fixture
def path(tmp_path):
    return tmp_path / "members" / "member-0.pt"


def kept(path, of, fitted=None):
    """What is kept at a path, or what is fitted."""
    fit = (lambda: (fitted, HISTORY)) if fitted else lambda: pytest.fail("it was fitted again")
    return load_or_fit(path, of, member, fit)


def test_what_was_fitted_is_not_fitted_again(path):
    first, _ = kept(path, {"seed": 1}, fitted=member())
    again, history = kept(path, {"seed": 1})
    assert history == HISTORY
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_what_is_made_of_something_else_is_fitted_again(path):
    kept(path, {"seed": 1}, fitted=member())
    other = member()
    assert kept(path, {"seed": 2}, fitted=other)[0] is other
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("change", [{"seed": 9}, {"parts": 4}, {"balance": 0.9}])
def test_numbers_that_matter_make_another_member(dataset, change):
    other = replace(CONFIG, **change)
    assert fingerprint(dataset, other, other.mlp) != fingerprint(dataset, CONFIG, CONFIG.mlp)


def test_more_members_or_another_use_of_them_make_no_other(dataset):
    more = replace(CONFIG.cnn, members=5)
    other = replace(CONFIG, groove=0.9, cnn=more)
    assert fingerprint(dataset, other, more) == fingerprint(dataset, CONFIG, CONFIG.cnn)
    assert fingerprint(dataset, CONFIG, CONFIG.cnn) != fingerprint(
        dataset, CONFIG, replace(CONFIG.cnn, epochs=99)
    )
