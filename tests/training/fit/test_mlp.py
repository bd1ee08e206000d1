import numpy as np
import pytest
import torch

from tests.training.conftest import CONFIG
from training.data import splits
from training.fit.descriptor_cache import DescriptorCache
from training.fit.mlp import fit_mlp


@pytest.fixture(scope="module")
def described(dataset, runs):
    return DescriptorCache(dataset, CONFIG.mlp.copies, runs)


@pytest.fixture(scope="module")
def part(dataset):
    return next(splits.parts(dataset, splits.fixed(dataset).learn, 2, 0))


def test_it_tells_apart_what_it_learnt(dataset, described, part):
    member, _ = fit_mlp(dataset, described, CONFIG, part, 0)
    assert not member.training
    tracks = part.valid[dataset.is_genre[part.valid]]
    rows = dataset.rows("heard", tracks)
    with torch.no_grad():
        classes = member.logits(torch.from_numpy(described.values[rows]))[0].numpy()
    assert (classes.argmax(1) == dataset.label[dataset.track_of[rows]]).mean() > 0.9


def test_it_standardises_by_what_trains_it(dataset, described, part):
    member, _ = fit_mlp(dataset, described, CONFIG, part, 0)
    values = described.values[described.entries_of(part.train)]
    np.testing.assert_allclose(member.mean.numpy(), values.mean(0), rtol=1e-3, atol=1e-3)
