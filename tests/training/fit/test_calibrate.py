from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from service.card import Thresholds
from training.data.takes import TAKES
from training.fit.calibrate import (
    COVERAGE,
    Calibration,
    calibrate,
    margin_threshold,
    validation_figures,
    youden_threshold,
)
from training.fit.predict import Uncalibrated, by_clip, by_window

N_GENRES, N_CLASSES = 3, 5
RNG = np.random.default_rng(0)


def dataset_with(label, emotion=None):
    """As much of a dataset as calibration uses: one window of each track and take."""
    n = len(label)
    return SimpleNamespace(
        genres=["a", "b", "c"],
        label=label,
        is_genre=(label >= 0) & (label < N_GENRES),
        is_music=label != N_CLASSES - 1,
        emotion=np.full((n, 3), np.nan) if emotion is None else emotion,
        track_of=np.tile(np.arange(n), 2),
        take_of=np.repeat([TAKES.index("raw"), TAKES.index("phone")], n),
    )


def predicted(logits, emotion=None):
    emotion = np.full((len(logits), 3), 0.5) if emotion is None else emotion
    twice = np.tile(emotion, (2, 1))
    return Uncalibrated(np.arange(2 * len(logits)), np.tile(logits, (2, 1)), twice)


def labels_drawn_from(logits):
    return np.array([RNG.choice(N_CLASSES, p=p) for p in softmax(logits, axis=1)])


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_inverts_a_scaling_of_the_logits(factor):
    logits = RNG.normal(0, 1.5, (5_000, N_CLASSES))
    found = calibrate(dataset_with(labels_drawn_from(logits)), predicted(factor * logits), {})
    assert found.temperature == pytest.approx(factor, rel=0.1)


def test_a_threshold_separates_two_classes():
    assert youden_threshold(np.array([0.8, 0.9, 0.7]), np.array([0.1, 0.2])) == 0.7


def test_without_one_of_the_classes_everything_is_accepted():
    assert youden_threshold(np.array([0.8, 0.9]), np.array([])) == 0
    assert youden_threshold(np.array([]), np.array([0.1])) == 0


def test_a_score_without_information_accepts_everything():
    assert youden_threshold(np.array([0.1, 0.2]), np.array([0.8, 0.9])) == 0.1


def test_thresholds_separate_the_classes():
    label = np.repeat(np.arange(N_CLASSES), 20)
    logits = 4 * np.eye(N_CLASSES)[label] + RNG.normal(0, 0.3, (100, N_CLASSES))
    dataset = dataset_with(label)
    found = calibrate(dataset, predicted(logits), {})
    clips = by_clip(by_window(dataset, predicted(logits), found.temperature))
    music, known = dataset.is_music[clips.track], dataset.is_genre[clips.track]
    np.testing.assert_array_equal(clips.music >= found.thresholds.music, music)
    accepted = clips.known[music] >= found.thresholds.known
    np.testing.assert_array_equal(accepted, known[music])


def test_the_margin_is_the_lowest_lead_that_is_right_often_enough():
    leads = np.linspace(1, 0, 101)  # right down to 0.5, wrong below
    right = leads >= 0.5
    threshold = margin_threshold(leads, right)
    assert right[leads >= threshold].mean() >= 0.9
    assert right[leads >= threshold - 0.01].mean() < 0.9
    assert threshold == pytest.approx(0.45, abs=0.011)


def test_a_model_that_is_always_right_is_always_confident():
    assert margin_threshold(np.array([0.9, 0.1, 0.4]), np.ones(3, bool)) == 0.1


def test_a_model_that_is_never_right_is_never_confident():
    assert margin_threshold(np.array([0.9, 0.1]), np.zeros(2, bool)) == 1


def scores_and_labels(n):
    """Scores, and labels at some distance from them, of the first emotion."""
    scores = np.full((n, 3), 0.5)
    scores[:, 0] = RNG.uniform(0.3, 0.7, n)
    labels = np.full((n, 3), np.nan)
    labels[:, 0] = scores[:, 0] + RNG.normal(0, 0.08, n)
    return scores, labels


def test_intervals_contain_the_promised_share_of_new_labels():
    (scores, labels), (new_scores, new_labels) = scores_and_labels(2_000), scores_and_labels(20_000)
    logits = np.zeros((2_000, N_CLASSES))
    dataset = dataset_with(np.arange(2_000) % N_CLASSES, labels)
    found = calibrate(dataset, predicted(logits, scores), {})
    inside = np.abs(new_labels - new_scores)[:, 0] <= found.intervals["valence"]
    assert inside.mean() == pytest.approx(COVERAGE, abs=0.03)
    assert set(found.intervals) == {"valence"}


def test_the_interval_of_one_label_is_its_distance():
    scores, labels = np.full((2, 3), 0.5), np.full((2, 3), np.nan)
    labels[0, 1] = 0.8
    dataset = dataset_with(np.array([0, 1]), labels)
    found = calibrate(dataset, predicted(np.zeros((2, N_CLASSES)), scores), {})
    assert found.intervals == {"energy": pytest.approx(0.3)}


def test_an_emotion_without_true_values_has_the_interval_of_the_student():
    scores, labels = np.full((2, 3), 0.5), np.full((2, 3), np.nan)
    labels[0, 1] = 0.8
    dataset = dataset_with(np.array([0, 1]), labels)
    widths = {"energy": 0.1, "valence": 0.2}
    found = calibrate(dataset, predicted(np.zeros((2, N_CLASSES)), scores), widths)
    assert found.intervals == {"energy": pytest.approx(0.3), "valence": 0.2}


def test_validation_figures_are_of_tracks_with_a_genre():
    logits = np.log([[0.5, 0.25, 0.25, 1, 1], [0.2, 0.6, 0.2, 1, 1], [0.9, 0.05, 0.05, 1, 1]])
    calibration = Calibration(
        temperature=1.0,
        thresholds=Thresholds(silence_dbfs=0, music=0, known=0, margin=0),
        intervals={},
    )
    dataset = dataset_with(np.array([0, 2, 3]))
    figures = validation_figures(dataset, predicted(logits), calibration)
    assert set(figures) == {"raw", "phone"}
    for take in figures.values():
        assert take["accuracy"] == 0.5
        expected = -(np.log(0.5) + np.log(0.2)) / 2
        assert take["negative_log_likelihood"] == pytest.approx(expected)
