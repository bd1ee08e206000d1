import pickle

import numpy as np
import pytest

from service.card import EMOTIONS
from tests.training.conftest import made_up_tracks, write
from training.data import dataset as prepared_module
from training.data.dataset import Dataset
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.data.takes import TAKES


def place(dataset, name):
    return next(i for i, track in enumerate(dataset.tracks) if track.id == name)


def test_rows_of_the_takes_are_all_rows_once(dataset):
    rows = np.concatenate([dataset.rows(take) for take in TAKES])
    assert sorted(rows) == list(range(len(dataset.track_of)))


def test_rows_of_some_tracks_are_theirs(dataset):
    tracks = np.array([3, 7])
    rows = dataset.rows("phone", tracks)
    assert dataset.track_of[rows].tolist() == [3, 3, 7, 7]
    assert set(dataset.take_of[rows]) == {TAKES.index("phone")}


def test_labels_go_with_their_tracks(dataset):
    track = place(dataset, "metal-1")
    assert dataset.classes[dataset.label[track]] == "metal"
    energy = EMOTIONS.index("energy")
    assert dataset.emotion[track, energy] == np.float32(0.7)
    assert dataset.origins[dataset.origin[track, energy]] == "words"
    assert dataset.reference[track, energy] == np.float32(2 / 3)
    assert np.isnan(dataset.emotion[track, EMOTIONS.index("valence")])


def test_classes_are_genres_then_other_music_then_no_music(dataset):
    assert dataset.genres == ["house", "jazz", "metal"]
    assert dataset.classes == ["house", "jazz", "metal", "other", NOT_MUSIC]
    assert dataset.label[place(dataset, "unlabelled")] == -1
    assert dataset.label[place(dataset, "folk-2")] == 3
    assert dataset.is_genre.sum() == 34
    assert (~dataset.is_music).sum() == 10


def test_a_large_kind_of_other_music_is_a_class_of_its_own(dataset, monkeypatch):
    monkeypatch.setattr(prepared_module, "FEWEST_OTHER", 5)
    again = Dataset(dataset.folder)
    assert again.classes == ["house", "jazz", "metal", "folk", "polka", NOT_MUSIC]
    assert again.classes[again.label[place(again, "polka-0")]] == "polka"


def test_what_is_made_is_known(dataset):
    assert dataset.synthetic.tolist() == [
        track.id.startswith(SYNTHETIC) for track in dataset.tracks
    ]


def test_spectrograms_come_in_the_order_asked_for(dataset):
    rows = np.array([5, 0, 5])
    spectrograms = dataset.spectrograms(rows)
    assert spectrograms.dtype == np.float32
    np.testing.assert_array_equal(spectrograms[0], spectrograms[2])
    np.testing.assert_array_equal(spectrograms[1], dataset.spectrograms(rows[1:2])[0])


def test_the_digest_follows_labels_and_rows_and_not_the_place(dataset, tmp_path):
    digests = []
    for name, tracks in (
        ("same", list(made_up_tracks(tmp_path))),
        ("fewer", list(made_up_tracks(tmp_path))[:-1]),
    ):
        (tmp_path / name).mkdir()
        write(tmp_path / name, tracks, np.random.default_rng(1))
        digests.append(Dataset(tmp_path / name).digest)
    assert digests[0] == dataset.digest != digests[1]


def test_it_goes_to_another_process_without_its_spectrograms(dataset):
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 1_000
    assert pickle.loads(pickled).digest == dataset.digest


def test_a_folder_that_was_not_prepared_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="prepare it"):
        Dataset(tmp_path)


def test_an_emotion_whose_labels_are_all_the_same_is_not_learnt(dataset, monkeypatch):
    assert dataset.learned == [1, 2]
    monkeypatch.setattr(dataset, "emotion", np.full_like(dataset.emotion, 0.5))
    assert dataset.learned == []


def test_networks_learn_from_all_rows_but_those_as_heard(dataset):
    tracks = np.array([0, 3])
    rows = dataset.train_rows(tracks)
    assert set(dataset.track_of[rows]) == {0, 3}
    assert {TAKES[take] for take in dataset.take_of[rows]} == set(TAKES) - {"heard"}
