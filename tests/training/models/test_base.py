import pytest
import torch

from service.card import EMOTIONS
from training.models.base import EnsembleMember, OutputShape

SHARES = torch.tensor([[0.5, 0.25, 0.0], [0.5, 0.75, 1.0]])


@pytest.fixture
def member():
    member = EnsembleMember(OutputShape(n_classes=5, n_origins=2), 4)
    member.origin_shares.copy_(SHARES)
    with torch.no_grad():
        member.origin_offsets.copy_(torch.tensor([[1.0, 2.0, 3.0], [5.0, -1.0, 7.0]]))
    return member


def test_the_mean_offset_over_the_labels_is_zero(member):
    every = member.offsets(torch.tensor([[0, 0, 0], [1, 1, 1]])).detach()
    torch.testing.assert_close((SHARES * every).sum(0), torch.zeros(3))
    torch.testing.assert_close((every[1] - every[0])[:2], torch.tensor([4.0, -3.0]))


def test_an_origin_without_training_labels_has_no_offset(member):
    assert member.offsets(torch.zeros(1, len(EMOTIONS), dtype=torch.int64))[0, 2] == 0
