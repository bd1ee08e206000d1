import numpy as np
import pytest
import torch

from training.fit.sampler import MIN_CLASS_COUNT, Sampler, mix_up, sampling_probabilities

TRACK_OF = np.array([4, 2, 4, 2, 7, 4])
LABEL = np.array([-1, -1, 0, -1, 1, -1, -1, 1])


def sampler(mixup=0.5, seed=0):
    return Sampler(TRACK_OF, LABEL, balance=0.5, mixup=mixup, mixup_alpha=0.4, seed=seed)


def test_entries_belong_to_the_drawn_tracks():
    entries, tracks = sampler().draw(1_000)
    np.testing.assert_array_equal(TRACK_OF[entries], tracks)
    assert set(entries) == set(range(len(TRACK_OF)))


def test_the_number_of_entries_of_a_track_does_not_matter():
    _, tracks = sampler().draw(6_000)
    drawn = [int((tracks == track).sum()) for track in (2, 4, 7)]
    assert drawn == pytest.approx([2_000] * 3, rel=0.1)


def test_draws_are_reproducible_from_the_seed():
    np.testing.assert_array_equal(sampler().draw(50)[0], sampler().draw(50)[0])
    assert not np.array_equal(sampler().draw(50)[0], sampler(seed=1).draw(50)[0])


def test_mixup_is_the_share_of_mixed_batches():
    drawn = sampler(mixup=0.3)
    mixed = [bool((drawn.partners(8)[1] < 1).any()) for _ in range(1_000)]
    assert np.mean(mixed) == pytest.approx(0.3, abs=0.05)


def test_each_element_keeps_at_least_half():
    partners, shares = sampler(mixup=1.0).partners(1_000)
    assert sorted(partners) == list(range(1_000))
    assert shares.dtype == torch.float32
    assert ((shares >= 0.5) & (shares <= 1)).all()


@pytest.mark.parametrize("shape", [(50, 3), (50, 2, 4)])
def test_each_element_is_mixed_with_its_partner(shape):
    inputs = torch.randn(shape)
    partners, shares = sampler(mixup=1.0).partners(50)
    pairs = zip(inputs, inputs[partners], shares, strict=True)
    expected = torch.stack([share * own + (1 - share) * partner for own, partner, share in pairs])
    torch.testing.assert_close(mix_up(inputs, partners, shares), expected)


def test_a_batch_without_mixup_stays_as_it_is():
    inputs = torch.randn(5, 2)
    partners, shares = sampler(mixup=0.0).partners(5)
    torch.testing.assert_close(mix_up(inputs, partners, shares), inputs)


def test_rare_classes_are_drawn_more_often():
    labels = np.array([0] * 90 + [1] * 10 + [-1] * 5)
    for balance, ratio in ((0, 1), (0.5, 3), (1, 9)):
        shares = sampling_probabilities(labels, balance)
        assert shares.sum() == pytest.approx(1)
        assert shares[90] / shares[0] == pytest.approx(ratio)


def test_a_class_of_one_track_is_not_drawn_too_often():
    shares = sampling_probabilities(np.array([0] * 50 + [1]), 1.0)
    assert shares[-1] / shares[0] == pytest.approx(50 / MIN_CLASS_COUNT)
