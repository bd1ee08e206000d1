from types import SimpleNamespace

import numpy as np
import pytest

from training.evaluation.metrics import (
    calibration_error,
    calibration_error_by_chance,
    figure_of_file,
    figure_of_folds,
    medians_by_genre,
    mood_figures,
    rank_correlation,
)


def test_the_calibration_error_equals_a_calculation_by_hand():
    probability = np.array([0.95, 0.99, 0.55, 0.58, 1.0])
    right = np.array([True, False, True, True, True])
    last = abs(0.95 + 0.99 + 1.0 - 2)  # bin 15 of 15, from 14/15
    ninth = abs(0.55 + 0.58 - 2)  # bin 9, from 8/15 to 9/15
    assert calibration_error(probability, right) == pytest.approx((last + ninth) / 5)


def test_calibrated_probabilities_have_no_calibration_error():
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0
    half = np.full(4, 0.5)
    assert calibration_error(half, np.array([True, False, True, False])) == pytest.approx(0)


def test_few_recordings_have_a_calibration_error_by_chance():
    rng = np.random.default_rng(1)
    few, many = (calibration_error_by_chance(rng.uniform(0.3, 1, n)) for n in (50, 5_000))
    assert many < 0.02 < few
    assert calibration_error_by_chance(np.ones(9)) == 0


def test_a_figure_is_mean_and_spread_over_seeds():
    figure = figure_of_file([0.5, 0.7])
    assert (figure.value, figure.mean, figure.seeds) == (0.5, 0.6, 2)
    assert figure.spread == pytest.approx(np.std([0.5, 0.7], ddof=1), abs=1e-4)
    assert figure_of_file([0.5]).spread is None
    assert figure_of_folds([0.5]).value is None


def test_moods_are_compared_with_those_of_the_labels():
    high, low, none = 0.9, 0.1, np.nan
    labels = [[high, high, none]] * 6 + [[low, low, none]] * 4 + [[none, high, none]] * 5
    scores = [[high, high, low]] * 7 + [[high, low, low]] * 8
    labels = np.array(labels)
    reference = dict.fromkeys(("valence", "energy"), [0.6] * 101)
    dataset = SimpleNamespace(
        emotion=np.full_like(labels, np.nan), proxies={"words": labels}, reference=reference
    )
    clips = SimpleNamespace(track=np.arange(15), phone=np.zeros(15, bool), emotion=np.array(scores))
    (row,) = mood_figures(dataset, [clips], figure_of_file)
    assert (row.origin, row.clips, row.accuracy.value, row.commonest) == ("words", 10, 0.6, 0.6)
    reference["energy"] = [0.95] * 101  # no score is above the middle
    (row,) = mood_figures(dataset, [clips], figure_of_file)
    assert row.accuracy.value == 0
    dataset.emotion, dataset.proxies = labels, {}
    (row,) = mood_figures(dataset, [clips], figure_of_file)
    assert (row.origin, row.accuracy.value) == ("spotify", 0.6)  # labels have the same middle
    clips.phone[:] = True
    assert list(mood_figures(dataset, [clips], figure_of_file)) == []


def test_medians_are_of_the_raw_take_of_each_genre():
    dataset = SimpleNamespace(genres=["jazz", "metal"], label=np.array([0, 0, 0, 1, 2]))
    emotion = np.repeat([[0.1], [0.2], [0.6], [0.9], [0.5], [0.0]], 3, axis=1)
    clips = SimpleNamespace(
        track=np.array([0, 1, 2, 3, 4, 3]), phone=np.arange(6) == 5, emotion=emotion
    )
    medians = medians_by_genre(dataset, clips, [1])
    assert medians == {"jazz": {"energy": 0.2}, "metal": {"energy": 0.9}}


def test_a_constant_has_no_rank_correlation():
    labels = np.arange(10.0)
    assert rank_correlation(labels, np.full(10, 0.5)) == 0
    assert rank_correlation(labels, labels**3) == pytest.approx(1)


def test_unknown_values_do_not_count_in_a_rank_correlation():
    labels = np.r_[np.arange(10.0), np.nan]
    assert rank_correlation(labels, np.r_[np.arange(10.0), 0.0]) == pytest.approx(1)
    assert rank_correlation(labels[-3:], np.arange(3.0)) == 0
