from dataclasses import dataclass, replace

import numpy as np
import pytest

from training.studies.compare import labels
from training.studies.compare.labels import Task
from training.studies.compare.measure import made_of, measure
from training.studies.compare.rows import FEELINGS, FEELINGS_BY_SONG, GENRES, Row
from training.studies.compare.sample import FAST, FULL, Answer
from training.studies.compare.store import save

TWO_SEEDS = replace(FAST, seeds=2)
ASKED = []


@dataclass(frozen=True)
class Knows:
    """Answers what is asked, but for the first case; scales from best to worst."""

    def __call__(self, trial):
        ASKED.append(trial)
        label = trial.test.label.copy()
        label[0] = (label[0] + 1) % len(trial.test.classes)
        return Answer(label=label, numbers=-trial.test.numbers, note="known")


@pytest.fixture
def told(store):
    """With two windows of a feature that is the recording's place."""
    ASKED.clear()
    for place, clip in enumerate(store.clips):
        save(store.path("seventeen", place), np.full((2, 1), place, np.float32))
        if clip.genre:
            save(store.path("danceability", place), np.full((2, 1), place / 40, np.float32))
    return store


def row(task, seeds=2):
    return Row(1, ("seventeen",), "knows", Knows(), task, seeds)


def places(sample):
    return set(sample.inputs[0][:, 0].astype(int))


def test_a_row_learns_from_train_and_is_asked_test(told):
    result = measure(row(GENRES), told, TWO_SEEDS)
    sides = (ASKED[0].train, ASKED[0].valid, ASKED[0].test)
    for side, sample in zip(("train", "valid", "test"), sides, strict=True):
        assert {told.clips[place].subset for place in places(sample)} == {side}
        assert all(told.clips[place].genre for place in places(sample))
    n = len(ASKED[0].test.label)
    assert result.accuracy == [1 - 1 / n] * 2
    assert np.sum(result.confusion) == n
    assert (len(result.seconds), result.notes, result.reason) == (2, ["known"], "")


@pytest.mark.parametrize("task", [FEELINGS, FEELINGS_BY_SONG])
def test_over_the_folds_every_recording_is_asked_once(told, task):
    one = [replace(c, group="one") if c.votes and c.subset == "train" else c for c in told.clips]
    told.clips = one if task is FEELINGS_BY_SONG else told.clips
    result = measure(row(task, seeds=1), told, FAST)
    asked = [place for trial in ASKED for place in sorted(places(trial.test))]
    assert sorted(asked) == [i for i, clip in enumerate(told.clips) if clip.votes]
    assert np.sum(result.confusion) == 2 * len(asked)
    assert not any(places(trial.train) & places(trial.test) for trial in ASKED)


def test_an_artist_is_in_one_fold(told):
    pairs = [replace(clip, group=f"{clip.subset}-{i // 2}") for i, clip in enumerate(told.clips)]
    told.clips = pairs
    measure(row(FEELINGS, seeds=1), told, FAST)
    for trial in ASKED:
        learned, asked = (
            {pairs[place].group for place in places(side)} for side in (trial.train, trial.test)
        )
        assert not learned & asked


def test_scales_are_compared_by_recording_and_rank(told):
    emotions = Task("emotions", labels.rated, labels.emotions, ("danceability",))
    result = measure(row(emotions, seeds=1), told, FAST)
    assert result.spearman.keys() == {"valence", "energy", "danceability"}
    assert all(rank == [pytest.approx(-1)] for rank in result.spearman.values())


def test_what_the_corpus_cannot_carry_has_a_reason(told):
    result = measure(row(GENRES), told, FULL)
    assert "too few recordings of house" in result.reason
    assert not result.accuracy


def test_a_result_is_made_of_features_labels_model_and_budget(told):
    before = made_of(row(GENRES), told, FAST)
    assert before == made_of(row(GENRES), told, FAST)
    assert before != made_of(row(GENRES), told, FULL)
    assert before != made_of(row(GENRES, seeds=1), told, FAST)
    assert before != made_of(replace(row(GENRES), features=("statistics",)), told, FAST)
    moved = [replace(c, subset="train") if c.genre == "jazz" else c for c in told.clips]
    told.clips = moved
    assert before != made_of(row(GENRES), told, FAST)
