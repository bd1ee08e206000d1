import numpy as np
import pytest
import torch

from training.fit.sampler import SMALLEST_CLASS, Sampler, blend, sampling_probabilities

TRACK_OF = np.array([4, 2, 4, 2, 7, 4])
LABEL = np.array([-1, -1, 0, -1, 1, -1, -1, 1])


def sampler(mixup=0.5, seed=0):
    return Sampler(TRACK_OF, LABEL, balance=0.5, mixup=mixup, mixup_alpha=0.4, seed=seed)


def test_entries_are_those_of_the_tracks_that_are_drawn():
    entries, tracks = sampler().draw(1_000)
    np.testing.assert_array_equal(TRACK_OF[entries], tracks)
    assert set(entries) == set(range(len(TRACK_OF)))


def test_a_track_is_drawn_as_often_however_many_entries_it_has():
    _, tracks = sampler().draw(6_000)
    drawn = [int((tracks == track).sum()) for track in (2, 4, 7)]
    assert drawn == pytest.approx([2_000] * 3, rel=0.1)


def test_draws_are_reproducible_from_the_seed():
    np.testing.assert_array_equal(sampler().draw(50)[0], sampler().draw(50)[0])
    assert not np.array_equal(sampler().draw(50)[0], sampler(seed=1).draw(50)[0])


def test_so_many_batches_are_blended():
    drawn = sampler(mixup=0.3)
    blended = [bool((drawn.partners(8)[1] < 1).any()) for _ in range(1_000)]
    assert np.mean(blended) == pytest.approx(0.3, abs=0.05)


def test_more_than_half_of_each_is_left():
    partners, shares = sampler(mixup=1.0).partners(1_000)
    assert sorted(partners) == list(range(1_000))
    assert shares.dtype == torch.float32
    assert ((shares >= 0.5) & (shares <= 1)).all()


@pytest.mark.parametrize("shape", [(50, 3), (50, 2, 4)])
def test_each_is_blended_with_its_partner(shape):
    inputs = torch.randn(shape)
    partners, shares = sampler(mixup=1.0).partners(50)
    pairs = zip(inputs, inputs[partners], shares, strict=True)
    expected = torch.stack([share * own + (1 - share) * partner for own, partner, share in pairs])
    torch.testing.assert_close(blend(inputs, partners, shares), expected)


def test_a_batch_that_is_not_blended_is_left_as_it_is():
    inputs = torch.randn(5, 2)
    partners, shares = sampler(mixup=0.0).partners(5)
    torch.testing.assert_close(blend(inputs, partners, shares), inputs)


def test_rare_classes_are_drawn_more_often():
    labels = np.array([0] * 90 + [1] * 10 + [-1] * 5)
    for balance, ratio in ((0, 1), (0.5, 3), (1, 9)):
        shares = sampling_probabilities(labels, balance)
        assert shares.sum() == pytest.approx(1)
        assert shares[90] / shares[0] == pytest.approx(ratio)


def test_a_class_of_one_is_not_drawn_all_the_time():
    shares = sampling_probabilities(np.array([0] * 50 + [1]), 1.0)
    assert shares[-1] / shares[0] == pytest.approx(50 / SMALLEST_CLASS)
