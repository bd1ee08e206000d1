from types import SimpleNamespace

import numpy as np
import pytest

from training.data import splits
from training.data.corpus import CorpusError
from training.data.splits import (
    cross_validation,
    fixed_split,
    leave_one_source_out,
    member_folds,
    source_folds,
)
from training.data.synthetic import NOT_MUSIC

N_FOLDS = 3


@pytest.fixture
def all_splits(dataset):
    return [fixed_split(dataset), *cross_validation(dataset), *leave_one_source_out(dataset)]


@pytest.fixture
def dance_music(dataset):
    return set(np.flatnonzero(dataset.synthetic & dataset.is_genre))


def test_no_group_is_on_two_sides(dataset, all_splits):
    for split in all_splits:
        assert not set(dataset.groups[split.develop]) & set(dataset.groups[split.test])


def test_the_folds_test_every_track_once_but_dance_music(dataset, dance_music):
    folds = cross_validation(dataset)
    tested = np.concatenate([fold.test for fold in folds])
    everything = set(range(len(dataset.tracks)))
    assert sorted(tested) == sorted(everything - dance_music)
    for fold in folds:
        assert set(fold.develop) | set(fold.test) == everything


def test_folds_have_similar_shares_of_the_classes(dataset):
    for fold in cross_validation(dataset):
        counts = np.bincount(dataset.label[fold.test] + 1, minlength=6)
        assert ((counts[1:] >= 1) & (counts[1:] <= 4)).all()


def test_folds_are_reproducible(dataset):
    pairs = zip(cross_validation(dataset), cross_validation(dataset), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one.test, other.test)


def test_dance_music_is_for_training_only(dataset, all_splits, dance_music):
    assert dance_music
    for split in all_splits:
        assert dance_music <= set(split.develop)
        assert not dance_music & set(split.test)
        for fold in member_folds(dataset, split.develop, N_FOLDS, 0):
            assert dance_music <= set(fold.train)
            assert not dance_music & set(fold.valid)


def test_the_fixed_split_is_that_of_the_corpus(dataset):
    fixed = fixed_split(dataset)
    assert fixed.name == "fixed"
    assert {dataset.tracks[i].subset for i in fixed.test} == {"test"}
    assert {dataset.tracks[i].subset for i in fixed.develop} == {"train", "valid"}


def test_member_folds_validate_on_every_eligible_track_once(dataset, all_splits, dance_music):
    for split in all_splits:
        folds = list(member_folds(dataset, split.develop, N_FOLDS, 0))
        assert len(folds) == N_FOLDS
        validated = np.concatenate([fold.valid for fold in folds])
        assert sorted(validated) == sorted(set(split.develop) - dance_music)
        for fold in folds:
            assert sorted([*fold.train, *fold.valid]) == sorted(split.develop)
            assert not set(dataset.groups[fold.train]) & set(dataset.groups[fold.valid])


def test_groups_of_a_left_out_source_are_not_trained_on(dataset):
    found = {split.name: split for split in leave_one_source_out(dataset)}
    assert set(found) == {"without-north", "without-south"}
    for name, split in found.items():
        source = name.removeprefix("without-")
        assert {dataset.tracks[i].source for i in split.test} == {source}
        trained = {dataset.tracks[i].id for i in split.develop}
        assert not trained & {"house-4", "house-5"}  # one group, in both sources


def test_a_small_source_is_not_left_out(dataset, monkeypatch):
    monkeypatch.setattr(splits, "MIN_SOURCE_TRACKS", 16)
    assert leave_one_source_out(dataset) == []


def small_dataset(n_groups, n_genres):
    """One recording per group, and no synthetic track."""
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
def test_too_few_groups_are_an_error_with_a_remedy(n_groups, n_genres):
    with pytest.raises(CorpusError, match=f"{n_groups} albums or artists cannot be .* add more"):
        cross_validation(small_dataset(n_groups, n_genres))


def test_a_rare_genre_can_be_divided():
    folds = cross_validation(small_dataset(12, 2))
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(12))


def test_a_source_fold_is_validated_on_its_source_and_trained_without_it(dataset):
    develop = fixed_split(dataset).develop
    folds = dict(source_folds(dataset, develop))
    assert set(folds) == {"north", "south"}
    sources = np.array([track.source for track in dataset.tracks])
    for source, fold in folds.items():
        assert set(fold.valid) | set(fold.train) <= set(develop)
        assert set(sources[fold.valid]) == {source}
        assert source not in sources[fold.train]
        assert not set(dataset.groups[fold.valid]) & set(dataset.groups[fold.train])
