import pytest
import torch

from service import audio
from service.card import EMOTIONS
from training.models.base import OutputShape
from training.models.cnn import Cnn
from training.models.descriptors import count_descriptors
from training.models.ensemble import Ensemble, probabilities
from training.models.mlp import Mlp

SHAPE = OutputShape(n_classes=5, n_origins=2)
LOG_MEL = -80 * torch.rand(4, audio.N_MELS, audio.N_FRAMES)
DESCRIPTORS = torch.randn(4, count_descriptors())


@pytest.fixture
def members():
    torch.manual_seed(0)
    mlps = [Mlp(SHAPE, 8).eval() for _ in range(2)]
    return mlps, [Cnn(SHAPE, 2).eval()]


def ensemble(members, danceability_to_valence=0.0, emotions=(0, 1, 2)):
    network = Ensemble(
        *members,
        n_genres=3,
        temperature=1.3,
        danceability_to_valence=danceability_to_valence,
        emotions=list(emotions),
    )
    return network.eval()


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


def test_the_network_has_the_outputs_of_the_contract(members):
    genres, emotion, music, known = ensemble(members, emotions=[0, 2])(LOG_MEL)
    assert (genres.shape, emotion.shape) == ((4, 3), (4, 2))
    assert (music.shape, known.shape) == ((4,), (4,))
    torch.testing.assert_close(genres.sum(1), torch.ones(4))


def test_both_kinds_of_members_have_the_same_weight(members):
    (one, other), (cnn,) = members
    mlps = [
        (a + b) / 2 for a, b in zip(one.logits(DESCRIPTORS), other.logits(DESCRIPTORS), strict=True)
    ]
    classes, emotion = ensemble(members).logits(LOG_MEL, DESCRIPTORS)
    theirs = cnn(LOG_MEL)
    torch.testing.assert_close(classes, (mlps[0] + theirs[0]) / 2)
    torch.testing.assert_close(emotion, (mlps[1] + theirs[1]) / 2)


def test_danceability_adds_to_valence_only(members):
    plain = ensemble(members).logits(LOG_MEL, DESCRIPTORS)[1]
    glad = ensemble(members, danceability_to_valence=0.2).logits(LOG_MEL, DESCRIPTORS)[1]
    valence, danceability = EMOTIONS.index("valence"), EMOTIONS.index("danceability")
    torch.testing.assert_close(glad[:, valence], plain[:, valence] + 0.2 * plain[:, danceability])
    others = [place for place in range(len(EMOTIONS)) if place != valence]
    torch.testing.assert_close(glad[:, others], plain[:, others])


def test_offsets_are_averaged_like_logits(members):
    origins = torch.tensor([[0, 1, 0]])
    (one, other), (cnn,) = members
    for shift, member in enumerate((one, other, cnn)):
        member.origin_shares.fill_(0.5)
        with torch.no_grad():
            member.origin_offsets[0] = 1.0 + shift
    mean = (one.offsets(origins) + other.offsets(origins)) / 2
    torch.testing.assert_close(
        ensemble(members).offsets(origins), (mean + cnn.offsets(origins)) / 2
    )
