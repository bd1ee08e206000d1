import numpy as np
import pytest

from service.card import EMOTIONS
from service.verdict import VERDICTS, decide
from tests.training.conftest import CONFIG
from training.data import splits
from training.data.takes import TAKES
from training.evaluation.held_out import AUDIBLE_DBFS, held_out_predictions
from training.fit.descriptor_cache import DescriptorCache
from training.fit.run import load, run_folder


@pytest.fixture(scope="module")
def described(dataset, runs):
    return DescriptorCache(dataset, CONFIG.mlp.copies, runs)


@pytest.fixture(scope="module")
def over_folds(dataset, described, runs):
    return held_out_predictions(dataset, described, runs, splits.folds(dataset), 0)


def test_over_the_folds_everything_is_answered_once(dataset, over_folds):
    answered = over_folds.clips
    synthesised = {i for i, t in enumerate(dataset.tracks) if t.genre and t.source == "made"}
    for phone in (False, True):
        tracks = answered.track[answered.phone == phone]
        assert sorted(tracks) == sorted(set(range(len(dataset.tracks))) - synthesised)


def test_windows_are_those_that_are_heard(dataset, over_folds):
    takes = dataset.take_of[over_folds.window_rows]
    assert set(takes) == {TAKES.index("heard")}
    assert len(set(over_folds.window_rows)) == len(over_folds.window_rows)
    np.testing.assert_allclose(over_folds.window_genres.sum(1), 1, atol=1e-6)


def test_each_fold_is_answered_by_the_model_that_never_heard_it(dataset, described, runs):
    folds = splits.folds(dataset)
    together = held_out_predictions(dataset, described, runs, folds, 0)
    alone = held_out_predictions(dataset, described, runs, folds[2:3], 0)
    chosen = np.isin(together.clips.track, folds[2].test)
    np.testing.assert_array_equal(together.clips.genres[chosen], alone.clips.genres)
    np.testing.assert_array_equal(together.verdicts[chosen], alone.verdicts)


def test_verdicts_and_intervals_are_those_of_the_run(dataset, described, runs):
    fixed = splits.fixed(dataset)
    answers = held_out_predictions(dataset, described, runs, [fixed], 1)
    calibration = load(dataset, run_folder(runs, fixed, 1))[2]
    clips = answers.clips
    for i, verdict in enumerate(answers.verdicts):
        scores = (clips.music[i], clips.known[i], clips.genres[i])
        assert VERDICTS[verdict] == decide(AUDIBLE_DBFS, *scores, calibration.thresholds)
    energy = EMOTIONS.index("energy")
    distance = np.abs(dataset.emotion[clips.track] - clips.own_scale)[:, energy]
    np.testing.assert_array_equal(
        answers.inside[:, energy], distance <= calibration.intervals["energy"]
    )
    assert not answers.inside[:, EMOTIONS.index("valence")].any()
