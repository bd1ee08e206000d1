import torch

from training.models.base import Shape
from training.models.mlp import FARTHEST, Mlp, count_descriptors

SHAPE = Shape(n_classes=5, n_origins=2)


def mlp(**noise):
    torch.manual_seed(0)
    return Mlp(SHAPE, 8, **noise).eval()


def test_it_answers_for_every_class_and_emotion():
    classes, emotion = mlp()(torch.randn(4, count_descriptors()))
    assert (classes.shape, emotion.shape) == ((4, 5), (4, 3))


def test_descriptors_are_standardised_and_never_far_out():
    network = mlp()
    network.mean.fill_(2.0)
    network.scale.fill_(4.0)
    descriptors = torch.full((1, count_descriptors()), 10.0)
    assert (network.standardised(descriptors) == 2).all()
    assert (network.standardised(1e6 * descriptors) == FARTHEST).all()


def test_noise_is_for_training():
    network, inputs = mlp(input_noise=1.0), torch.zeros(8, count_descriptors())
    torch.testing.assert_close(network(inputs)[0], network(inputs)[0])
    network.train()
    assert not torch.equal(network(inputs)[0], network(inputs)[0])
