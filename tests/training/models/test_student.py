import pytest
import torch

from service import audio
from training.models.student import MIN_FRAMES, Student


@pytest.fixture
def student():
    torch.manual_seed(0)
    return Student(width=2, n_features=12, n_targets=5).eval()


def spectrograms(n_frames):
    return -audio.SPAN_DB * torch.rand(3, audio.N_MELS, n_frames)


@pytest.mark.parametrize("n_frames", [MIN_FRAMES, 300, audio.N_FRAMES])
def test_windows_of_any_length_have_features_and_targets(student, n_frames):
    log_mel = spectrograms(n_frames)
    assert student.features(log_mel).shape == (3, 12)
    assert student(log_mel).shape == (3, 5)


def test_a_window_does_not_depend_on_its_batch(student):
    log_mel = spectrograms(64)
    torch.testing.assert_close(student(log_mel)[:1], student(log_mel[:1]), rtol=1e-4, atol=1e-5)


def test_every_weight_learns(student):
    student.train()
    student(spectrograms(64)).square().mean().backward()
    assert all(weight.grad is not None for weight in student.parameters())


def test_dropout_is_for_training_only():
    student, log_mel = Student(2, 12, 5, dropout=0.5).eval(), spectrograms(64)
    torch.testing.assert_close(student(log_mel), student(log_mel))
    student.train()
    assert not torch.equal(student(log_mel), student(log_mel))
