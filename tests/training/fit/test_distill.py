import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from tests.training.conftest import BAND, CONFIG, changed
from training.data.teachers import read_targets
from training.fit import distill as module
from training.fit.distill import CHECKPOINT, distill
from training.fit.student_file import load_student

QUICK = changed(CONFIG, student={"epochs": 2}).student


@pytest.fixture(scope="module")
def targets(dataset, teachers):
    return read_targets(teachers, dataset)


@torch.no_grad()
def outputs(student, dataset, rows):
    return student.network(torch.from_numpy(dataset.spectrograms(rows))).numpy()


def test_a_student_learns_from_its_teachers(dataset, targets, student):
    """Also of tracks in test, which it never met."""
    test = np.array([t.subset == "test" for t in dataset.tracks])[dataset.track_of[targets.rows]]
    rows = np.flatnonzero(test & (dataset.take_of[targets.rows] == 1))
    predicted = outputs(load_student(student), dataset, targets.rows[rows])
    embedding = targets.kinds["teacher.embedding"]
    right = predicted[:, embedding].argmax(1) == targets.values[rows, embedding].argmax(1)
    assert right.mean() > 0.8


def test_test_tracks_and_the_raw_take_do_not_train(dataset, targets, tmp_path, monkeypatch):
    used = []

    def views(dataset, targets, places, config, rng):
        used.extend(targets.rows[places])
        return original(dataset, targets, places, config, rng)

    original = module._views
    monkeypatch.setattr(module, "_views", views)
    distill(dataset, targets, changed(CONFIG, student={"epochs": 1}).student, tmp_path)
    assert used
    assert {dataset.tracks[dataset.track_of[row]].subset for row in used} == {"train", "valid"}
    assert {int(take) for take in dataset.take_of[used]} == {0, 2}


def test_an_interrupted_training_resumes(dataset, targets, tmp_path, monkeypatch):
    whole = distill(dataset, targets, QUICK, tmp_path / "whole")
    save = module._Training.save

    def save_and_stop(training, path):
        save(training, path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module._Training, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            distill(dataset, targets, QUICK, tmp_path / "parts")
    parts = distill(dataset, targets, QUICK, tmp_path / "parts")
    one, other = load_student(whole), load_student(parts)
    rows = np.arange(4)
    np.testing.assert_allclose(
        outputs(one, dataset, rows), outputs(other, dataset, rows), rtol=1e-2, atol=1e-2
    )
    history = torch.load(tmp_path / "parts" / CHECKPOINT, weights_only=True)["history"]
    assert len(history) == QUICK.epochs


def test_another_configuration_starts_from_the_beginning(dataset, targets, tmp_path):
    distill(dataset, targets, QUICK, tmp_path)
    longer = changed(CONFIG, student={"epochs": 3}).student
    distill(dataset, targets, longer, tmp_path)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["epoch"] == 3


def test_the_learning_rate_rises_again_after_a_restart(dataset, targets, tmp_path, monkeypatch):
    rates = []
    step = torch.optim.AdamW.step

    def recorded(self, *arguments):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    config = changed(CONFIG, student={"epochs": 6, "restarts": [4]}).student
    distill(dataset, targets, config, tmp_path)
    first, second = np.split(np.array(rates), [len(rates) * 4 // 6])
    assert first.max() == pytest.approx(config.learning_rate, rel=0.05)
    assert second.max() == pytest.approx(config.learning_rate / 2, rel=0.05)
    assert first[-1] < first.max() / 10


def test_emotions_have_the_scale_of_the_true_values(dataset, student):
    trained = load_student(student)
    assert set(trained.scales) == {"energy"}  # the only one with true values
    rows = dataset.rows("raw")
    emotion = trained.emotion(outputs(trained, dataset, rows))[:, EMOTIONS.index("energy")]
    true = dataset.emotion[:, EMOTIONS.index("energy")]
    assert np.nanmin(true) <= emotion.min() <= emotion.max() <= np.nanmax(true)
    means = [
        emotion[dataset.label[dataset.track_of[rows]] == dataset.genres.index(genre)].mean()
        for genre in sorted(dataset.genres, key=BAND.get)
    ]
    assert means == sorted(means)  # the true energy rises in this order
    assert 0 < trained.scales["energy"].width < 1


def test_a_target_that_is_unknown_adds_nothing_to_the_loss(dataset, targets):
    training = module._Training(dataset, targets, QUICK)
    predicted, wanted = torch.randn(4, targets.values.shape[1]), torch.zeros(4, 1)
    wanted = wanted.expand_as(predicted).clone()
    before = training.loss(predicted[:3], wanted[:3])
    wanted[3] = torch.nan
    torch.testing.assert_close(training.loss(predicted, wanted), before)
