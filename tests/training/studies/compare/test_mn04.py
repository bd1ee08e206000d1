import numpy as np
import pytest
import torch

from tests.training.studies.compare.conftest import random_weights
from tools import signals
from training.studies.compare import mn04


def tone(hz):
    return torch.from_numpy(signals.sine(1, hz, mn04.SAMPLE_RATE).astype(np.float32))[None]


def test_a_higher_tone_is_in_a_higher_band():
    bands = [mn04.log_mel(tone(hz))[0].mean(1).argmax().item() for hz in (200, 1_000, 5_000)]
    assert bands == sorted(set(bands))


def test_a_spectrogram_has_a_frame_for_each_hop():
    assert mn04.log_mel(tone(440)).shape == (1, mn04.N_MELS, mn04.SAMPLE_RATE // mn04.HOP)


def test_bands_are_triangles_that_cover_the_frequencies():
    bands = mn04.mel_bands()
    assert bands.shape == (mn04.N_MELS, mn04.N_FFT // 2)
    covered = (torch.arange(mn04.N_FFT // 2) * mn04.SAMPLE_RATE / mn04.N_FFT).clamp(1) < 14_000
    assert (bands.sum(0)[covered][8:] > 0).all()
    assert bands.max() <= 1


def test_every_window_has_outputs_of_its_own():
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 0.1, (mn04.AT_A_TIME + 1, 2 * mn04.SAMPLE_RATE)).astype(np.float32)
    windows[-1] = signals.sine(2, 440, mn04.SAMPLE_RATE)
    weights = random_weights()
    features, logits = mn04.hear(weights, windows)
    assert (features.shape, logits.shape) == ((len(windows), 2, 7), (len(windows), 3))
    alone = mn04.hear(weights, windows[-1:])
    np.testing.assert_allclose(features[-1:], alone[0], rtol=1e-4, atol=1e-5)
    assert logits[-1] == pytest.approx(alone[1][0], rel=1e-4)
    assert not np.allclose(logits[0], logits[-1])
