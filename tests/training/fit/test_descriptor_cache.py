import pickle

import numpy as np
import pytest
import torch

from training.data.takes import TAKES
from training.fit import descriptor_cache as module
from training.fit.descriptor_cache import DESCRIPTORS_FILE, DescriptorCache
from training.models.descriptors import Descriptors


def test_the_first_entries_are_the_rows(cache, dataset):
    n_rows = len(dataset.track_of)
    np.testing.assert_array_equal(cache.row_of[:n_rows], np.arange(n_rows))
    rows = np.array([0, 100, n_rows - 1])
    expected = Descriptors()(torch.from_numpy(dataset.spectrograms(rows)))
    np.testing.assert_allclose(cache.values[rows], expected, rtol=1e-3, atol=1e-3)


def test_the_other_entries_are_augmented_copies_of_training_rows(cache, dataset):
    n_rows = len(dataset.track_of)
    copied = cache.row_of[n_rows:]
    assert set(copied) == set(np.flatnonzero(dataset.take_of != TAKES.index("raw")))
    assert np.isfinite(cache.values).all()
    differ = np.abs(cache.values[n_rows:] - cache.values[copied]).max(axis=1)
    assert np.mean(differ > 0.1) > 0.95  # a few are not augmented


def test_the_raw_take_is_not_for_training(cache, dataset):
    entries = cache.train_entries(np.array([2, 5]))
    assert set(cache.track_of[entries]) == {2, 5}
    assert TAKES.index("raw") not in dataset.take_of[cache.row_of[entries]]
    assert len(entries) == 2 * 2 * 2 * 2  # tracks, takes, windows, each with a copy


@pytest.fixture
def computed(monkeypatch):
    """Replaces the network; counts the batches that it computes."""
    batches = []

    class Zeros(torch.nn.Module):
        def forward(self, windows):
            batches.append(len(windows))
            return torch.zeros(len(windows), module.count_descriptors())

    monkeypatch.setattr(module, "Descriptors", Zeros)
    return batches


def test_descriptors_are_computed_once(dataset, tmp_path, computed):
    first = DescriptorCache(dataset, 1, tmp_path)
    assert sum(computed) == len(first.values)
    again = DescriptorCache(dataset, 1, tmp_path)
    assert sum(computed) == len(first.values)
    np.testing.assert_array_equal(again.values, first.values)


def test_descriptors_are_reproducible(cache, runs):
    np.testing.assert_array_equal(np.load(runs / DESCRIPTORS_FILE), cache.values)


def test_other_rows_or_copies_are_computed_again(dataset, tmp_path, computed, monkeypatch):
    sizes = []
    for copies, digest in ((0, None), (1, None), (1, "another"), (1, None)):
        with monkeypatch.context() as patch:
            if digest:
                patch.setattr(dataset, "digest", digest)
            sizes.append(len(DescriptorCache(dataset, copies, tmp_path).values))
    assert sizes[0] < sizes[1] == sizes[2] == sizes[3]
    assert sum(computed) == sum(sizes)


def test_an_interrupted_computation_starts_again(dataset, tmp_path, computed, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "simulate_phone", interrupt)
        with pytest.raises(KeyboardInterrupt):
            DescriptorCache(dataset, 1, tmp_path)
    assert (tmp_path / DESCRIPTORS_FILE).exists()
    computed.clear()
    assert len(DescriptorCache(dataset, 1, tmp_path).values) == sum(computed)


def test_a_pickled_cache_contains_no_descriptors(cache):
    pickled = pickle.dumps(cache)
    assert len(pickled) < 2_000
    np.testing.assert_array_equal(pickle.loads(pickled).values, cache.values)
