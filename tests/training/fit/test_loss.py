import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from training.fit.loss import MultitaskLoss, origin_shares
from training.fit.run import output_shape
from training.models.mlp import Mlp


@pytest.fixture
def member(dataset):
    torch.manual_seed(0)
    return Mlp(output_shape(dataset), 8).eval()


@pytest.fixture
def batch(dataset, cache):
    """Inputs and tracks."""
    rows = dataset.rows("raw")[:20]
    return torch.from_numpy(cache.values[rows]), dataset.track_of[rows]


@pytest.fixture
def everything(dataset):
    return np.arange(len(dataset.tracks))


def test_a_track_without_labels_adds_nothing(dataset, member, batch, everything):
    inputs, tracks = batch
    loss = MultitaskLoss(dataset, everything, 1.0)
    unlabelled = next(i for i, t in enumerate(dataset.tracks) if t.id == "unlabelled")
    more = loss(member, torch.cat([inputs, inputs[:1]]), np.r_[tracks, unlabelled])
    torch.testing.assert_close(more, loss(member, inputs, tracks))


def test_mixup_with_itself_changes_nothing(dataset, member, batch, everything):
    inputs, tracks = batch
    loss = MultitaskLoss(dataset, everything, 1.0)
    shares = torch.full((len(tracks),), 0.7)
    mixed = loss(member, inputs, tracks, tracks, shares)
    torch.testing.assert_close(mixed, loss(member, inputs, tracks))


def test_mixup_weights_the_labels_of_both_tracks(dataset, member, batch, everything):
    """With equal inputs, the loss is the weighted mean of the losses of the two labels."""
    inputs, tracks = batch[0][:1], batch[1][:1]
    other = np.flatnonzero(dataset.is_genre & (dataset.label != dataset.label[tracks[0]]))[:1]
    loss = MultitaskLoss(dataset, everything, 0.0)
    mixed = loss(member, inputs, tracks, other, torch.tensor([0.75]))
    expected = 0.75 * loss(member, inputs, tracks) + 0.25 * loss(member, inputs, other)
    torch.testing.assert_close(mixed, expected)


def test_an_emotion_without_training_labels_is_left_out(dataset, member, batch, everything):
    synthetic = np.flatnonzero(dataset.synthetic)
    only_classes = MultitaskLoss(dataset, everything, 0.0)(member, *batch)
    torch.testing.assert_close(MultitaskLoss(dataset, synthetic, 1.0)(member, *batch), only_classes)


def test_origins_have_shares_of_the_labels(dataset, everything):
    shares = origin_shares(dataset, everything)
    assert shares.shape == (len(dataset.origins), len(EMOTIONS))
    assert shares.sum(0).tolist() == [0, 1, 1]
    assert shares[dataset.origins.index("votes"), EMOTIONS.index("energy")] == 0.5
