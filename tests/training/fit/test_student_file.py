from dataclasses import replace

import numpy as np
import pytest
import torch

from service.card import MAX_DIMENSIONS, TAUGHT
from training.fit.student_file import SHIPPED, StudentError, load_student, save_student


def test_a_saved_student_has_the_same_outputs(student, tmp_path):
    one = load_student(student)
    save_student(one, tmp_path / "again.pt")
    other = load_student(tmp_path / "again.pt")
    log_mel = -80 * torch.rand(2, 128, 64)
    with torch.no_grad():
        torch.testing.assert_close(one.network(log_mel), other.network(log_mel), rtol=0, atol=0)
    assert (one.kinds, one.scales, one.config) == (other.kinds, other.scales, other.config)
    assert one.taught == other.taught
    for values, again in zip(
        vars(one.projection).values(), vars(other.projection).values(), strict=True
    ):
        np.testing.assert_array_equal(values, again)
    assert not other.network.training


def test_a_file_of_an_earlier_version_has_neither_features_nor_embedding(student, tmp_path):
    """It has no such entries at all."""
    path = tmp_path / "earlier.pt"
    save_student(replace(load_student(student), taught={}, projection=None), path)
    content = torch.load(path, weights_only=True)
    del content["taught"]
    torch.save(content, path)
    earlier = load_student(path)
    assert (earlier.taught, earlier.projection) == ({}, None)
    assert set(earlier.scales) == {"energy"}


@pytest.mark.parametrize("content", [b"not a student", b""])
def test_another_file_is_an_error(tmp_path, content):
    (tmp_path / "student.pt").write_bytes(content)
    with pytest.raises(StudentError, match="is not the file of a student"):
        load_student(tmp_path / "student.pt")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_student(tmp_path / "student.pt")


def test_the_shipped_student_is_small_and_knows_every_emotion():
    assert SHIPPED.stat().st_size < 12e6
    trained = load_student(SHIPPED)
    assert set(trained.scales) == {"valence", "energy", "danceability"}


def test_the_shipped_student_has_audio_features_and_an_embedding():
    trained = load_student(SHIPPED)
    assert tuple(trained.taught) == TAUGHT
    assert trained.projection.components.shape == (trained.config.features, MAX_DIMENSIONS)
    for scale in (*trained.scales.values(), *trained.taught.values()):
        assert (np.diff(scale.scores) > 0).all()
        assert scale.values == sorted(scale.values)
        assert 0 <= scale.values[0] < scale.values[-1] <= 1
