from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit

from service.card import TAUGHT
from tests.training.conftest import CONFIG
from training.data.teachers import AUDIO_FEATURE_COLUMNS, AUDIO_FEATURES, read_targets
from training.fit import finish as module
from training.fit.finish import finish, finish_file, project
from training.fit.student_file import StudentError, load_student, save_student


@pytest.fixture(scope="module")
def trained(student):
    return load_student(student)


@pytest.fixture(scope="module")
def targets(dataset, teachers):
    return read_targets(teachers, dataset)


@pytest.fixture(scope="module")
def recorded(dataset):
    """The rows of the take ``raw`` of recordings, and whether each is in test."""
    rows = dataset.rows("raw", np.flatnonzero(~dataset.synthetic))
    is_test = np.array([t.subset == "test" for t in dataset.tracks])[dataset.track_of[rows]]
    return rows, is_test


@torch.no_grad()
def heard(trained, dataset, rows):
    """The features and the outputs of a student."""
    features = trained.network.features(torch.from_numpy(dataset.spectrograms(rows)))
    return features.numpy(), trained.network.to_targets(features).numpy()


def shares(outputs):
    """What a teacher's outputs mean: the first three are logits."""
    columns = [AUDIO_FEATURE_COLUMNS.index(name) for name in TAUGHT]
    values = outputs[:, columns]
    values[:, :3] = expit(values[:, :3])
    return dict(zip(TAUGHT, values.clip(0, 1).T, strict=True))


def test_features_without_true_values_have_the_scale_of_the_teacher(
    dataset, trained, targets, recorded
):
    rows, is_test = recorded
    _, outputs = heard(trained, dataset, rows[~is_test])
    columns = targets.kinds[f"teacher.{AUDIO_FEATURES}"]
    taught = targets.original(columns)[np.isin(targets.rows, rows[~is_test])]
    assert tuple(trained.taught) == TAUGHT
    for name, scale in trained.taught.items():
        assert scale.column == columns.start + AUDIO_FEATURE_COLUMNS.index(name)
        student, teacher = scale(outputs), shares(taught)[name]
        places = [0, 0.25, 0.5, 0.75, 1]
        expected = np.quantile(teacher, places)
        np.testing.assert_allclose(np.quantile(student, places), expected, atol=0.02)


def test_fidelity_is_measured_on_test_clips(dataset, trained, targets, recorded):
    rows, is_test = recorded
    rows = rows[is_test]
    _, outputs = heard(trained, dataset, rows)
    columns = targets.kinds[f"teacher.{AUDIO_FEATURES}"]
    teacher = shares(targets.original(columns)[np.isin(targets.rows, rows)])
    for name, scale in trained.taught.items():
        difference = (scale(outputs) - teacher[name]).reshape(-1, 2).mean(axis=1)
        assert scale.clips == len(difference)  # two windows each
        assert scale.absolute_error == pytest.approx(np.abs(difference).mean(), abs=1e-3)
        assert 0.5 < scale.spearman <= 1


def test_what_the_teacher_says_of_test_clips_changes_no_scale(dataset, trained, targets, recorded):
    rows, is_test = recorded
    values = targets.values.copy()
    values[np.isin(targets.rows, rows[is_test])] *= -1
    changed = finish(dataset, replace(targets, values=values), trained.network, CONFIG.student)
    for name, scale in changed.taught.items():
        before = trained.taught[name]
        np.testing.assert_allclose(scale.scores, before.scores, atol=0.02)
        assert scale.values == before.values
        assert scale.spearman < 0 < before.spearman


def test_a_student_without_teachers_of_audio_features_has_no_scales(dataset, trained, targets):
    kinds = {"teacher.embedding": slice(0, targets.values.shape[1])}
    finished = finish(dataset, replace(targets, kinds=kinds), trained.network, CONFIG.student)
    assert (finished.scales, finished.taught) == ({}, {})
    assert finished.projection is not None


def test_the_projection_keeps_the_distances_of_features(dataset, trained, recorded):
    rows, is_test = recorded
    features, _ = heard(trained, dataset, rows)
    vectors = trained.projection(features)
    assert vectors.shape == (len(rows), CONFIG.student.features)  # fewer than the most
    assert np.square(vectors[~is_test]).sum(axis=1).mean() == pytest.approx(1, abs=1e-2)
    assert np.abs(vectors[~is_test].mean(axis=0)).max() < 1e-2

    def distances(values):
        return np.linalg.norm(values[:, None] - values, axis=2).ravel()

    assert np.corrcoef(distances(features), distances(vectors))[0, 1] > 0.9999


def test_the_first_dimensions_vary_most(monkeypatch):
    monkeypatch.setattr(module, "MAX_DIMENSIONS", 2)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 4)).astype(np.float32) * np.float32([1, 9, 0.1, 3]) + 5
    projection = project(features)
    first, second = projection(features).T
    assert abs(np.corrcoef(first, features[:, 1])[0, 1]) > 0.999
    assert abs(np.corrcoef(second, features[:, 3])[0, 1]) > 0.999


def test_features_that_never_vary_have_a_projection():
    projection = project(np.ones((5, 3), np.float32))
    assert not projection(np.ones((1, 3), np.float32)).any()


def test_a_file_of_an_earlier_version_is_finished(dataset, trained, targets, tmp_path):
    """Its weights stay."""
    path = tmp_path / "student.pt"
    save_student(replace(trained, scales={}, taught={}, projection=None), path)
    finish_file(dataset, targets, path)
    finished = load_student(path)
    assert finished.taught.keys() == trained.taught.keys()
    features = torch.randn(3, CONFIG.student.features).numpy()
    np.testing.assert_allclose(
        np.square(finished.projection(features)).sum(axis=1),
        np.square(trained.projection(features)).sum(axis=1),
        rtol=1e-2,
    )
    for name, weight in trained.network.state_dict().items():
        torch.testing.assert_close(finished.network.state_dict()[name], weight, rtol=0, atol=0)


def test_a_student_of_other_teachers_is_not_finished(dataset, trained, targets, tmp_path):
    path = tmp_path / "student.pt"
    save_student(trained, path)
    before = path.read_bytes()
    with pytest.raises(StudentError, match="not trained on the outputs of these teachers"):
        finish_file(dataset, replace(targets, kinds={"other.tags": slice(0, 2)}), path)
    assert path.read_bytes() == before
