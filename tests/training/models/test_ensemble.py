import numpy as np
import pytest
import torch

from service import audio
from training.models.base import OutputShape
from training.models.ensemble import AudioFeatures, Embedding, Ensemble, Knots, probabilities
from training.models.head import Head
from training.models.statistics import N_STATISTICS, statistics
from training.models.student import Student

SHAPE = OutputShape(n_features=12, n_classes=5)
LOG_MEL = -80 * torch.rand(4, audio.N_MELS, audio.N_FRAMES)


@pytest.fixture
def ensemble():
    torch.manual_seed(0)
    student = Student(2, SHAPE.n_features, 4)
    heads = [Head(SHAPE, 8) for _ in range(2)]
    return Ensemble(student, heads, n_genres=3, temperature=1.3, emotions=[0, 2]).eval()


def of_logits(logits, temperature=1.0):
    return probabilities(torch.tensor([logits]), torch.zeros(1, 3), 3, temperature)


def test_outputs_are_probabilities():
    classes, emotion = 5 * torch.randn(100, 5), 5 * torch.randn(100, 3)
    outputs = probabilities(classes, emotion, 3, 0.7)
    torch.testing.assert_close(outputs.genres.sum(1), torch.ones(100))
    for part in (outputs.genres, outputs.emotion, outputs.music, outputs.known):
        assert ((part >= 0) & (part <= 1)).all()


def test_music_is_the_probability_of_all_classes_but_the_last():
    outputs = of_logits([0.0, 0.0, 0.0, 0.0, 9.0])
    assert outputs.music < 0.01
    assert outputs.known.item() == pytest.approx(0.75)  # three of the four that are music
    torch.testing.assert_close(outputs.genres, torch.full((1, 3), 1 / 3))


def test_known_is_the_probability_of_the_genres():
    outputs = of_logits([0.0, 0.0, 0.0, 9.0, 0.0])
    assert outputs.known < 0.01
    assert outputs.music > 0.99


def test_the_probability_of_a_genre_is_the_product_of_all_three():
    logits = [1.0, 2.0, 3.0, 0.5, -1.0]
    outputs = of_logits(logits)
    product = outputs.genres * outputs.known[:, None] * outputs.music[:, None]
    torch.testing.assert_close(product[0], torch.softmax(torch.tensor(logits), 0)[:3])


def test_a_high_temperature_flattens_probabilities():
    cold, hot = of_logits([3.0, 1.0, 0.0, 0.0, 0.0], 0.5), of_logits([3.0, 1.0, 0.0, 0.0, 0.0], 2.0)
    assert cold.genres.max() > hot.genres.max()
    assert cold.genres.argmax() == hot.genres.argmax()


def test_the_network_has_the_outputs_of_the_contract(ensemble):
    genres, emotion, music, known = ensemble(LOG_MEL)
    assert (genres.shape, emotion.shape) == ((4, 3), (4, 2))
    assert (music.shape, known.shape) == ((4,), (4,))
    torch.testing.assert_close(genres.sum(1), torch.ones(4))


def test_logits_are_means_over_the_heads(ensemble):
    inputs = torch.randn(4, SHAPE.n_features + N_STATISTICS)
    one, other = (head.logits(inputs) for head in ensemble.heads)
    classes, emotion = ensemble.logits(inputs)
    torch.testing.assert_close(classes, (one[0] + other[0]) / 2)
    torch.testing.assert_close(emotion, (one[1] + other[1]) / 2)


def test_heads_read_the_features_of_the_student_and_statistics(ensemble):
    inputs = torch.cat([ensemble.student.features(LOG_MEL), statistics(LOG_MEL)], dim=1)
    classes, emotion = ensemble.logits(inputs)
    expected = probabilities(classes, emotion[:, [0, 2]], 3, 1.3)
    for one, other in zip(ensemble(LOG_MEL), expected, strict=True):
        torch.testing.assert_close(one, other)


FUNCTIONS = {
    "speechiness": Knots(3, [-1.0, -0.5, 0.0, 2.0], [0.02, 0.1, 0.3, 0.9]),
    "liveness": Knots(0, [-0.2, 0.3], [0.1, 0.8]),
    "constant": Knots(1, [0.4], [0.6]),
}


def test_audio_features_are_interpolated_targets():
    torch.manual_seed(0)
    student = Student(2, SHAPE.n_features, 4)
    features = 3 * torch.randn(200, SHAPE.n_features)
    targets = student.to_targets(features).detach().numpy()
    found = AudioFeatures(student, list(FUNCTIONS.values()))(features)
    expected = [
        np.interp(targets[:, column], scores, values)
        for column, scores, values in FUNCTIONS.values()
    ]
    np.testing.assert_allclose(found.T, expected, atol=1e-6)
    assert found[:, 0].max() == pytest.approx(0.9)  # outside of the knots, too
    assert found[:, 0].min() == pytest.approx(0.02)


def test_a_constant_alone_is_an_audio_feature():
    found = AudioFeatures(Student(2, SHAPE.n_features, 4), [FUNCTIONS["constant"]])
    assert (found(torch.randn(5, SHAPE.n_features)) == 0.6).all()


def test_features_and_embedding_follow_the_other_outputs(ensemble):
    embedding = Embedding(torch.randn(SHAPE.n_features), torch.randn(SHAPE.n_features, 7))
    whole = Ensemble(
        ensemble.student,
        list(ensemble.heads),
        n_genres=3,
        temperature=1.3,
        emotions=[0, 2],
        features=FUNCTIONS,
        embedding=embedding,
    ).eval()
    *first, features, vectors = whole(LOG_MEL)
    for one, other in zip(first, ensemble(LOG_MEL), strict=True):
        torch.testing.assert_close(one, other)
    assert whole.features == list(FUNCTIONS)
    assert features.shape == (4, 3)
    expected = (ensemble.student.features(LOG_MEL) - embedding.centre) @ embedding.components
    torch.testing.assert_close(vectors, expected)
