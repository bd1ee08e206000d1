import numpy as np
import pytest
import torch

from training.data.takes import TAKES
from training.fit.adapt import adapt, own_targets
from training.fit.distill import CHECKPOINT
from training.fit.student_file import load_student


@pytest.fixture(scope="module")
def trained(student):
    return load_student(student)


@pytest.fixture(scope="module")
def adapted(dataset, student, tmp_path_factory):
    return adapt(dataset, student, tmp_path_factory.mktemp("adapted"), epochs=1)


@torch.no_grad()
def outputs(trained, dataset, rows):
    return trained.network(torch.from_numpy(dataset.spectrograms(rows))).numpy()


def test_every_row_has_the_output_for_its_clean_window(dataset, trained):
    targets = own_targets(dataset, trained)
    np.testing.assert_array_equal(targets.rows, np.arange(len(dataset.track_of)))
    tracks = np.array([3, 7])
    expected = outputs(trained, dataset, dataset.rows("raw", tracks))
    for take in TAKES:
        np.testing.assert_allclose(
            targets.values[dataset.rows(take, tracks)], expected, rtol=1e-4, atol=1e-4
        )


def test_it_begins_with_the_weights_and_keeps_scales_and_projection(dataset, trained, adapted):
    found = load_student(adapted)
    rows = dataset.rows("raw")[::7]
    before, after = outputs(trained, dataset, rows), outputs(found, dataset, rows)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9
    assert not np.array_equal(before, after)
    assert found.scales == trained.scales
    assert found.kinds == trained.kinds
    np.testing.assert_array_equal(found.projection.components, trained.projection.components)


def test_a_complete_training_is_not_repeated(dataset, student, adapted):
    before = adapted.read_bytes()
    again = adapt(dataset, student, adapted.parent, epochs=1)
    assert torch.load(adapted.parent / CHECKPOINT, weights_only=True)["epoch"] == 1
    assert len(again.read_bytes()) == len(before)
    np.testing.assert_array_equal(
        load_student(again).network.to_targets.weight.detach(),
        load_student(adapted).network.to_targets.weight.detach(),
    )
