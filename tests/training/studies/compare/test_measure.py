from dataclasses import dataclass, replace

import numpy as np
import pytest

from training.studies.compare import labels
from training.studies.compare.labels import Task
from training.studies.compare.measure import digest_of, measure
from training.studies.compare.rows import FEELINGS, FEELINGS_BY_SONG, GENRES, Row
from training.studies.compare.sample import FAST, FULL, Prediction
from training.studies.compare.store import save

TWO_SEEDS = replace(FAST, seeds=2)
TRIALS = []


@dataclass(frozen=True)
class Knows:
    """Predicts all labels but the first, and scales in reverse order."""

    def __call__(self, trial):
        TRIALS.append(trial)
        label = trial.test.label.copy()
        label[0] = (label[0] + 1) % len(trial.test.classes)
        return Prediction(label=label, scores=-trial.test.scores, note="known")


@pytest.fixture
def filled_store(store):
    """A store with two windows of a feature, the position of the recording."""
    TRIALS.clear()
    for place in range(len(store.clips)):
        save(store.path("seventeen", place), np.full((2, 1), place, np.float32))
    return store


def row(task, seeds=2):
    return Row(1, ("seventeen",), "knows", Knows(), task, seeds)


def places(sample):
    return set(sample.inputs[0][:, 0].astype(int))


def test_a_row_is_trained_on_train_and_measured_on_test(filled_store):
    result = measure(row(GENRES), filled_store, TWO_SEEDS)
    sides = (TRIALS[0].train, TRIALS[0].valid, TRIALS[0].test)
    for side, sample in zip(("train", "valid", "test"), sides, strict=True):
        assert {filled_store.clips[place].subset for place in places(sample)} == {side}
        assert all(filled_store.clips[place].genre for place in places(sample))
    n = len(TRIALS[0].test.label)
    assert result.accuracy == [1 - 1 / n] * 2
    assert np.sum(result.confusion) == n
    assert (len(result.seconds), result.notes, result.reason) == (2, ["known"], "")


@pytest.mark.parametrize("task", [FEELINGS, FEELINGS_BY_SONG])
def test_in_cross_validation_every_recording_is_measured_once(filled_store, task):
    one = [
        replace(c, group="one") if c.votes and c.subset == "train" else c
        for c in filled_store.clips
    ]
    filled_store.clips = one if task is FEELINGS_BY_SONG else filled_store.clips
    result = measure(row(task, seeds=1), filled_store, FAST)
    measured = [place for trial in TRIALS for place in sorted(places(trial.test))]
    assert sorted(measured) == [i for i, clip in enumerate(filled_store.clips) if clip.votes]
    assert np.sum(result.confusion) == 2 * len(measured)
    assert not any(places(trial.train) & places(trial.test) for trial in TRIALS)


def test_an_artist_is_in_one_fold(filled_store):
    pairs = [
        replace(clip, group=f"{clip.subset}-{i // 2}") for i, clip in enumerate(filled_store.clips)
    ]
    filled_store.clips = pairs
    measure(row(FEELINGS, seeds=1), filled_store, FAST)
    for trial in TRIALS:
        learned, measured = (
            {pairs[place].group for place in places(side)} for side in (trial.train, trial.test)
        )
        assert not learned & measured


def test_scales_are_compared_by_recording_and_rank(filled_store):
    emotions = Task("emotions", labels.rated, labels.emotions)
    result = measure(row(emotions, seeds=1), filled_store, FAST)
    assert result.spearman.keys() == {"valence", "energy", "danceability"}
    assert all(rank == [pytest.approx(-1)] for rank in result.spearman.values())


def test_an_impossible_row_has_a_reason(filled_store):
    result = measure(row(GENRES), filled_store, FULL)
    assert "too few recordings of house" in result.reason
    assert not result.accuracy


def test_the_digest_depends_on_features_labels_model_and_budget(filled_store):
    before = digest_of(row(GENRES), filled_store, FAST)
    assert before == digest_of(row(GENRES), filled_store, FAST)
    assert before != digest_of(row(GENRES), filled_store, FULL)
    assert before != digest_of(row(GENRES, seeds=1), filled_store, FAST)
    assert before != digest_of(replace(row(GENRES), features=("statistics",)), filled_store, FAST)
    moved = [replace(c, subset="train") if c.genre == "jazz" else c for c in filled_store.clips]
    filled_store.clips = moved
    assert before != digest_of(row(GENRES), filled_store, FAST)
