from dataclasses import replace

import numpy as np
import pytest

from training.studies.compare import labels
from training.studies.compare.labels import FOLDS, PUNK
from training.studies.compare.sample import FAST, FULL, UNKNOWN, TooFewError
from training.studies.compare.store import save


def names(found):
    return ["" if label == UNKNOWN else found.classes[label] for label in found.label]


def give(store, feature, values):
    for place, value in values.items():
        save(store.path(feature, place), np.array([value], np.float32))


def test_genres_are_those_of_the_corpus(clips, store):
    found = labels.genres(clips, store, FAST)
    assert names(found) == [clip.genre for clip in clips]
    assert found.classes == ("house", "jazz", "pop-punk")


def test_too_few_of_a_class_are_an_error_with_counts(clips, store):
    with pytest.raises(TooFewError, match="of house: 3 in train, 1 in valid, 1 in test"):
        labels.genres(clips, store, FULL)


def test_genres_are_merged_and_rare_ones_left_out(clips, store):
    found = labels.merged(clips, store, FAST)
    assert set(found.classes) == {"electronic", "jazz", "rock", "folk", "pop"}
    two = replace(FAST, fewest={"train": 1, "valid": 2, "test": 1})
    assert set(labels.merged(clips, store, two).classes) == {"jazz", "rock"}


def test_a_song_with_two_dominant_feelings_has_no_label(clips, store):
    shared = [replace(clip, votes=dict.fromkeys(clip.votes, 0.2)) for clip in clips]
    assert set(names(labels.dominant_feelings(clips, store, FAST))) == {"", "calmness", "power"}
    with pytest.raises(TooFewError, match=f"{FOLDS} songs"):
        labels.dominant_feelings(shared, store, FAST)


def test_clusters_are_fitted_to_train(clips, store):
    place_of = {"jazz": 0.0, "pop-punk": 5.0, "house": 10.0}
    concerned = {i: clip for i, clip in enumerate(clips) if clip.genre}
    give(store, "attributes", {i: [place_of[clip.genre]] for i, clip in concerned.items()})
    found = labels.clusters(clips, store, FAST)
    pairs = {(clip.genre, name) for clip, name in zip(clips, names(found), strict=True)}
    assert len(pairs) == 4  # of each genre one kind, and of what has no genre none
    assert len(found.classes) == 3


def test_subgenres_are_of_one_genre(clips, store):
    found = labels.subgenres("pop-punk", PUNK, clips, store, FAST)
    assert found.classes == tuple(sorted(PUNK.values()))
    assert {clip.genre for clip, name in zip(clips, names(found), strict=True) if name} == {
        "pop-punk"
    }


def test_a_missing_subgenre_is_an_error(clips, store):
    unsaid = [replace(clip, subgenre="") for clip in clips]
    with pytest.raises(TooFewError, match="no recording is labelled hardcore"):
        labels.subgenres("pop-punk", PUNK, unsaid, store, FAST)


def test_emotions_are_the_values_of_spotify(clips, store):
    found = labels.emotions(clips, store, FAST)
    assert found.scales == ("valence", "energy", "danceability")
    rated = np.flatnonzero(~np.isnan(found.scores).any(axis=1)).tolist()
    assert rated == [i for i, clip in enumerate(clips) if clip.emotion]
    assert found.scores[rated[0]].tolist() == pytest.approx(list(clips[rated[0]].emotion.values()))


def test_a_scale_with_too_few_values_is_an_error(clips, store):
    unrated = [
        replace(clip, emotion={"valence": 0.5, "energy": 0.5}) if clip.subset == "test" else clip
        for clip in clips
    ]
    with pytest.raises(TooFewError, match="too few recordings have a danceability"):
        labels.emotions(unrated, store, FAST)
