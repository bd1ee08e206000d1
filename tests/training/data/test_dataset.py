import pickle

import numpy as np
import pytest

from service.card import EMOTIONS
from tests.training.conftest import example_tracks, write_dataset
from training.data import dataset as module
from training.data.corpus import corpus_digest
from training.data.dataset import Dataset
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.data.takes import TAKES


def place(dataset, name):
    return next(i for i, track in enumerate(dataset.tracks) if track.id == name)


def test_every_row_belongs_to_one_take(dataset):
    rows = np.concatenate([dataset.rows(take) for take in TAKES])
    assert sorted(rows) == list(range(len(dataset.track_of)))


def test_rows_of_some_tracks_are_theirs(dataset):
    tracks = np.array([3, 7])
    rows = dataset.rows("phone", tracks)
    assert dataset.track_of[rows].tolist() == [3, 3, 7, 7]
    assert set(dataset.take_of[rows]) == {TAKES.index("phone")}


def test_labels_belong_to_their_tracks(dataset):
    track = place(dataset, "metal-1")
    assert dataset.classes[dataset.label[track]] == "metal"
    energy = EMOTIONS.index("energy")
    assert dataset.emotion[track, energy] == np.float32(0.7)
    assert dataset.proxies["words"][track, energy] == np.float32(0.5)
    assert np.isnan(dataset.proxies["votes"][track, energy])
    assert np.isnan(dataset.emotion[track, EMOTIONS.index("valence")])


def test_classes_are_genres_other_music_and_not_music(dataset):
    assert dataset.genres == ["house", "jazz", "metal"]
    assert dataset.classes == ["house", "jazz", "metal", "other", NOT_MUSIC]
    assert dataset.label[place(dataset, "unlabelled")] == -1
    assert dataset.label[place(dataset, "folk-2")] == 3
    assert dataset.is_genre.sum() == 34
    assert (~dataset.is_music).sum() == 10


def test_a_frequent_kind_of_other_music_is_a_class(dataset, monkeypatch):
    monkeypatch.setattr(module, "MIN_OTHER_TRACKS", 5)
    again = Dataset(dataset.folder)
    assert again.classes == ["house", "jazz", "metal", "folk", "polka", NOT_MUSIC]
    assert again.classes[again.label[place(again, "polka-0")]] == "polka"


def test_synthetic_tracks_are_flagged(dataset):
    flags = [track.id.startswith(SYNTHETIC) for track in dataset.tracks]
    assert dataset.synthetic.tolist() == flags


def test_spectrograms_have_the_order_of_the_rows(dataset):
    rows = np.array([5, 0, 5])
    spectrograms = dataset.spectrograms(rows)
    assert spectrograms.dtype == np.float32
    np.testing.assert_array_equal(spectrograms[0], spectrograms[2])
    np.testing.assert_array_equal(spectrograms[1], dataset.spectrograms(rows[1:2])[0])


def test_the_digest_depends_on_labels_rows_and_takes_but_not_on_the_folder(
    dataset, tmp_path, monkeypatch
):
    def digest(name, tracks):
        (tmp_path / name).mkdir()
        write_dataset(tmp_path / name, tracks, np.random.default_rng(1))
        return Dataset(tmp_path / name).digest

    tracks = list(example_tracks(tmp_path))
    assert digest("same", tracks) == dataset.digest
    assert digest("fewer", tracks[:-1]) != dataset.digest
    monkeypatch.setattr(module, "TAKES_VERSION", module.TAKES_VERSION + 1)
    assert digest("other takes", tracks) != dataset.digest


def test_the_digest_of_the_corpus_is_of_its_recordings(dataset):
    recordings = [track for track in dataset.tracks if track.source != SYNTHETIC]
    assert dataset.corpus_digest == corpus_digest(recordings)


def test_a_pickled_dataset_contains_no_spectrograms(dataset):
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 1_000
    assert pickle.loads(pickled).digest == dataset.digest


def test_a_folder_that_is_not_prepared_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="prepare it"):
        Dataset(tmp_path)


def test_networks_train_on_all_takes_but_raw(dataset):
    tracks = np.array([0, 3])
    rows = dataset.train_rows(tracks)
    assert set(dataset.track_of[rows]) == {0, 3}
    assert {TAKES[take] for take in dataset.take_of[rows]} == set(TAKES) - {"raw"}
