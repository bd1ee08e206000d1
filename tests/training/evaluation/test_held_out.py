import numpy as np
import pytest

from service.card import EMOTIONS
from service.verdict import VERDICTS, decide
from training.data import splits
from training.evaluation.held_out import AUDIBLE_DBFS, predict_held_out
from training.fit.run import load, run_folder


@pytest.fixture(scope="module")
def over_folds(dataset, cache, runs):
    return predict_held_out(dataset, cache, runs, splits.cross_validation(dataset), 0)


def test_the_cross_validation_predicts_every_track_once_but_dance_music(dataset, over_folds):
    expected = sorted(np.flatnonzero(~(dataset.synthetic & dataset.is_genre)))
    for phone in (False, True):
        assert sorted(over_folds.clips.track[over_folds.clips.phone == phone]) == expected


def test_windows_are_of_the_raw_take(dataset, over_folds):
    windows = over_folds.windows
    assert not windows.phone.any()
    assert np.bincount(windows.track)[np.unique(windows.track)].tolist() == [2] * len(
        np.unique(windows.track)
    )
    np.testing.assert_allclose(windows.genres.sum(1), 1, atol=1e-6)


def test_each_fold_is_predicted_by_its_own_model(dataset, cache, runs, over_folds):
    fold = splits.cross_validation(dataset)[2]
    alone = predict_held_out(dataset, cache, runs, [fold], 0)
    chosen = np.isin(over_folds.clips.track, fold.test)
    np.testing.assert_array_equal(over_folds.clips.genres[chosen], alone.clips.genres)
    np.testing.assert_array_equal(over_folds.verdicts[chosen], alone.verdicts)


def test_verdicts_and_intervals_are_those_of_the_calibration(dataset, cache, runs):
    fixed = splits.fixed_split(dataset)
    held_out = predict_held_out(dataset, cache, runs, [fixed], 1)
    calibration = load(dataset, run_folder(runs, fixed, 1))[2]
    clips = held_out.clips
    for i, verdict in enumerate(held_out.verdicts):
        scores = (clips.music[i], clips.known[i], clips.genres[i])
        assert VERDICTS[verdict] == decide(AUDIBLE_DBFS, *scores, calibration.thresholds)
    energy = EMOTIONS.index("energy")
    distance = np.abs(dataset.emotion[clips.track] - clips.emotion)[:, energy]
    inside = distance <= calibration.intervals["energy"]
    np.testing.assert_array_equal(held_out.inside[:, energy], inside)
    assert not held_out.inside[:, EMOTIONS.index("valence")].any()
