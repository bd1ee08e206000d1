import numpy as np
import pytest
import torch

from service import audio
from tools import signals
from training.fit import augment
from training.fit.augment import mix_power

GROOVE = audio.log_mel(audio.windows(signals.groove(15, audio.SAMPLE_RATE)))
MANY = np.repeat(GROOVE, 24, axis=0)
SILENCE = np.full_like(GROOVE, -audio.SPAN_DB)


def simulate_phone(windows, seed=0):
    return augment.simulate_phone(windows, np.random.default_rng(seed))


def test_augmentation_is_reproducible():
    np.testing.assert_array_equal(simulate_phone(MANY), simulate_phone(MANY))
    assert not np.array_equal(simulate_phone(MANY), simulate_phone(MANY, seed=1))


def test_the_result_is_normalised_like_the_input():
    out = simulate_phone(MANY)
    assert out.shape == MANY.shape
    assert out.dtype == np.float32
    assert out.min() >= -audio.SPAN_DB
    np.testing.assert_allclose(out.max(axis=(1, 2)), 0, atol=1e-4)


def test_the_input_stays_as_it_is():
    before = MANY.copy()
    simulate_phone(MANY)
    np.testing.assert_array_equal(MANY, before)


def test_each_window_is_augmented_differently():
    out = simulate_phone(MANY)
    distance = np.abs(out[:, None] - out[None]).mean((2, 3))
    apart = distance[~np.eye(len(out), dtype=bool)]
    assert np.mean(apart > 0.5) > 0.9
    assert apart.max() < 40


def test_the_music_stays_recognisable():
    out = simulate_phone(MANY)
    other = audio.log_mel(audio.windows(signals.groove(15, audio.SAMPLE_RATE, 87, 5)))[0]
    loudness = out.mean(1)
    ours = [np.corrcoef(each, GROOVE[0].mean(0))[0, 1] for each in loudness]
    theirs = [np.corrcoef(each, other.mean(0))[0, 1] for each in loudness]
    assert np.median(ours) > np.median(theirs) + 0.3


@pytest.mark.parametrize("n", [0, 1])
def test_an_empty_batch_stays_empty(n):
    draw = torch.Generator().manual_seed(0)
    levels = torch.from_numpy(GROOVE[:0])
    for stage in (augment.reverberate, augment.equalise):
        assert len(stage(levels, draw)) == 0
    assert len(augment.add_noise(levels, torch.zeros(0, 1, 1), draw)) == 0
    assert simulate_phone(GROOVE[:n]).shape == GROOVE[:n].shape


def test_silence_stays_finite():
    assert np.isfinite(simulate_phone(np.repeat(SILENCE, 16, axis=0))).all()


def test_reverberation_follows_the_sound():
    levels = SILENCE.copy()
    levels[:, :, 200] = 0
    without, out = (
        augment.reverberate(torch.from_numpy(each), torch.Generator().manual_seed(0)).numpy()
        for each in (SILENCE, levels)
    )
    np.testing.assert_allclose(out[:, :, :200], without[:, :, :200], atol=0.01)
    assert (out[:, :, 201:206] > -60).all()
    assert (np.diff(out[0, 0, 200:214]) < 0).all()


def test_crops_are_excerpts_of_each_window():
    windows = np.arange(3 * audio.N_FRAMES, dtype=np.float32).reshape(3, 1, -1)
    windows = windows.repeat(audio.N_MELS, 1)
    for _ in range(20):
        crops = augment.random_crops(windows, 32, np.random.default_rng())
        assert crops.shape == (3, audio.N_MELS, 32)
        for number, crop in enumerate(crops):
            assert (np.diff(crop[0]) == 1).all()
            assert crop[0, 0] // audio.N_FRAMES == crop[0, -1] // audio.N_FRAMES == number
    whole = augment.random_crops(windows, audio.N_FRAMES, np.random.default_rng())
    np.testing.assert_array_equal(whole, windows)


def test_masks_cover_whole_bands_and_moments_with_the_mean():
    rng = np.random.default_rng(0)
    before = rng.uniform(-80, 0, (200, audio.N_MELS, 100)).astype(np.float32)
    after = augment.mask(before.copy(), rng)
    covered = after != before
    whole = covered.all(2, keepdims=True) | covered.all(1, keepdims=True)
    np.testing.assert_array_equal(covered, np.broadcast_to(whole, covered.shape))
    assert 0.1 < covered.mean() < 0.5
    assert (after[covered].reshape(-1) < -30).all()


@pytest.mark.parametrize("n_frames", [16, 451])
def test_masks_fit_into_any_crop(n_frames):
    windows = np.zeros((50, audio.N_MELS, n_frames), np.float32)
    assert augment.mask(windows, np.random.default_rng(0)).shape == windows.shape


def test_a_mixture_has_the_power_of_both():
    """Two equal levels are 3 dB more together; a share of 1 or 0 leaves one of them."""
    loud, quiet = torch.full((3, audio.N_MELS, 4), -10.0), torch.full((3, audio.N_MELS, 4), -70.0)
    mixed = mix_power(loud, quiet, torch.tensor([1.0, 0.0, 0.5]))
    expected = torch.stack([loud[0], quiet[1], loud[2] - 3.0103])
    torch.testing.assert_close(mixed, expected, rtol=0, atol=0.01)
