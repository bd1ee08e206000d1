import numpy as np
import pytest

from service.heads import fit as fitting
from service.heads.fit import (
    Examples,
    calibration_error,
    centres_of,
    confusion,
    cross_validate,
    fit,
    folds_of,
    limit,
    number_of_folds,
    temperature,
)
from service.heads.scoring import distances, softmax
from tests.service.heads.samples import examples


def test_labels_that_lie_apart_are_learned_from_five_recordings():
    taught, others = examples(tracks=5), examples(seed=1)
    answer = fit(taught, 3).scores(others.vectors).argmax(axis=1)
    assert (answer == others.label).mean() > 0.95


def test_labels_weigh_the_same_whatever_their_number_of_recordings():
    few = examples(labels=2, spread=2.0)
    times = np.where(few.label == 0, 8, 1)
    many = Examples(*(np.repeat(each, times, axis=0) for each in vars(few).values()))
    np.testing.assert_allclose(fit(many, 2).weights, fit(few, 2).weights, atol=1e-3)


def test_the_gradient_leads_to_a_minimum(monkeypatch):
    found = {}

    def spy(loss, start, **_):
        point = start + 0.1 * np.random.default_rng(0).normal(size=len(start))
        _, gradient = loss(point)
        step = 1e-6 * np.eye(len(start))[7]
        found["numeric"] = (loss(point + step)[0] - loss(point - step)[0]) / 2e-6
        found["gradient"] = gradient[7]
        return type("Result", (), {"x": start})

    monkeypatch.setattr(fitting, "minimize", spy)
    fit(examples(), 3)
    assert found["gradient"] == pytest.approx(found["numeric"], rel=1e-4)
    assert found["gradient"] != 0


@pytest.mark.parametrize("seed", range(5))
def test_folds_keep_groups_together_and_labels_even(seed):
    rng = np.random.default_rng(seed)
    group = np.sort(rng.integers(0, 40, 200))
    label = np.array([each % 3 for each in group])
    fold = folds_of(label, group, 5)
    for each in np.unique(group):
        assert len(set(fold[group == each])) == 1
    for each in range(3):
        counts = np.bincount(fold[label == each], minlength=5)
        assert counts.min() > 0.5 * counts.mean()


def test_groups_of_several_labels_stay_together():
    label, group = np.tile([0, 1], 10), np.repeat(np.arange(10), 2)
    fold = folds_of(label, group, 5)
    assert (fold.reshape(10, 2)[:, 0] == fold.reshape(10, 2)[:, 1]).all()
    assert np.bincount(fold).tolist() == [4] * 5


@pytest.mark.parametrize(("groups", "folds"), [(2, 2), (4, 4), (10, 5)])
def test_a_label_with_few_groups_reduces_the_folds(groups, folds):
    label = np.repeat([0, 1], 10)
    group = np.concatenate([np.arange(10) % groups, 100 + np.arange(10)])
    assert number_of_folds(label, group) == folds
    fold = folds_of(label, group, folds)
    assert all(set(label[fold != each]) == {0, 1} for each in range(folds))


def test_no_group_is_on_both_sides_of_a_split(monkeypatch):
    data, seen = examples(), []

    def spy(taught, count):
        seen.append(set(taught.group.tolist()))
        return fit(taught, count)

    monkeypatch.setattr(fitting, "fit", spy)
    measured = cross_validate(data)
    assert len(seen) == measured.folds == 5
    held_out = [set(data.group.tolist()) - groups for groups in seen]
    assert sorted(group for groups in held_out for group in groups) == list(range(15))


def test_a_group_that_is_remembered_does_not_help():
    """Where only the album tells the label, a head is no better than chance."""
    rng = np.random.default_rng(0)
    albums = rng.normal(size=(20, 16))
    group = np.repeat(np.arange(20), 5)
    vectors = albums[group] + 0.01 * rng.normal(size=(100, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    label = (np.arange(20) % 2)[group]
    taught = fit(Examples(vectors, label, group), 2).scores(vectors).argmax(axis=1)
    assert (taught == label).mean() > 0.9
    measured = cross_validate(Examples(vectors, label, group))
    assert (measured.scores.argmax(axis=1) == label).mean() < 0.7


def test_what_was_not_taught_is_far():
    measured = cross_validate(examples(labels=4))
    assert measured.left_out_refused > 0.95
    assert measured.kept.mean() > 0.8


def test_what_cannot_be_told_apart_is_not_refused():
    rng = np.random.default_rng(0)
    vectors = rng.normal(1, 1, (200, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    measured = cross_validate(Examples(vectors, np.arange(200) % 2, np.arange(200)))
    assert measured.left_out_refused < 0.3
    assert 0.8 < measured.kept.mean() < 0.97


def test_probabilities_are_calibrated():
    data = examples(labels=2, tracks=300, groups=300, spread=4.0)
    measured = cross_validate(data)
    right = measured.probabilities.argmax(axis=1) == data.label
    assert 0.55 < right.mean() < 0.97
    assert calibration_error(measured.probabilities, data.label) < 0.08
    assert calibration_error(softmax(20 * measured.scores), data.label) > 0.08


def test_a_temperature_undoes_a_factor():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4_000, 3))
    label = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    assert temperature(scores, label) == pytest.approx(1, rel=0.1)
    assert temperature(4 * scores, label) == pytest.approx(4, rel=0.1)


def test_the_limit_keeps_nine_of_ten():
    away = np.random.default_rng(0).permutation(99) / 100
    assert limit(away) == pytest.approx(0.89)
    assert limit(np.array([0.2, 0.1])) == 0.2


def test_a_calibration_error_weighs_labels_the_same():
    probabilities = np.array([[0.95, 0.05]] * 9 + [[0.95, 0.05]])
    label = np.array([0] * 9 + [1])
    assert calibration_error(probabilities, label) == pytest.approx(abs(0.95 - 0.5))


def test_distances_are_cosines():
    centres = centres_of(examples())
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1)
    np.testing.assert_allclose(distances(centres, centres), 0, atol=1e-12)
    assert distances(-centres[:1], centres[:1]) == pytest.approx(2)
    assert distances(np.zeros((1, 16)), centres) == pytest.approx(1)


def test_a_confusion_counts():
    assert confusion([0, 0, 1], [0, 1, 1], 2).tolist() == [[1, 1], [0, 1]]
