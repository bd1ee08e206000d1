import numpy as np
import pytest
import torch

from service import audio
from training.release.pictures import PATCH_BANDS, PATCH_FRAMES, occlusion_map

BAND, FRAME = 5, 12  # of the patch that decides


def network(log_mel):
    """Predicts the second genre by the mean level of one patch; the first one by nothing."""
    bands = slice(BAND * PATCH_BANDS, (BAND + 1) * PATCH_BANDS)
    frames = slice(FRAME * PATCH_FRAMES, (FRAME + 1) * PATCH_FRAMES)
    level = log_mel[:, bands, frames].mean((1, 2)) / 10
    return (torch.softmax(torch.stack([torch.full_like(level, -6), level], dim=1), dim=1),)


def test_the_occlusion_map_is_highest_at_the_patch_that_decides():
    window = np.full((1, audio.N_MELS, audio.N_FRAMES), -60, np.float32)
    window[0, BAND * PATCH_BANDS :, FRAME * PATCH_FRAMES : (FRAME + 1) * PATCH_FRAMES] = 0
    loss, genre, probability = occlusion_map(network, window)
    assert loss.shape == (audio.N_MELS // PATCH_BANDS, audio.N_FRAMES // PATCH_FRAMES)
    assert genre == 1
    assert probability == pytest.approx(1 / (1 + np.exp(-6)))
    assert np.unravel_index(loss.argmax(), loss.shape) == (BAND, FRAME)
    loss[BAND, FRAME] = 0
    assert np.abs(loss).max() < 1e-6
