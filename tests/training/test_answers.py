import numpy as np
import pytest

from service.card import EMOTIONS
from service.verdict import VERDICTS, decide
from tests.training.conftest import CONFIG
from training import divisions
from training.answers import AUDIBLE_DBFS, answers_of
from training.described import Described
from training.prepare import TAKES
from training.runs import load, run_folder


@pytest.fixture(scope="module")
def described(prepared, runs):
    return Described(prepared, CONFIG.perceptron.copies, runs)


@pytest.fixture(scope="module")
def over_folds(prepared, described, runs):
    return answers_of(prepared, described, runs, divisions.folds(prepared), 0)


def test_over_the_folds_everything_is_answered_once(prepared, over_folds):
    answered = over_folds.clips
    synthesised = {i for i, t in enumerate(prepared.tracks) if t.genre and t.source == "made"}
    for phone in (False, True):
        tracks = answered.track[answered.phone == phone]
        assert sorted(tracks) == sorted(set(range(len(prepared.tracks))) - synthesised)


def test_windows_are_those_that_are_heard(prepared, over_folds):
    takes = prepared.take_of[over_folds.window_rows]
    assert set(takes) == {TAKES.index("heard")}
    assert len(set(over_folds.window_rows)) == len(over_folds.window_rows)
    np.testing.assert_allclose(over_folds.window_genres.sum(1), 1, atol=1e-6)


def test_each_fold_is_answered_by_the_model_that_never_heard_it(prepared, described, runs):
    folds = divisions.folds(prepared)
    together = answers_of(prepared, described, runs, folds, 0)
    alone = answers_of(prepared, described, runs, folds[2:3], 0)
    chosen = np.isin(together.clips.track, folds[2].test)
    np.testing.assert_array_equal(together.clips.genres[chosen], alone.clips.genres)
    np.testing.assert_array_equal(together.verdicts[chosen], alone.verdicts)


def test_verdicts_and_intervals_are_those_of_the_run(prepared, described, runs):
    fixed = divisions.fixed(prepared)
    answers = answers_of(prepared, described, runs, [fixed], 1)
    calibration = load(prepared, run_folder(runs, fixed, 1))[2]
    clips = answers.clips
    for i, verdict in enumerate(answers.verdicts):
        scores = (clips.music[i], clips.known[i], clips.genres[i])
        assert VERDICTS[verdict] == decide(AUDIBLE_DBFS, *scores, calibration.thresholds)
    energy = EMOTIONS.index("energy")
    distance = np.abs(prepared.emotion[clips.track] - clips.own_scale)[:, energy]
    np.testing.assert_array_equal(
        answers.inside[:, energy], distance <= calibration.intervals["energy"]
    )
    assert not answers.inside[:, EMOTIONS.index("valence")].any()
