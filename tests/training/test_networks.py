import pytest
import torch

from service import audio
from service.card import EMOTIONS
from training.networks import SHARING, FifteenNetwork, SeedTrunk, TaskNetwork

COUNTS = torch.tensor([[3.0, 3.0, 0.0], [1.0, 1.0, 4.0]])


def network(tasks, n_genres=9):
    torch.manual_seed(0)
    return TaskNetwork(tasks, n_genres, COUNTS).eval()


def test_the_seed_network_has_the_parameters_of_the_original():
    assert sum(p.numel() for p in network(("genre",)).parameters() if p.numel()) == 32_969


def test_the_seed_trunks_maps_have_the_sizes_of_the_original():
    sizes = []
    trunk = SeedTrunk().eval()
    for layer in trunk:
        layer.register_forward_hook(lambda _layer, _input, output: sizes.append(output.shape[1:]))
    trunk(torch.zeros(1, 1, 279, 271))
    maps = [tuple(size) for size in sizes]
    assert maps[:2] == [(32, 277, 269), (32, 46, 44)]
    assert maps[4:6] == [(32, 44, 42), (32, 14, 14)]
    assert maps[8:10] == [(32, 7, 7), (32, 3, 3)]
    assert maps[-1] == (64,)


@pytest.mark.parametrize("sharing", SHARING)
def test_every_sharing_answers_to_the_contract(sharing):
    model = FifteenNetwork([network(tasks) for tasks in SHARING[sharing]]).eval()
    log_mel = -80 * torch.rand(2, audio.N_MELS, audio.N_FRAMES)
    genres, emotion = model(log_mel)
    assert genres.shape == (2, 9)
    assert emotion.shape == (2, len(EMOTIONS))
    torch.testing.assert_close(genres.sum(1), torch.ones(2))
    assert ((emotion >= 0) & (emotion <= 1)).all()


def test_every_sharing_has_every_task_once():
    for groups in SHARING.values():
        assert sorted(task for group in groups for task in group) == sorted(("genre", *EMOTIONS))


def test_an_origin_that_training_never_showed_has_no_offset():
    net = network(("danceability",))
    with torch.no_grad():
        net.origin_offsets.copy_(torch.tensor([[1.0], [5.0]]))
    assert net.offsets(torch.tensor([[0], [1]])).tolist() == [[0.0], [0.0]]


def test_offsets_average_to_zero_over_the_labels():
    net = network(EMOTIONS)
    with torch.no_grad():
        net.origin_offsets.copy_(torch.tensor([[1.0, 2.0, 3.0], [5.0, -1.0, 7.0]]))
    every = net.offsets(torch.tensor([[0, 0, 0], [1, 1, 1]]))
    shares = COUNTS / COUNTS.sum(0)
    torch.testing.assert_close((shares * every).sum(0), torch.zeros(3))
    torch.testing.assert_close((every[1] - every[0])[:2], torch.tensor([4.0, -3.0]))
