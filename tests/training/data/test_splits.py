from types import SimpleNamespace

import numpy as np
import pytest

from training.data import splits
from training.data.corpus import CorpusError
from training.data.synthetic import NOT_MUSIC

N_PARTS = 3


def all_divisions(dataset):
    fixed, folds = splits.fixed(dataset), splits.folds(dataset)
    return [fixed, *folds, *splits.leave_one_source_out(dataset)]


def synthesised(dataset):
    return {i for i, t in enumerate(dataset.tracks) if t.genre and t.source == "made"}


def test_no_group_is_on_two_sides(dataset):
    for split in all_divisions(dataset):
        assert not set(dataset.groups[split.learn]) & set(dataset.groups[split.test])


def test_every_recording_and_sound_is_tested_in_one_fold(dataset):
    tested = np.concatenate([fold.test for fold in splits.folds(dataset)])
    everything = set(range(len(dataset.tracks)))
    assert sorted(tested) == sorted(everything - synthesised(dataset))
    for fold in splits.folds(dataset):
        assert set(fold.learn) | set(fold.test) == everything


def test_folds_have_the_same_shares_of_the_classes(dataset):
    for fold in splits.folds(dataset):
        counts = np.bincount(dataset.label[fold.test] + 1, minlength=6)
        assert ((counts[1:] >= 1) & (counts[1:] <= 4)).all()


def test_folds_are_the_same_every_time(dataset):
    again = splits.folds(dataset)
    for one, other in zip(splits.folds(dataset), again, strict=True):
        np.testing.assert_array_equal(one.test, other.test)


def test_synthesised_music_trains_and_never_measures(dataset):
    synthetic = synthesised(dataset)
    for split in all_divisions(dataset):
        assert synthetic <= set(split.learn)
        assert not synthetic & set(split.test)
        for part in splits.parts(dataset, split.learn, N_PARTS, 0):
            assert synthetic <= set(part.train)
            assert not synthetic & set(part.valid)


def test_the_fixed_division_is_that_of_the_corpus(dataset):
    fixed = splits.fixed(dataset)
    assert fixed.name == "fixed"
    assert {dataset.tracks[i].subset for i in fixed.test} == {"test"}
    assert {dataset.tracks[i].subset for i in fixed.learn} == {"train", "valid"}


def test_parts_validate_on_all_that_is_learnt_from_each_once(dataset):
    for split in all_divisions(dataset):
        parts = list(splits.parts(dataset, split.learn, N_PARTS, 0))
        assert len(parts) == N_PARTS
        validated = np.concatenate([part.valid for part in parts])
        assert sorted(validated) == sorted(set(split.learn) - synthesised(dataset))
        for part in parts:
            assert sorted([*part.train, *part.valid]) == sorted(split.learn)
            assert not set(dataset.groups[part.train]) & set(dataset.groups[part.valid])


def test_a_left_out_source_takes_its_groups_with_it(dataset):
    found = {split.name: split for split in splits.leave_one_source_out(dataset)}
    assert set(found) == {"without-north", "without-south"}
    for name, split in found.items():
        source = name.removeprefix("without-")
        assert {dataset.tracks[i].source for i in split.test} == {source}
        learned = {dataset.tracks[i].id for i in split.learn}
        assert not learned & {"house-4", "house-5"}  # one group, in both sources


def test_a_small_source_is_not_left_out(dataset, monkeypatch):
    monkeypatch.setattr(splits, "MIN_SOURCE_TRACKS", 16)
    assert splits.leave_one_source_out(dataset) == []


def few(n_groups, n_genres):
    """A corpus of one recording a group, without anything made."""
    label = np.arange(n_groups) % n_genres
    return SimpleNamespace(
        tracks=[SimpleNamespace(subset="train", source="", other=None)] * n_groups,
        label=label,
        groups=np.arange(n_groups).astype(str),
        synthetic=np.zeros(n_groups, bool),
        is_music=np.ones(n_groups, bool),
        is_genre=np.ones(n_groups, bool),
        classes=["a", "b", NOT_MUSIC],
    )


@pytest.mark.parametrize(("n_groups", "n_genres"), [(4, 2), (8, 4), (0, 2)])
def test_too_few_groups_are_refused_with_what_to_do(n_groups, n_genres):
    with pytest.raises(CorpusError, match=f"{n_groups} albums or artists cannot be .* add more"):
        splits.folds(few(n_groups, n_genres))


def test_a_rare_genre_does_not_stop_a_division():
    parts = splits.folds(few(12, 2))
    assert sorted(np.concatenate([part.test for part in parts])) == list(range(12))
