from dataclasses import replace

import numpy as np
import pytest
import torch

from service import audio
from tests.training.conftest import CONFIG
from training.data import splits
from training.fit.cnn import _crops, _masked, fit_cnn

LONGER = replace(CONFIG, cnn=replace(CONFIG.cnn, steps=40, width=4))


@pytest.fixture(scope="module")
def part(dataset):
    return next(splits.parts(dataset, splits.fixed(dataset).learn, 2, 0))


def test_it_tells_apart_what_it_learnt(dataset, part):
    member, _ = fit_cnn(dataset, LONGER, part, 0)
    assert not member.training
    tracks = part.valid[dataset.is_genre[part.valid]]
    rows = dataset.rows("heard", tracks)
    with torch.no_grad():
        classes = member(torch.from_numpy(dataset.spectrograms(rows)))[0].numpy()
    assert (classes.argmax(1) == dataset.label[dataset.track_of[rows]]).mean() > 0.8


def test_it_is_reproducible_from_its_seed(dataset, part):
    one, other, third = (fit_cnn(dataset, CONFIG, part, seed)[0] for seed in (0, 0, 1))
    torch.testing.assert_close(one.class_head.weight, other.class_head.weight)
    assert not torch.equal(one.class_head.weight, third.class_head.weight)


def test_crops_are_moments_of_each_window():
    windows = np.arange(3 * audio.N_FRAMES, dtype=np.float32).reshape(3, 1, -1)
    windows = windows.repeat(audio.N_MELS, 1)
    for _ in range(20):
        cut = _crops(windows, 32, np.random.default_rng())
        assert cut.shape == (3, audio.N_MELS, 32)
        for number, each in enumerate(cut):
            assert (np.diff(each[0]) == 1).all()
            assert each[0, 0] // audio.N_FRAMES == each[0, -1] // audio.N_FRAMES == number
    whole = _crops(windows, audio.N_FRAMES, np.random.default_rng())
    np.testing.assert_array_equal(whole, windows)


def test_masks_cover_whole_bands_and_moments_with_the_mean():
    rng = np.random.default_rng(0)
    before = rng.uniform(-80, 0, (200, audio.N_MELS, 100)).astype(np.float32)
    after = _masked(before.copy(), rng)
    covered = after != before
    whole = covered.all(2, keepdims=True) | covered.all(1, keepdims=True)
    np.testing.assert_array_equal(covered, np.broadcast_to(whole, covered.shape))
    assert 0.1 < covered.mean() < 0.5
    assert (after[covered].reshape(-1) < -30).all()


@pytest.mark.parametrize("n_frames", [16, 451])
def test_masks_fit_into_any_crop(n_frames):
    windows = np.zeros((50, audio.N_MELS, n_frames), np.float32)
    assert _masked(windows, np.random.default_rng(0)).shape == windows.shape
