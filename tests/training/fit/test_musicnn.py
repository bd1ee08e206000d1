from importlib.util import find_spec

import numpy as np
import pytest
import torch

from service import audio
from tools import signals
from training.fit import musicnn
from training.fit.musicnn import PATCH_FRAMES, TeacherMissingError, listen, patches, predict

CHANNELS, TAGS = 2, 3


@pytest.fixture
def weights():
    """Random weights of a narrow network."""
    torch.manual_seed(0)
    shapes = [(7, 38), (7, 67), (128, 1), (64, 1), (32, 1)]
    width, tensors = len(shapes) * CHANNELS, {}
    kernels = [(*shape, 1, CHANNELS) for shape in shapes]
    kernels += [(7, columns, 1, CHANNELS) for columns in (width, CHANNELS, CHANNELS)]
    for number, shape in enumerate(kernels):
        name = f"conv2d_{number}" if number else "conv2d"
        tensors |= {f"{name}/kernel": torch.randn(shape), f"{name}/bias": torch.randn(shape[-1])}
    joined = 2 * (width + 3 * CHANNELS)
    for number, size in enumerate([1, *[CHANNELS] * 8, joined, 4]):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            tensors[f"{name}/{part}"] = torch.rand(size) + 0.5
    for name, shape in (("dense", (joined, 4)), ("dense_1", (4, TAGS))):
        tensors |= {f"{name}/kernel": torch.randn(shape), f"{name}/bias": torch.randn(shape[1])}
    return tensors


def test_a_recording_is_cut_into_patches():
    found = patches(signals.groove(10, audio.SAMPLE_RATE))
    assert found.shape == (3, PATCH_FRAMES, musicnn.N_MELS)
    assert len(patches(signals.groove(1, audio.SAMPLE_RATE))) == 1


def test_every_patch_has_outputs_of_its_own(weights):
    inputs = torch.from_numpy(patches(signals.groove(10, audio.SAMPLE_RATE)))
    hidden, logits = predict(weights, inputs)
    assert (hidden.shape, logits.shape) == ((3, 4), (3, TAGS))
    torch.testing.assert_close(predict(weights, inputs[1:2])[1], logits[1:2], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(logits[0], logits[1])


def test_without_the_package_the_error_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(musicnn, "find_spec", lambda name: None)
    with pytest.raises(TeacherMissingError, match="pip install --no-deps musicnn"):
        listen(tmp_path, tmp_path)


@pytest.mark.skipif(find_spec("musicnn") is None, reason="musicnn is not installed")
def test_the_published_weights_fit_the_network():
    network = musicnn.Musicnn()
    hidden, logits = network(signals.groove(6, audio.SAMPLE_RATE))
    assert (hidden.shape, logits.shape) == ((2, 200), (2, 50))
    assert np.isfinite(logits).all()
