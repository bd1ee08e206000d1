import pickle

import numpy as np
import pytest

from service.card import EMOTIONS
from tests.training.conftest import made_up_tracks, write
from training import prepared as prepared_module
from training.made import MADE, NOT_MUSIC
from training.prepare import TAKES
from training.prepared import Prepared


def place(prepared, name):
    return next(i for i, track in enumerate(prepared.tracks) if track.id == name)


def test_rows_of_the_takes_are_all_rows_once(prepared):
    rows = np.concatenate([prepared.rows(take) for take in TAKES])
    assert sorted(rows) == list(range(len(prepared.track_of)))


def test_rows_of_some_tracks_are_theirs(prepared):
    tracks = np.array([3, 7])
    rows = prepared.rows("phone", tracks)
    assert prepared.track_of[rows].tolist() == [3, 3, 7, 7]
    assert set(prepared.take_of[rows]) == {TAKES.index("phone")}


def test_labels_go_with_their_tracks(prepared):
    track = place(prepared, "metal-1")
    assert prepared.classes[prepared.label[track]] == "metal"
    energy = EMOTIONS.index("energy")
    assert prepared.emotion[track, energy] == np.float32(0.7)
    assert prepared.origins[prepared.origin[track, energy]] == "words"
    assert prepared.reference[track, energy] == np.float32(2 / 3)
    assert np.isnan(prepared.emotion[track, EMOTIONS.index("valence")])


def test_classes_are_genres_then_other_music_then_no_music(prepared):
    assert prepared.genres == ["house", "jazz", "metal"]
    assert prepared.classes == ["house", "jazz", "metal", "other", NOT_MUSIC]
    assert prepared.label[place(prepared, "unlabelled")] == -1
    assert prepared.label[place(prepared, "folk-2")] == 3
    assert prepared.is_genre.sum() == 34
    assert (~prepared.is_music).sum() == 10


def test_a_large_kind_of_other_music_is_a_class_of_its_own(prepared, monkeypatch):
    monkeypatch.setattr(prepared_module, "FEWEST_OTHER", 5)
    again = Prepared(prepared.folder)
    assert again.classes == ["house", "jazz", "metal", "folk", "polka", NOT_MUSIC]
    assert again.classes[again.label[place(again, "polka-0")]] == "polka"


def test_what_is_made_is_known(prepared):
    assert prepared.made.tolist() == [track.id.startswith(MADE) for track in prepared.tracks]


def test_spectrograms_come_in_the_order_asked_for(prepared):
    rows = np.array([5, 0, 5])
    spectrograms = prepared.spectrograms(rows)
    assert spectrograms.dtype == np.float32
    np.testing.assert_array_equal(spectrograms[0], spectrograms[2])
    np.testing.assert_array_equal(spectrograms[1], prepared.spectrograms(rows[1:2])[0])


def test_the_digest_follows_labels_and_rows_and_not_the_place(prepared, tmp_path):
    digests = []
    for name, tracks in (
        ("same", list(made_up_tracks(tmp_path))),
        ("fewer", list(made_up_tracks(tmp_path))[:-1]),
    ):
        (tmp_path / name).mkdir()
        write(tmp_path / name, tracks, np.random.default_rng(1))
        digests.append(Prepared(tmp_path / name).digest)
    assert digests[0] == prepared.digest != digests[1]


def test_it_goes_to_another_process_without_its_spectrograms(prepared):
    pickled = pickle.dumps(prepared)
    assert len(pickled) < 1_000
    assert pickle.loads(pickled).digest == prepared.digest


def test_a_folder_that_was_not_prepared_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="prepare it"):
        Prepared(tmp_path)


def test_an_emotion_whose_labels_are_all_the_same_is_not_learnt(prepared, monkeypatch):
    assert prepared.learnt == [1, 2]
    monkeypatch.setattr(prepared, "emotion", np.full_like(prepared.emotion, 0.5))
    assert prepared.learnt == []


def test_networks_learn_from_all_rows_but_those_as_heard(prepared):
    tracks = np.array([0, 3])
    rows = prepared.training_rows(tracks)
    assert set(prepared.track_of[rows]) == {0, 3}
    assert {TAKES[take] for take in prepared.take_of[rows]} == set(TAKES) - {"heard"}
