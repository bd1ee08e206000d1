import pickle

import numpy as np
import pytest
import torch

from training.data.takes import TAKES
from training.fit import descriptor_cache as described_module
from training.fit.descriptor_cache import DescriptorCache
from training.models.descriptors import Descriptors


@pytest.fixture(scope="module")
def described(dataset, tmp_path_factory):
    return DescriptorCache(dataset, 1, tmp_path_factory.mktemp("described"))


@pytest.fixture
def folder(described):
    return described._arguments[-1]


def test_the_first_entries_are_the_rows(described, dataset):
    n_rows = len(dataset.track_of)
    np.testing.assert_array_equal(described.row_of[:n_rows], np.arange(n_rows))
    rows = np.array([0, 100, n_rows - 1])
    expected = Descriptors()(torch.from_numpy(dataset.spectrograms(rows)))
    np.testing.assert_allclose(described.values[rows], expected, rtol=1e-3, atol=1e-3)


def test_the_rest_are_disturbed_copies_of_what_trains(described, dataset):
    n_rows = len(dataset.track_of)
    copied = described.row_of[n_rows:]
    assert set(copied) == set(np.flatnonzero(dataset.take_of != TAKES.index("heard")))
    assert np.isfinite(described.values).all()
    differ = np.abs(described.values[n_rows:] - described.values[copied]).max(axis=1)
    assert np.mean(differ > 0.1) > 0.95  # a few are spared every disturbance


def test_what_is_heard_never_trains(described, dataset):
    entries = described.entries_of(np.array([2, 5]))
    assert set(described.track_of[entries]) == {2, 5}
    takes = dataset.take_of[described.row_of[entries]]
    assert TAKES.index("heard") not in takes
    assert len(entries) == 2 * 2 * 2 * 2  # tracks, takes, windows, each with a copy


def count(monkeypatch):
    """Describe everything as nothing, and count how often."""
    calls = []

    def describe(dataset, row_of, n_rows, path):
        calls.append(1)
        np.save(path, np.zeros((len(row_of), 1), np.float32))

    monkeypatch.setattr(described_module, "_describe", describe)
    return calls


def test_it_is_made_once(described, dataset, folder, monkeypatch):
    calls = count(monkeypatch)
    again = DescriptorCache(dataset, 1, folder)
    assert calls == []
    np.testing.assert_array_equal(again.values, described.values)


def test_it_is_the_same_when_made_again(described, dataset, tmp_path):
    np.testing.assert_array_equal(DescriptorCache(dataset, 1, tmp_path).values, described.values)


def test_it_is_made_anew_for_other_rows_or_copies(dataset, tmp_path, monkeypatch):
    calls = count(monkeypatch)
    DescriptorCache(dataset, 0, tmp_path)
    assert len(DescriptorCache(dataset, 1, tmp_path).values) > len(dataset.track_of)
    with monkeypatch.context() as patch:
        patch.setattr(dataset, "digest", "of another folder")
        DescriptorCache(dataset, 1, tmp_path)
    DescriptorCache(dataset, 1, tmp_path)
    assert len(calls) == 4


def test_half_of_it_is_not_taken_for_all(dataset, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(described_module, "_describe", stop)
        with pytest.raises(KeyboardInterrupt):
            DescriptorCache(dataset, 0, tmp_path)
    calls = count(monkeypatch)
    DescriptorCache(dataset, 0, tmp_path)
    assert calls == [1]


def test_it_goes_to_another_process_by_its_name(described):
    pickled = pickle.dumps(described)
    assert len(pickled) < 2_000
    np.testing.assert_array_equal(pickle.loads(pickled).values, described.values)
