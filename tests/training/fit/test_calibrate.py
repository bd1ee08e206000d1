from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from service.card import Thresholds
from training.data.takes import TAKES
from training.fit.calibrate import COVERAGE, Calibration, _margin, _youden, calibrate, validation
from training.fit.predict import Logits, clips

N_GENRES, N_CLASSES = 3, 5
RNG = np.random.default_rng(0)


def corpus(label, emotion=None):
    """As much of a prepared folder as calibration looks at: a window of each track and take."""
    n = len(label)
    return SimpleNamespace(
        genres=["a", "b", "c"],
        label=label,
        is_genre=(label >= 0) & (label < N_GENRES),
        is_music=label != N_CLASSES - 1,
        emotion=np.full((n, 3), np.nan) if emotion is None else emotion,
        track_of=np.tile(np.arange(n), 2),
        take_of=np.repeat([TAKES.index("heard"), TAKES.index("phone")], n),
    )


def heard(logits, emotion=None):
    emotion = np.full((len(logits), 3), 0.5) if emotion is None else emotion
    twice = np.tile(emotion, (2, 1))
    return Logits(np.arange(2 * len(logits)), np.tile(logits, (2, 1)), twice, twice)


def drawn(logits):
    """Labels that are as probable as the logits say."""
    return np.array([RNG.choice(N_CLASSES, p=p) for p in softmax(logits, axis=1)])


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_scaling_of_the_logits(factor):
    logits = RNG.normal(0, 1.5, (5_000, N_CLASSES))
    found = calibrate(corpus(drawn(logits)), heard(factor * logits))
    assert found.temperature == pytest.approx(factor, rel=0.1)


def test_what_separates_is_told_apart():
    assert _youden(np.array([0.8, 0.9, 0.7]), np.array([0.1, 0.2])) == 0.7


def test_where_there_is_nothing_to_refuse_nothing_is():
    assert _youden(np.array([0.8, 0.9]), np.array([])) == 0
    assert _youden(np.array([]), np.array([0.1])) == 0


def test_a_score_that_tells_nothing_refuses_nothing():
    assert _youden(np.array([0.1, 0.2]), np.array([0.8, 0.9])) == 0.1


def test_thresholds_tell_the_classes_apart():
    label = np.repeat(np.arange(N_CLASSES), 20)
    logits = 4 * np.eye(N_CLASSES)[label] + RNG.normal(0, 0.3, (100, N_CLASSES))
    dataset = corpus(label)
    found = calibrate(dataset, heard(logits))
    answers = clips(dataset, heard(logits), found.temperature)
    music, known = dataset.is_music[answers.track], dataset.is_genre[answers.track]
    np.testing.assert_array_equal(answers.music >= found.thresholds.music, music)
    passes = answers.known[music] >= found.thresholds.known
    np.testing.assert_array_equal(passes, known[music])


def test_the_margin_is_the_least_lead_that_is_right_often_enough():
    leads = np.linspace(1, 0, 101)  # right down to 0.5, wrong below
    right = leads >= 0.5
    threshold = _margin(leads, right)
    assert right[leads >= threshold].mean() >= 0.9
    assert right[leads >= threshold - 0.01].mean() < 0.9
    assert threshold == pytest.approx(0.45, abs=0.011)


def test_a_model_that_is_always_right_is_always_confident():
    assert _margin(np.array([0.9, 0.1, 0.4]), np.ones(3, bool)) == 0.1


def test_a_model_that_is_never_right_is_never_confident():
    assert _margin(np.array([0.9, 0.1]), np.zeros(2, bool)) == 1


def labelled(n):
    """Scores, and labels at some distance of them; of the first emotion."""
    scores = np.full((n, 3), 0.5)
    scores[:, 0] = RNG.uniform(0.3, 0.7, n)
    labels = np.full((n, 3), np.nan)
    labels[:, 0] = scores[:, 0] + RNG.normal(0, 0.08, n)
    return scores, labels


def test_intervals_hold_as_many_fresh_labels_as_promised():
    (scores, labels), (fresh_scores, fresh_labels) = labelled(2_000), labelled(20_000)
    logits = np.zeros((2_000, N_CLASSES))
    found = calibrate(corpus(np.arange(2_000) % N_CLASSES, labels), heard(logits, scores))
    inside = np.abs(fresh_labels - fresh_scores)[:, 0] <= found.intervals["valence"]
    assert inside.mean() == pytest.approx(COVERAGE, abs=0.03)
    assert set(found.intervals) == {"valence"}


def test_an_interval_from_one_label_is_its_distance():
    scores, labels = np.full((2, 3), 0.5), np.full((2, 3), np.nan)
    labels[0, 1] = 0.8
    found = calibrate(corpus(np.array([0, 1]), labels), heard(np.zeros((2, N_CLASSES)), scores))
    assert found.intervals == {"energy": pytest.approx(0.3)}


def test_clips_are_means_over_their_windows():
    dataset = corpus(np.array([0, 1]))
    dataset.track_of = np.array([0, 0, 1, 0])
    dataset.take_of = np.array([TAKES.index(t) for t in ("heard", "heard", "heard", "phone")])
    logits, emotion = RNG.normal(size=(4, N_CLASSES)), RNG.uniform(size=(4, 3))
    answers = clips(dataset, Logits(np.arange(4), logits, emotion, emotion), 1.0)
    assert answers.track.tolist() == [0, 0, 1]
    assert answers.phone.tolist() == [False, True, False]
    genres = softmax(logits[:, :N_GENRES], axis=1)
    np.testing.assert_allclose(answers.genres, [genres[:2].mean(0), genres[3], genres[2]])
    np.testing.assert_allclose(answers.emotion[0], emotion[:2].mean(0))


def test_answers_to_disjoint_tracks_are_put_together():
    one, other = heard(RNG.normal(size=(3, N_CLASSES))), heard(RNG.normal(size=(2, N_CLASSES)))
    joined = Logits.joined([one, other])
    assert len(joined.rows) == 10
    np.testing.assert_array_equal(joined.classes[6:], other.classes)


def test_a_calibration_is_read_back_as_it_was():
    thresholds = Thresholds(silence_dbfs=-60, music=0.4, known=0.3, margin=0.2)
    calibration = Calibration(1.25, thresholds, {"energy": 0.2})
    assert Calibration.from_json(calibration.to_json()) == calibration


def test_validation_is_of_recordings_that_have_a_genre():
    logits = np.log([[0.5, 0.25, 0.25, 1, 1], [0.2, 0.6, 0.2, 1, 1], [0.9, 0.05, 0.05, 1, 1]])
    dataset = corpus(np.array([0, 2, 3]))
    calibration = Calibration(1.0, Thresholds(silence_dbfs=0, music=0, known=0, margin=0), {})
    figures = validation(dataset, heard(logits), calibration)
    assert set(figures) == {"heard", "phone"}
    for take in figures.values():
        assert take["accuracy"] == 0.5
        expected = -(np.log(0.5) + np.log(0.2)) / 2
        assert take["negative_log_likelihood"] == pytest.approx(expected)
