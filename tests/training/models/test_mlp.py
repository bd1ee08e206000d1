import torch

from training.models.base import OutputShape
from training.models.mlp import MAX_DEVIATION, Mlp, count_descriptors

SHAPE = OutputShape(n_classes=5, n_origins=2)


def mlp(**noise):
    torch.manual_seed(0)
    return Mlp(SHAPE, 8, **noise).eval()


def test_every_class_and_emotion_has_a_logit():
    classes, emotion = mlp()(torch.randn(4, count_descriptors()))
    assert (classes.shape, emotion.shape) == ((4, 5), (4, 3))


def test_descriptors_are_standardised_and_clipped():
    network = mlp()
    network.mean.fill_(2.0)
    network.scale.fill_(4.0)
    descriptors = torch.full((1, count_descriptors()), 10.0)
    assert (network.standardised(descriptors) == 2).all()
    assert (network.standardised(1e6 * descriptors) == MAX_DEVIATION).all()


def test_noise_is_added_in_training_only():
    network, inputs = mlp(input_noise=1.0), torch.zeros(8, count_descriptors())
    torch.testing.assert_close(network(inputs)[0], network(inputs)[0])
    network.train()
    assert not torch.equal(network(inputs)[0], network(inputs)[0])
