from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from training.data.takes import TAKES
from training.evaluation.held_out import HeldOut
from training.fit.predict import Predictions, Uncalibrated, by_clip, by_window, concatenate, predict

N_GENRES, N_CLASSES = 3, 5


@pytest.fixture
def predicted():
    """Two windows of the first track, one of the second, and one phone window of the first."""
    rng = np.random.default_rng(0)
    emotion = rng.uniform(size=(4, 3))
    return Uncalibrated(np.arange(4), rng.normal(size=(4, N_CLASSES)), emotion)


@pytest.fixture
def dataset_of_two():
    return SimpleNamespace(
        genres=["a", "b", "c"],
        track_of=np.array([0, 0, 1, 0]),
        take_of=np.array([TAKES.index(take) for take in ("raw", "raw", "raw", "phone")]),
    )


def test_clips_are_means_over_their_windows(predicted, dataset_of_two):
    clips = by_clip(by_window(dataset_of_two, predicted, 1.0))
    assert clips.track.tolist() == [0, 0, 1]
    assert clips.phone.tolist() == [False, True, False]
    genres = softmax(predicted.classes[:, :N_GENRES], axis=1)
    np.testing.assert_allclose(clips.genres, [genres[:2].mean(0), genres[3], genres[2]])
    music = softmax(predicted.classes, axis=1)[:, :-1].sum(1)
    np.testing.assert_allclose(clips.music, [music[:2].mean(), music[3], music[2]])
    np.testing.assert_allclose(clips.emotion[0], predicted.emotion[:2].mean(0))
    np.testing.assert_allclose(clips.emotion[1], predicted.emotion[3])


def test_dataclasses_are_concatenated_field_by_field(predicted):
    joined = concatenate([predicted, predicted])
    assert isinstance(joined, Uncalibrated)
    assert joined.rows.tolist() == [0, 1, 2, 3] * 2
    np.testing.assert_array_equal(joined.classes[4:], predicted.classes)


def test_nested_dataclasses_are_concatenated(predicted, dataset_of_two):
    windows = by_window(dataset_of_two, predicted, 1.0)
    clips = by_clip(windows)
    part = HeldOut(windows, clips, np.zeros(3, int), np.ones((3, 3), bool))
    joined = concatenate([part, part])
    assert isinstance(joined.clips, Predictions)
    assert len(joined.clips.track) == len(joined.verdicts) == 6
    assert len(joined.windows.track) == 8


def test_predictions_of_a_network_do_not_depend_on_other_tracks(dataset, cache, network):
    tracks = np.array([2, 5])
    both = predict(dataset, cache, network, tracks)
    alone = predict(dataset, cache, network, tracks[1:])
    chosen = dataset.track_of[both.rows] == 5
    np.testing.assert_allclose(both.classes[chosen], alone.classes, atol=1e-5)
    assert {TAKES[take] for take in dataset.take_of[both.rows]} == {"raw", "phone"}
