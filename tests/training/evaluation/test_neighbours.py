from dataclasses import replace

import numpy as np
import pytest

from training.data.synthetic import SYNTHETIC
from training.evaluation import neighbours as module
from training.evaluation.neighbours import (
    chance,
    embeddings,
    fidelity,
    measure_neighbours,
    mfcc_means,
    shares,
)

LABEL = np.array([0, 0, 0, 1, 1, 1])
GROUP = np.array([0, 0, 1, 2, 3, 3])


def circle(*degrees):
    """Unit vectors in the plane."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_neighbours_of_the_same_artist_do_not_count_for_genre(monkeypatch):
    monkeypatch.setattr(module, "NEIGHBOURS", 2)
    nearest, genre, artist = shares(circle(0, 1, 40, 60, 90, 91), LABEL, GROUP)
    assert nearest == pytest.approx(4 / 6)  # 40 and 60 are nearest to each other
    assert genre == pytest.approx(0.5)  # of the two nearest of each, one is of the other genre
    assert artist == pytest.approx(0.5)  # one of two, of the four that have another


def test_the_nearest_may_be_far_away():
    """With fewer recordings than neighbours, all that there are count."""
    nearest, genre, artist = shares(circle(0, 120, 180), np.array([0, 0, 1]), np.arange(3))
    assert nearest == pytest.approx(1 / 3)
    assert genre == pytest.approx(1 / 3)
    assert artist is None


def test_vectors_at_random_have_the_shares_of_chance():
    rng = np.random.default_rng(0)
    label, group = rng.integers(0, 3, 600), rng.integers(0, 200, 600)
    vectors = rng.normal(size=(600, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found, expected = shares(vectors, label, group), chance(label, group)
    np.testing.assert_allclose(found[1:], expected[1:], atol=0.02)
    assert found[0] == pytest.approx(expected[0], abs=0.06)


def test_the_embedding_is_measured_beside_mfccs_and_chance(dataset, cache):
    rows = measure_neighbours(dataset, cache)
    assert [(row.vectors, row.recordings) for row in rows] == [
        (vectors, recordings)
        for recordings in ("all", "test")
        for vectors in ("embedding", "MFCC means", "chance")
    ]
    labelled = [t for t in dataset.tracks if t.genre and t.source != SYNTHETIC]
    test = [track for track in labelled if track.subset == "test"]
    assert [row.clips for row in rows] == [len(labelled)] * 3 + [len(test)] * 3
    for ours, _, random in (rows[:3], rows[3:]):
        assert ours.nearest_genre > random.nearest_genre  # a loud band tells the genre
    assert rows[0].genre_precision > rows[2].genre_precision
    assert rows[0].artist_precision is not None  # two groups have two tracks of a genre
    assert rows[3].clips == 6


def test_vectors_of_tracks_have_unit_length(dataset, cache):
    tracks = np.flatnonzero(dataset.is_genre & ~dataset.synthetic)
    for vectors in (embeddings(dataset, cache, tracks), mfcc_means(dataset, tracks)):
        assert len(vectors) == len(tracks)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)


def test_the_embedding_of_a_track_is_the_mean_of_its_windows(dataset, cache):
    tracks = np.flatnonzero(dataset.is_genre & ~dataset.synthetic)[3:5]
    rows = dataset.rows("raw", tracks[1:])
    windows = cache.student.projection(cache.features(rows).numpy())
    mean = windows.mean(axis=0)
    np.testing.assert_allclose(
        embeddings(dataset, cache, tracks)[1], mean / np.linalg.norm(mean), atol=1e-6
    )


def test_a_student_of_an_earlier_version_has_no_figures(dataset, cache, monkeypatch):
    earlier = replace(cache.student, taught={}, projection=None)
    monkeypatch.setattr(cache, "student", earlier)
    assert measure_neighbours(dataset, cache) == []
    assert fidelity(earlier) == []


def test_the_fidelity_is_that_of_the_student(cache):
    rows = fidelity(cache.student)
    assert [row.feature for row in rows] == list(cache.student.taught)
    for row, scale in zip(rows, cache.student.taught.values(), strict=True):
        assert row.clips == scale.clips
        assert row.spearman == pytest.approx(scale.spearman, abs=1e-4)
        assert row.absolute_error == pytest.approx(scale.absolute_error, abs=1e-4)
