from types import SimpleNamespace

import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from tests.training.conftest import CONFIG, changed
from training.fit.loss import MultitaskLoss
from training.fit.run import output_shape
from training.models.head import Head

ONLY_CLASSES = changed(CONFIG, emotion_weight=0.0)


@pytest.fixture
def member(dataset):
    torch.manual_seed(0)
    return Head(output_shape(dataset, CONFIG), 8).eval()


@pytest.fixture
def batch(dataset, cache):
    """Inputs and tracks."""
    rows = dataset.rows("raw")[:20]
    return cache.inputs(rows), dataset.track_of[rows]


@pytest.fixture
def everything(dataset):
    return np.arange(len(dataset.tracks))


def test_a_track_without_labels_adds_nothing(dataset, cache, member, batch, everything):
    inputs, tracks = batch
    unlabelled = next(i for i, t in enumerate(dataset.tracks) if t.id == "unlabelled")
    emotion = cache.emotion.copy()
    emotion[unlabelled] = np.nan
    labels = SimpleNamespace(emotion=emotion, is_true=cache.is_true)
    loss = MultitaskLoss(dataset, labels, CONFIG, everything)
    more = loss(member, torch.cat([inputs, inputs[:1]]), np.r_[tracks, unlabelled])
    torch.testing.assert_close(more, loss(member, inputs, tracks))


def test_mixup_with_itself_changes_nothing(dataset, cache, member, batch, everything):
    inputs, tracks = batch
    loss = MultitaskLoss(dataset, cache, CONFIG, everything)
    shares = torch.full((len(tracks),), 0.7)
    mixed = loss(member, inputs, tracks, tracks, shares)
    torch.testing.assert_close(mixed, loss(member, inputs, tracks))


def test_mixup_weights_the_labels_of_both_tracks(dataset, cache, member, batch, everything):
    """With equal inputs, the loss is the weighted mean of the losses of the two labels."""
    inputs, tracks = batch[0][:1], batch[1][:1]
    other = np.flatnonzero(dataset.is_genre & (dataset.label != dataset.label[tracks[0]]))[:1]
    loss = MultitaskLoss(dataset, cache, ONLY_CLASSES, everything)
    mixed = loss(member, inputs, tracks, other, torch.tensor([0.75]))
    expected = 0.75 * loss(member, inputs, tracks) + 0.25 * loss(member, inputs, other)
    torch.testing.assert_close(mixed, expected)


def test_an_emotion_without_training_labels_is_left_out(dataset, cache, member, batch, everything):
    synthetic = np.flatnonzero(dataset.synthetic)
    only_classes = MultitaskLoss(dataset, cache, ONLY_CLASSES, everything)(member, *batch)
    without = MultitaskLoss(dataset, cache, CONFIG, synthetic)(member, *batch)
    torch.testing.assert_close(without, only_classes)


def test_a_true_value_counts_more_than_that_of_the_student(dataset, cache, member, everything):
    """With equal errors, only the weights differ."""
    place = EMOTIONS.index("energy")
    true = np.flatnonzero(cache.is_true[:, place])[:1]
    heard = np.flatnonzero(~cache.is_true[:, place] & ~np.isnan(cache.emotion[:, place]))[:1]
    inputs = torch.zeros(2, CONFIG.student.features)
    losses = [
        MultitaskLoss(dataset, cache, changed(CONFIG, true_weight=weight), everything)(
            member, inputs, np.r_[true, heard]
        )
        for weight in (1e-6, 1.0, 1e6)
    ]
    alone = [
        MultitaskLoss(dataset, cache, CONFIG, everything)(member, inputs[:1], tracks)
        for tracks in (heard, true)
    ]
    classes = MultitaskLoss(dataset, cache, ONLY_CLASSES, everything)
    of_heard = classes(member, inputs[:1], heard)
    of_true = classes(member, inputs[:1], true)
    both = classes(member, inputs, np.r_[true, heard])
    torch.testing.assert_close(losses[0] - both, alone[0] - of_heard, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(losses[2] - both, alone[1] - of_true, rtol=1e-3, atol=1e-4)
    assert min(losses[0], losses[2]) <= losses[1] <= max(losses[0], losses[2])
