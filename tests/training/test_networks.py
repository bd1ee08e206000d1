import pytest
import torch

from service import audio
from service.card import EMOTIONS
from training.networks import FARTHEST, FifteenNetwork, Member, Shape, answer, count_descriptors

SHAPE = Shape(hidden=8, n_genres=3, n_classes=5, n_origins=2)
SHARES = torch.tensor([[0.5, 0.25, 0.0], [0.5, 0.75, 1.0]])


def member(seed=0, **noise):
    torch.manual_seed(seed)
    return Member(SHAPE, **noise).eval()


def said(logits, temperature=1.0):
    return answer(torch.tensor([logits]), torch.zeros(1, 3), 3, temperature)


def test_answers_are_probabilities():
    classes, emotion = 5 * torch.randn(100, 5), 5 * torch.randn(100, 3)
    given = answer(classes, emotion, 3, 0.7)
    torch.testing.assert_close(given.genres.sum(1), torch.ones(100))
    for part in (given.genres, given.emotion, given.music, given.known):
        assert ((part >= 0) & (part <= 1)).all()


def test_music_is_what_is_not_the_last_class():
    given = said([0.0, 0.0, 0.0, 0.0, 9.0])
    assert given.music < 0.01
    assert given.known.item() == pytest.approx(0.75)  # three of the four that are music
    torch.testing.assert_close(given.genres, torch.full((1, 3), 1 / 3))


def test_known_is_what_is_of_a_genre():
    given = said([0.0, 0.0, 0.0, 9.0, 0.0])
    assert given.known < 0.01
    assert given.music > 0.99


def test_the_probability_of_a_genre_is_the_product_of_all_three():
    logits = [1.0, 2.0, 3.0, 0.5, -1.0]
    given = said(logits)
    product = given.genres * given.known[:, None] * given.music[:, None]
    torch.testing.assert_close(product[0], torch.softmax(torch.tensor(logits), 0)[:3])


def test_a_high_temperature_is_less_sure_of_the_same():
    cold, hot = said([3.0, 1.0, 0.0, 0.0, 0.0], 0.5), said([3.0, 1.0, 0.0, 0.0, 0.0], 2.0)
    assert cold.genres.max() > hot.genres.max()
    assert cold.genres.argmax() == hot.genres.argmax()


def test_the_network_answers_to_the_contract():
    model = FifteenNetwork([member(0), member(1)], 3, 1.3, [0, 2]).eval()
    log_mel = -80 * torch.rand(2, audio.N_MELS, audio.N_FRAMES)
    genres, emotion, music, known = model(log_mel)
    assert (genres.shape, emotion.shape) == ((2, 3), (2, 2))
    assert (music.shape, known.shape) == ((2,), (2,))
    torch.testing.assert_close(genres.sum(1), torch.ones(2))


def test_the_members_logits_are_averaged():
    members = [member(0), member(1)]
    model = FifteenNetwork(members, 3, 1.0, [0]).eval()
    descriptors = torch.randn(4, count_descriptors())
    (one, one_emotion), (other, other_emotion) = (m.logits(descriptors) for m in members)
    classes, emotion = model.logits(descriptors)
    torch.testing.assert_close(classes, (one + other) / 2)
    torch.testing.assert_close(emotion, (one_emotion + other_emotion) / 2)


def test_descriptors_are_standardised_and_never_far_out():
    network = member()
    network.mean.fill_(2.0)
    network.scale.fill_(4.0)
    descriptors = torch.full((1, count_descriptors()), 10.0)
    assert (network.standardised(descriptors) == 2).all()
    assert (network.standardised(1e6 * descriptors) == FARTHEST).all()


def test_noise_is_for_training():
    network, inputs = member(input_noise=1.0), torch.zeros(8, count_descriptors())
    torch.testing.assert_close(network(inputs)[0], network(inputs)[0])
    network.train()
    assert not torch.equal(network(inputs)[0], network(inputs)[0])


def test_offsets_average_to_zero_over_the_labels():
    network = member()
    network.origin_shares.copy_(SHARES)
    with torch.no_grad():
        network.origin_offsets.copy_(torch.tensor([[1.0, 2.0, 3.0], [5.0, -1.0, 7.0]]))
    every = network.offsets(torch.tensor([[0, 0, 0], [1, 1, 1]])).detach()
    torch.testing.assert_close((SHARES * every).sum(0), torch.zeros(3))
    torch.testing.assert_close((every[1] - every[0])[:2], torch.tensor([4.0, -3.0]))


def test_an_origin_that_training_never_showed_has_no_offset():
    network = member()
    network.origin_shares.copy_(SHARES)
    with torch.no_grad():
        network.origin_offsets.copy_(torch.tensor([[1.0, 2.0, 3.0], [5.0, -1.0, 7.0]]))
    assert network.offsets(torch.zeros(1, len(EMOTIONS), dtype=torch.int64))[0, 2] == 0


def test_the_models_offsets_are_its_members():
    members = [member(0), member(1)]
    for shift, network in enumerate(members):
        network.origin_shares.copy_(SHARES)
        with torch.no_grad():
            network.origin_offsets[0] = 1.0 + shift
    origins = torch.tensor([[0, 1, 0]])
    mean = (members[0].offsets(origins) + members[1].offsets(origins)) / 2
    torch.testing.assert_close(FifteenNetwork(members, 3, 1.0, []).offsets(origins), mean)
