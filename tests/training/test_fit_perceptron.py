import numpy as np
import pytest
import torch

from tests.training.conftest import CONFIG
from training import divisions
from training.described import Described
from training.fit_perceptron import fit_perceptron


@pytest.fixture(scope="module")
def described(prepared, runs):
    return Described(prepared, CONFIG.perceptron.copies, runs)


@pytest.fixture(scope="module")
def part(prepared):
    return next(divisions.parts(prepared, divisions.fixed(prepared).learn, 2, 0))


def test_it_tells_apart_what_it_learnt(prepared, described, part):
    member, _ = fit_perceptron(prepared, described, CONFIG, part, 0)
    assert not member.training
    tracks = part.valid[prepared.is_genre[part.valid]]
    rows = prepared.rows("heard", tracks)
    with torch.no_grad():
        classes = member.logits(torch.from_numpy(described.values[rows]))[0].numpy()
    assert (classes.argmax(1) == prepared.label[prepared.track_of[rows]]).mean() > 0.9


def test_it_standardises_by_what_trains_it(prepared, described, part):
    member, _ = fit_perceptron(prepared, described, CONFIG, part, 0)
    values = described.values[described.entries_of(part.train)]
    np.testing.assert_allclose(member.mean.numpy(), values.mean(0), rtol=1e-3, atol=1e-3)
