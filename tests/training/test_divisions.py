from types import SimpleNamespace

import numpy as np
import pytest

from training import divisions
from training.corpus import CorpusError
from training.made import NOT_MUSIC

N_PARTS = 3


def all_divisions(prepared):
    fixed, folds = divisions.fixed(prepared), divisions.folds(prepared)
    return [fixed, *folds, *divisions.left_out_sources(prepared)]


def synthesised(prepared):
    return {i for i, t in enumerate(prepared.tracks) if t.genre and t.source == "made"}


def test_no_group_is_on_two_sides(prepared):
    for division in all_divisions(prepared):
        assert not set(prepared.groups[division.learn]) & set(prepared.groups[division.test])


def test_every_recording_and_sound_is_tested_in_one_fold(prepared):
    tested = np.concatenate([fold.test for fold in divisions.folds(prepared)])
    everything = set(range(len(prepared.tracks)))
    assert sorted(tested) == sorted(everything - synthesised(prepared))
    for fold in divisions.folds(prepared):
        assert set(fold.learn) | set(fold.test) == everything


def test_folds_have_the_same_shares_of_the_classes(prepared):
    for fold in divisions.folds(prepared):
        counts = np.bincount(prepared.label[fold.test] + 1, minlength=6)
        assert ((counts[1:] >= 1) & (counts[1:] <= 4)).all()


def test_folds_are_the_same_every_time(prepared):
    again = divisions.folds(prepared)
    for one, other in zip(divisions.folds(prepared), again, strict=True):
        np.testing.assert_array_equal(one.test, other.test)


def test_synthesised_music_trains_and_never_measures(prepared):
    made = synthesised(prepared)
    for division in all_divisions(prepared):
        assert made <= set(division.learn)
        assert not made & set(division.test)
        for part in divisions.parts(prepared, division.learn, N_PARTS, 0):
            assert made <= set(part.train)
            assert not made & set(part.valid)


def test_the_fixed_division_is_that_of_the_corpus(prepared):
    fixed = divisions.fixed(prepared)
    assert fixed.name == "fixed"
    assert {prepared.tracks[i].split for i in fixed.test} == {"test"}
    assert {prepared.tracks[i].split for i in fixed.learn} == {"train", "valid"}


def test_parts_validate_on_all_that_is_learnt_from_each_once(prepared):
    for division in all_divisions(prepared):
        parts = list(divisions.parts(prepared, division.learn, N_PARTS, 0))
        assert len(parts) == N_PARTS
        validated = np.concatenate([part.valid for part in parts])
        assert sorted(validated) == sorted(set(division.learn) - synthesised(prepared))
        for part in parts:
            assert sorted([*part.train, *part.valid]) == sorted(division.learn)
            assert not set(prepared.groups[part.train]) & set(prepared.groups[part.valid])


def test_a_left_out_source_takes_its_groups_with_it(prepared):
    found = {division.name: division for division in divisions.left_out_sources(prepared)}
    assert set(found) == {"without-north", "without-south"}
    for name, division in found.items():
        source = name.removeprefix("without-")
        assert {prepared.tracks[i].source for i in division.test} == {source}
        learnt = {prepared.tracks[i].id for i in division.learn}
        assert not learnt & {"house-4", "house-5"}  # one group, in both sources


def test_a_small_source_is_not_left_out(prepared, monkeypatch):
    monkeypatch.setattr(divisions, "FEWEST_OF_A_SOURCE", 16)
    assert divisions.left_out_sources(prepared) == []


def few(n_groups, n_genres):
    """A corpus of one recording a group, without anything made."""
    label = np.arange(n_groups) % n_genres
    return SimpleNamespace(
        tracks=[SimpleNamespace(split="train", source="", other=None)] * n_groups,
        label=label,
        groups=np.arange(n_groups).astype(str),
        made=np.zeros(n_groups, bool),
        is_music=np.ones(n_groups, bool),
        is_genre=np.ones(n_groups, bool),
        classes=["a", "b", NOT_MUSIC],
    )


@pytest.mark.parametrize(("n_groups", "n_genres"), [(4, 2), (8, 4), (0, 2)])
def test_too_few_groups_are_refused_with_what_to_do(n_groups, n_genres):
    with pytest.raises(CorpusError, match=f"{n_groups} albums or artists cannot be .* add more"):
        divisions.folds(few(n_groups, n_genres))


def test_a_rare_genre_does_not_stop_a_division():
    parts = divisions.folds(few(12, 2))
    assert sorted(np.concatenate([part.test for part in parts])) == list(range(12))
