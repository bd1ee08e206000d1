import numpy as np
import pytest
import torch

from service import audio
from tools import signals
from training.models.descriptors import (
    N_MODULATIONS,
    N_PARTS,
    N_RHYTHM,
    N_SCALES,
    Descriptors,
    count_descriptors,
)

SECONDS = audio.WINDOW_SECONDS
N_DYNAMICS = 5
RNG = np.random.default_rng(0)
ODD = {
    "silence": np.zeros(audio.N_SAMPLES, np.float32),
    "noise": RNG.normal(0, 0.1, audio.N_SAMPLES).astype(np.float32),
    "groove": signals.groove(SECONDS, audio.SAMPLE_RATE),
    "tone": signals.sine(SECONDS),
    "click": np.eye(1, audio.N_SAMPLES, audio.N_SAMPLES // 2, dtype=np.float32)[0],
}


@pytest.fixture(scope="module")
def descriptors():
    return Descriptors().eval()


def log_mel(waveform):
    return torch.from_numpy(audio.log_mel(audio.windows(waveform)))


@pytest.mark.parametrize("name", ODD)
def test_descriptors_of_any_sound_are_finite(descriptors, name):
    values = descriptors(log_mel(ODD[name]))
    assert values.shape == (1, count_descriptors())
    assert torch.isfinite(values).all()
    assert values.abs().max() < 1e4


def test_windows_of_a_batch_are_independent(descriptors):
    windows = torch.cat([log_mel(waveform) for waveform in ODD.values()])
    together = descriptors(windows)
    for i in range(len(windows)):
        torch.testing.assert_close(
            descriptors(windows[i : i + 1])[0], together[i], atol=1e-3, rtol=1e-3
        )


@pytest.mark.parametrize("gain", [0.5, 0.01])
def test_gain_does_not_matter(descriptors, gain):
    loud, soft = descriptors(log_mel(ODD["groove"])), descriptors(log_mel(gain * ODD["groove"]))
    torch.testing.assert_close(loud, soft, atol=5e-3, rtol=1e-3)


def test_they_have_no_trained_parameters(descriptors):
    assert list(descriptors.parameters()) == []


def clicks(times):
    """A burst of noise at each time."""
    rng = np.random.default_rng(1)
    waveform = rng.normal(0, 1e-3, audio.N_SAMPLES)
    burst = rng.normal(0, 0.3, 2_000) * np.exp(-np.arange(2_000) / 300)
    for start in (np.asarray(times) * audio.SAMPLE_RATE).astype(int):
        waveform[start : start + 2_000] += burst[: len(waveform) - start]
    return waveform.astype(np.float32)


def rhythm(descriptors, times):
    """The descriptors of modulation and of the scale transform; dynamics follow them."""
    values = descriptors(log_mel(clicks(times)))[0, :-N_DYNAMICS]
    n_scales, n_modulations = (N_PARTS + 1) * N_SCALES, N_RHYTHM * N_MODULATIONS
    return values[-n_scales - n_modulations : -n_scales], values[-n_scales:]


def test_the_scale_transform_depends_on_rhythm_and_modulation_on_tempo(descriptors):
    steady = rhythm(descriptors, np.arange(0, SECONDS, 0.6))
    faster = rhythm(descriptors, np.arange(0, SECONDS, 0.5))
    at_random = rhythm(descriptors, np.sort(np.random.default_rng(2).uniform(0, SECONDS, 25)))

    def distances(other):
        return [float((a - b).abs().mean()) for a, b in zip(steady, other, strict=True)]

    modulation, scales = distances(faster)
    assert scales < modulation / 2
    assert scales < distances(at_random)[1] / 4


def test_loud_bands_have_high_levels(descriptors):
    level = torch.full((2, audio.N_MELS, audio.N_FRAMES), -60.0)
    level[0, :64] = 0
    level[1, 64:] = 0
    low, high = descriptors(level)[:, :32]
    assert (low[:16] > low[16:]).all()
    assert (high[:16] < high[16:]).all()
