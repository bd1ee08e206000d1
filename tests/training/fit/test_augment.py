import numpy as np
import pytest
import torch

from service import audio
from tools import signals
from training.fit import augment

GROOVE = audio.log_mel(audio.windows(signals.groove(15, audio.SAMPLE_RATE)))
MANY = np.repeat(GROOVE, 24, axis=0)
SILENCE = np.full_like(GROOVE, -audio.SPAN_DB)


def simulate_phone(windows, seed=0):
    return augment.simulate_phone(windows, np.random.default_rng(seed))


def shift_and_equalise(windows, seed=0):
    return augment.shift_and_equalise(windows, np.random.default_rng(seed))


@pytest.mark.parametrize("change", [simulate_phone, shift_and_equalise])
def test_it_is_reproducible(change):
    np.testing.assert_array_equal(change(MANY), change(MANY))
    assert not np.array_equal(change(MANY), change(MANY, seed=1))


@pytest.mark.parametrize("change", [simulate_phone, shift_and_equalise])
def test_what_comes_out_is_levelled(change):
    out = change(MANY)
    assert out.shape == MANY.shape
    assert out.dtype == np.float32
    assert out.min() >= -audio.SPAN_DB
    np.testing.assert_allclose(out.max(axis=(1, 2)), 0, atol=1e-4)


@pytest.mark.parametrize("change", [simulate_phone, shift_and_equalise])
def test_it_is_a_copy(change):
    before = MANY.copy()
    change(MANY)
    np.testing.assert_array_equal(MANY, before)


@pytest.mark.parametrize("change", [simulate_phone, shift_and_equalise])
def test_each_window_has_a_disturbance_of_its_own(change):
    out = change(MANY)
    distance = np.abs(out[:, None] - out[None]).mean((2, 3))
    apart = distance[~np.eye(len(out), dtype=bool)]
    assert np.mean(apart > 0.5) > 0.9
    assert apart.max() < 40


def test_it_is_still_the_same_music():
    out = simulate_phone(MANY)
    other = audio.log_mel(audio.windows(signals.groove(15, audio.SAMPLE_RATE, 87, 5)))[0]
    loudness = out.mean(1)
    ours = [np.corrcoef(each, GROOVE[0].mean(0))[0, 1] for each in loudness]
    theirs = [np.corrcoef(each, other.mean(0))[0, 1] for each in loudness]
    assert np.median(ours) > np.median(theirs) + 0.3


@pytest.mark.parametrize("n", [0, 1])
def test_an_empty_selection_changes_nothing(n):
    draw = torch.Generator().manual_seed(0)
    levels = torch.from_numpy(GROOVE[:0])
    for stage in (augment._room, augment._equaliser):
        assert len(stage(levels, draw)) == 0
    assert len(augment._noise(levels, torch.zeros(0, 1, 1), draw)) == 0
    assert simulate_phone(GROOVE[:n]).shape == GROOVE[:n].shape


def test_silence_stays_finite():
    assert np.isfinite(simulate_phone(np.repeat(SILENCE, 16, axis=0))).all()


def test_a_room_only_adds_after_the_sound():
    levels = SILENCE.copy()
    levels[:, :, 200] = 0
    without, out = (
        augment._room(torch.from_numpy(each), torch.Generator().manual_seed(0)).numpy()
        for each in (SILENCE, levels)
    )
    np.testing.assert_allclose(out[:, :, :200], without[:, :, :200], atol=0.01)
    assert (out[:, :, 201:206] > -60).all()
    assert (np.diff(out[0, 0, 200:214]) < 0).all()


def test_another_key_and_another_equaliser_leave_the_rhythm_alone():
    centred = shift_and_equalise(MANY) - shift_and_equalise(MANY).mean(2, keepdims=True)
    moves = np.maximum(np.diff(centred, axis=2), 0).mean(1)
    theirs = np.maximum(np.diff(GROOVE[0], axis=1), 0).mean(0)
    assert min(np.corrcoef(each, theirs)[0, 1] for each in moves) > 0.8
