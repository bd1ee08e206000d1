import pickle

import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from training.data.takes import TAKES
from training.fit import feature_cache as module
from training.fit.feature_cache import INPUTS_FILE, FeatureCache
from training.fit.student_file import load_student
from training.models.statistics import statistics


def test_the_first_entries_are_the_rows(cache, dataset, student):
    n_rows = len(dataset.track_of)
    np.testing.assert_array_equal(cache.row_of[:n_rows], np.arange(n_rows))
    rows = np.array([0, 100, n_rows - 1])
    network = load_student(student).network
    with torch.no_grad():
        expected = network.features(torch.from_numpy(dataset.spectrograms(rows)))
    torch.testing.assert_close(cache.features(rows), expected, rtol=1e-2, atol=1e-2)
    described = statistics(torch.from_numpy(dataset.spectrograms(rows)))
    torch.testing.assert_close(
        cache.inputs(rows), torch.cat([expected, described], dim=1), rtol=1e-2, atol=3e-2
    )


def test_the_other_entries_are_augmented_copies_of_training_rows(cache, dataset):
    n_rows = len(dataset.track_of)
    copied = cache.row_of[n_rows:]
    assert set(copied) == set(np.flatnonzero(dataset.take_of != TAKES.index("raw")))
    assert np.isfinite(cache.values).all()
    differ = np.abs(cache.values[n_rows:] - cache.values[copied]).max(axis=1)
    assert np.mean(differ > 0.01) > 0.95  # a few are not augmented


def test_the_raw_take_is_not_for_training(cache, dataset):
    entries = cache.train_entries(np.array([2, 5]))
    assert set(cache.track_of[entries]) == {2, 5}
    assert TAKES.index("raw") not in dataset.take_of[cache.row_of[entries]]
    assert len(entries) == 2 * 2 * 2 * 2  # tracks, takes, windows, each with a copy


def test_emotions_are_true_values_or_those_of_the_student(cache, dataset):
    place = EMOTIONS.index("energy")
    true = ~np.isnan(dataset.emotion[:, place])
    np.testing.assert_array_equal(cache.emotion[true, place], dataset.emotion[true, place])
    heard = dataset.is_music & ~dataset.synthetic & ~true
    low, high = np.nanmin(dataset.emotion[:, place]), np.nanmax(dataset.emotion[:, place])
    assert ((cache.emotion[heard, place] >= low) & (cache.emotion[heard, place] <= high)).all()
    assert np.isnan(cache.emotion[dataset.synthetic]).all()
    np.testing.assert_array_equal(cache.is_true[:, place], true)


@pytest.fixture
def computed(monkeypatch):
    """Counts the rows whose features are computed."""
    sizes = []

    def compute(dataset, student, row_of, folder, jobs):
        sizes.append(len(row_of))
        return original(dataset, student, row_of, folder, jobs)

    original = module._compute
    monkeypatch.setattr(module, "_compute", compute)
    return sizes


def test_features_are_computed_once(dataset, student, tmp_path, computed):
    first = FeatureCache(dataset, student, 0, tmp_path)
    assert computed == [len(first.values)]
    again = FeatureCache(dataset, student, 0, tmp_path)
    assert len(computed) == 1
    np.testing.assert_array_equal(again.values, first.values)


def test_features_are_reproducible(cache, runs):
    np.testing.assert_array_equal(np.load(runs / INPUTS_FILE), cache.values)


def test_other_rows_or_copies_are_computed_again(dataset, student, tmp_path, computed, monkeypatch):
    FeatureCache(dataset, student, 0, tmp_path)
    FeatureCache(dataset, student, 1, tmp_path)
    assert len(computed) == 2
    monkeypatch.setattr(dataset, "rows_digest", "another")
    FeatureCache(dataset, student, 1, tmp_path)
    assert len(computed) == 3


def test_an_interrupted_computation_starts_again(dataset, student, tmp_path, computed, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "simulate_phone", interrupt)
        with pytest.raises(KeyboardInterrupt):
            FeatureCache(dataset, student, 1, tmp_path)
    assert (tmp_path / INPUTS_FILE).exists()
    FeatureCache(dataset, student, 1, tmp_path)
    assert len(computed) == 2


def test_a_pickled_cache_contains_no_features(cache):
    pickled = pickle.dumps(cache)
    assert len(pickled) < 2_000
    np.testing.assert_array_equal(pickle.loads(pickled).values, cache.values)
