import pytest
import torch

from service import audio
from training.models.base import OutputShape
from training.models.cnn import DOWNSAMPLING, Cnn

SHAPE = OutputShape(n_classes=5, n_origins=2)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = Cnn(SHAPE, 2)
    network.scale.fill_(20.0)
    return network.eval()


def windows(n_frames, n=2):
    return -80 * torch.rand(n, audio.N_MELS, n_frames, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n_frames", [DOWNSAMPLING, 200, audio.N_FRAMES])
def test_windows_of_any_length_have_logits(network, n_frames):
    classes, emotion = network(windows(n_frames))
    assert (classes.shape, emotion.shape) == ((2, 5), (2, 3))
    assert torch.isfinite(classes).all()


def test_windows_of_a_batch_are_independent(network):
    both = windows(100)
    torch.testing.assert_close(network(both)[0][:1], network(both[:1])[0])


def test_levels_are_relative_to_the_mean_of_training(network):
    before = network(windows(100))[0]
    network.mean.fill_(10.0)
    torch.testing.assert_close(network(windows(100) + 10)[0], before)


def test_pooling_is_less_sensitive_to_time_than_to_frequency(network):
    """A shift in time by a whole step of the last feature maps is pooled to nearly the same."""
    low, late, high = (torch.full((1, audio.N_MELS, 320), -60.0) for _ in range(3))
    low[:, 16:32, 96:112] = 0
    late[:, 16:32, 160:176] = 0
    high[:, 80:96, 96:112] = 0
    there, later, above = (network(each)[0] for each in (low, late, high))
    assert (later - there).abs().max() < 0.1 * (above - there).abs().max()
