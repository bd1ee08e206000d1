from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from service import audio
from tests.training.studies.compare.samples import QUICK, trial
from training.studies.compare import neural
from training.studies.compare.neural import Classifier, Multitask, Network, Regressors, Transfer
from training.studies.compare.sample import UNKNOWN

PICTURE, VECTOR = (12, 16), (5,)


def accuracy(answer, case):
    return (answer.label == case.test.label).mean()


@pytest.mark.parametrize("kind", ["lstm", "cnn", "cnn in time", "dense"])
def test_every_tower_learns_classes(kind):
    case = trial(PICTURE)
    answer = Classifier((kind,))(case)
    assert accuracy(answer, case) > 0.8
    assert 1 <= len(answer.history) <= QUICK.epochs
    assert 0 <= answer.history[-1].valid_accuracy <= 1


def test_features_of_different_shape_are_joined():
    case = trial(VECTOR, PICTURE)
    assert accuracy(Classifier(("dense", "cnn"))(case), case) > 0.8


def test_a_larger_picture_has_as_many_features():
    found = []
    for shape in ((279, 271), (558, 543)):
        picture = np.zeros((2, *shape), np.float32)
        network = Network(("cnn",), (picture,), 3, 0)
        assert network(torch.from_numpy(picture)).shape == (2, 3)
        found.append((network.towers[0].blocks[0].stride[0], network.n_features))
    assert found == [(2, 512), (4, 512)]


@pytest.mark.parametrize("model", [Regressors(("dense",)), Transfer(("dense",))])
def test_each_scale_has_a_network(model):
    case = trial(VECTOR)
    scores = model(case).scores
    known = ~np.isnan(case.test.scores)
    for scale in range(2):
        there = known[:, scale]
        rank = spearmanr(scores[there, scale], case.test.scores[there, scale]).statistic
        assert rank > 0.7


def test_one_network_predicts_classes_and_scales():
    case = trial(VECTOR)
    answer = Multitask(("dense",))(case)
    assert accuracy(answer, case) > 0.8
    assert spearmanr(answer.scores[:, 0], case.test.scores[:, 0]).statistic > 0.7


def test_cases_without_labels_are_not_trained_on():
    case = trial(VECTOR)
    label = case.train.label.copy()
    label[48:] = UNKNOWN
    scores = np.where(np.arange(96)[:, None] < 48, case.train.scores, np.nan)
    partly = replace(case, train=replace(case.train, label=label, scores=scores))
    answer = Multitask(("dense",))(partly)
    assert np.isfinite(answer.scores).all()
    assert len(neural.only_classes(partly).train.label) == 48


def test_training_stops_and_restores_the_best_state(monkeypatch):
    case = trial(VECTOR)
    network = Classifier(("dense",)).network(case)
    losses = iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    states = []

    def epochs(*_):
        for loss in losses:
            with torch.no_grad():
                network.head[1].bias += 1
            states.append(network.head[1].bias.clone())
            yield neural.Epoch(0, loss, 0)

    monkeypatch.setattr(neural, "train_epochs", epochs)
    assert len(neural.fit(network, case)) == 2 + QUICK.patience
    torch.testing.assert_close(network.head[1].bias, states[1])


@pytest.mark.parametrize(("more", "length"), [([0.5, 0.7], 6), ([0.9], 5), ([0.1] * 9, 8)])
def test_the_second_phase_ends_at_the_best_accuracy(monkeypatch, more, length):
    case = trial(VECTOR, budget=replace(QUICK, epochs=4))
    epochs = iter(neural.Epoch(0, 0, each) for each in [0.2, 0.6, 0.4, 0.3, *more])
    monkeypatch.setattr(neural, "train_epochs", lambda *_: epochs)
    network = Classifier(("dense",)).network(case)
    assert len(neural.fit_in_two_phases(network, case)) == length


def test_the_backbone_is_trained_on_five_seconds():
    spectrograms = np.zeros((2, audio.N_MELS, audio.N_FRAMES), np.float32)
    network = Network(("backbone",), (spectrograms,), 3, 0)
    n_frames = []
    network.towers[0].student.first.register_forward_hook(
        lambda _, inputs, __: n_frames.append(inputs[0].shape[-1])
    )
    for training in (True, False):
        network.train(training)(torch.zeros(2, audio.N_MELS, audio.N_FRAMES))
    assert n_frames == [neural.BACKBONE_CROP, audio.N_FRAMES]
