import torch

from training.models.base import OutputShape
from training.models.head import MAX_DEVIATION, Head

SHAPE = OutputShape(n_features=6, n_classes=5)


def head(**noise):
    torch.manual_seed(0)
    return Head(SHAPE, 8, **noise).eval()


def test_every_class_and_emotion_has_a_logit():
    classes, emotion = head()(torch.randn(4, 6))
    assert (classes.shape, emotion.shape) == ((4, 5), (4, 3))


def test_features_are_standardised_and_clipped():
    network = head()
    network.mean.fill_(2.0)
    network.scale.fill_(4.0)
    features = torch.full((1, 6), 10.0)
    assert (network.standardised(features) == 2).all()
    assert (network.standardised(1e6 * features) == MAX_DEVIATION).all()


def test_noise_is_added_in_training_only():
    network, inputs = head(input_noise=1.0), torch.zeros(8, 6)
    torch.testing.assert_close(network(inputs)[0], network(inputs)[0])
    network.train()
    assert not torch.equal(network(inputs)[0], network(inputs)[0])
