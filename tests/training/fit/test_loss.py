import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from tests.training.conftest import CONFIG
from training.fit.descriptor_cache import DescriptorCache
from training.fit.loss import MultitaskLoss, origin_shares
from training.fit.run import shape
from training.models.mlp import Mlp


@pytest.fixture
def described(dataset, runs):
    return DescriptorCache(dataset, CONFIG.mlp.copies, runs)


def member(dataset):
    torch.manual_seed(0)
    return Mlp(shape(dataset), 8).eval()


def batch(dataset, described, take="heard"):
    rows = dataset.rows(take)[:20]
    return torch.from_numpy(described.values[rows]), dataset.track_of[rows]


def test_a_label_that_is_not_there_costs_nothing(dataset, described):
    network, (inputs, tracks) = member(dataset), batch(dataset, described)
    targets = MultitaskLoss(dataset, np.arange(len(dataset.tracks)), 1.0)
    unlabelled = next(i for i, t in enumerate(dataset.tracks) if t.id == "unlabelled")
    loss = targets.loss(network, inputs, tracks)
    more = torch.cat([inputs, inputs[:1]])
    with_unlabelled = targets.loss(network, more, np.r_[tracks, unlabelled])
    torch.testing.assert_close(loss, with_unlabelled)


def test_blending_with_oneself_changes_nothing(dataset, described):
    network, (inputs, tracks) = member(dataset), batch(dataset, described)
    targets = MultitaskLoss(dataset, np.arange(len(dataset.tracks)), 1.0)
    share = torch.full((len(tracks),), 0.7)
    blended = targets.loss(network, inputs, tracks, tracks, share)
    torch.testing.assert_close(blended, targets.loss(network, inputs, tracks))


def test_an_emotion_without_labels_among_the_training_is_left_out(dataset, described):
    network, (inputs, tracks) = member(dataset), batch(dataset, described)
    synthetic = np.flatnonzero(dataset.synthetic)
    loss = MultitaskLoss(dataset, synthetic, 1.0).loss(network, inputs, tracks)
    classes_alone = MultitaskLoss(dataset, np.arange(len(dataset.tracks)), 0.0)
    torch.testing.assert_close(loss, classes_alone.loss(network, inputs, tracks))


def test_origins_share_the_labels_of_an_emotion(dataset):
    shares = origin_shares(dataset, np.arange(len(dataset.tracks)))
    assert shares.shape == (len(dataset.origins), len(EMOTIONS))
    assert shares.sum(0).tolist() == [0, 1, 1]
    assert shares[dataset.origins.index("votes"), EMOTIONS.index("energy")] == 0.5
