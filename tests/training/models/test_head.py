import pytest
import torch

from training.models.base import OutputShape
from training.models.head import HIGHEST, LOWEST, MAX_DEVIATION, Head
from training.models.statistics import N_STATISTICS

SHAPE = OutputShape(n_features=6, n_classes=5)
N_INPUTS = SHAPE.n_features + N_STATISTICS


def head(**noise):
    torch.manual_seed(0)
    return Head(SHAPE, 8, **noise).eval()


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(4, N_INPUTS)


def test_every_class_and_emotion_has_a_logit(inputs):
    for classes, emotion in (head()(inputs), head().logits(inputs)):
        assert (classes.shape, emotion.shape) == ((4, 5), (4, 3))


def test_inputs_are_standardised_and_clipped():
    network = head()
    network.mean.fill_(2.0)
    network.scale.fill_(4.0)
    inputs = torch.full((1, N_INPUTS), 10.0)
    assert (network.standardised(inputs) == 2).all()
    assert (network.standardised(1e6 * inputs) == MAX_DEVIATION).all()


def test_noise_is_added_in_training_only():
    network, inputs = head(input_noise=1.0), torch.zeros(8, N_INPUTS)
    torch.testing.assert_close(network(inputs)[0], network(inputs)[0])
    network.train()
    assert not torch.equal(network(inputs)[0], network(inputs)[0])


def test_class_logits_are_the_mean_of_perceptron_and_linear_model(inputs):
    network = head()
    linear = network.linear_classes(inputs[:, : SHAPE.n_features])
    torch.testing.assert_close(network.logits(inputs)[0], (network(inputs)[0] + linear) / 2)


def test_classes_do_not_depend_on_statistics(inputs):
    network, changed = head(), inputs.clone()
    changed[:, SHAPE.n_features :] += 1
    torch.testing.assert_close(network.logits(changed)[0], network.logits(inputs)[0])
    network.emotion_shares.fill_(0.7)
    assert not torch.allclose(network.logits(changed)[1], network.logits(inputs)[1])


def test_an_emotion_without_a_linear_model_is_that_of_the_perceptron(inputs):
    network = head()
    network.emotion_shares[1] = 0.7
    alone, together = network(inputs)[1], network.logits(inputs)[1]
    torch.testing.assert_close(together[:, [0, 2]], alone[:, [0, 2]])
    linear = torch.logit(network.linear_emotions(inputs)[:, 1].clamp(LOWEST, HIGHEST))
    torch.testing.assert_close(together[:, 1], 0.3 * alone[:, 1] + 0.7 * linear)


def test_a_linear_emotion_far_outside_of_the_scale_is_finite(inputs):
    network = head()
    network.emotion_shares.fill_(0.7)
    network.linear_emotions.bias.data = torch.tensor([-99.0, 0.5, 99.0])
    low, _, high = torch.sigmoid(network.logits(inputs)[1]).unbind(1)
    assert torch.isfinite(low).all()
    assert (low < high).all()
