import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from tests.training.conftest import CONFIG
from training.described import Described
from training.perceptron import Perceptron
from training.runs import shape
from training.targets import Targets, origin_shares


@pytest.fixture
def described(prepared, runs):
    return Described(prepared, CONFIG.perceptron.copies, runs)


def member(prepared):
    torch.manual_seed(0)
    return Perceptron(shape(prepared), 8).eval()


def batch(prepared, described, take="heard"):
    rows = prepared.rows(take)[:20]
    return torch.from_numpy(described.values[rows]), prepared.track_of[rows]


def test_a_label_that_is_not_there_costs_nothing(prepared, described):
    network, (inputs, tracks) = member(prepared), batch(prepared, described)
    targets = Targets(prepared, np.arange(len(prepared.tracks)), 1.0)
    unlabelled = next(i for i, t in enumerate(prepared.tracks) if t.id == "unlabelled")
    loss = targets.loss(network, inputs, tracks)
    more = torch.cat([inputs, inputs[:1]])
    with_unlabelled = targets.loss(network, more, np.r_[tracks, unlabelled])
    torch.testing.assert_close(loss, with_unlabelled)


def test_blending_with_oneself_changes_nothing(prepared, described):
    network, (inputs, tracks) = member(prepared), batch(prepared, described)
    targets = Targets(prepared, np.arange(len(prepared.tracks)), 1.0)
    share = torch.full((len(tracks),), 0.7)
    blended = targets.loss(network, inputs, tracks, tracks, share)
    torch.testing.assert_close(blended, targets.loss(network, inputs, tracks))


def test_an_emotion_without_labels_among_the_training_is_left_out(prepared, described):
    network, (inputs, tracks) = member(prepared), batch(prepared, described)
    made = np.flatnonzero(prepared.made)
    loss = Targets(prepared, made, 1.0).loss(network, inputs, tracks)
    classes_alone = Targets(prepared, np.arange(len(prepared.tracks)), 0.0)
    torch.testing.assert_close(loss, classes_alone.loss(network, inputs, tracks))


def test_origins_share_the_labels_of_an_emotion(prepared):
    shares = origin_shares(prepared, np.arange(len(prepared.tracks)))
    assert shares.shape == (len(prepared.origins), len(EMOTIONS))
    assert shares.sum(0).tolist() == [0, 1, 1]
    assert shares[prepared.origins.index("votes"), EMOTIONS.index("energy")] == 0.5
