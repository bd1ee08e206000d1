from dataclasses import replace

import pytest
import torch

from tests.training.conftest import CONFIG
from training.fitting import Epoch
from training.kept import kept_or_fitted, made_of
from training.member import Member, Shape

HISTORY = [Epoch(1, 2.0, 3.0)]


def member(state=None):
    made = Member(Shape(4, 2), 3)
    if state:
        made.load_state_dict(state)
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "members" / "member-0.pt"


def kept(path, of, fitted=None):
    """What is kept at a path, or what is fitted."""
    fit = (lambda: (fitted, HISTORY)) if fitted else lambda: pytest.fail("it was fitted again")
    return kept_or_fitted(path, of, member, fit)


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
def test_numbers_that_matter_make_another_member(prepared, change):
    other = replace(CONFIG, **change)
    assert made_of(prepared, other, other.perceptron) != made_of(
        prepared, CONFIG, CONFIG.perceptron
    )


def test_more_members_or_another_use_of_them_make_no_other(prepared):
    more = replace(CONFIG.convolutional, members=5)
    other = replace(CONFIG, groove=0.9, convolutional=more)
    assert made_of(prepared, other, more) == made_of(prepared, CONFIG, CONFIG.convolutional)
    assert made_of(prepared, CONFIG, CONFIG.convolutional) != made_of(
        prepared, CONFIG, replace(CONFIG.convolutional, epochs=99)
    )
