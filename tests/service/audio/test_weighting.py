import numpy as np
import pytest
from scipy.signal import sosfilt

from service.audio.weighting import PRODUCTS, ROW, KWeighting, k_weighting

RATES = (8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000)


def sound(rate, channels=2):
    """Return noise on every channel, and a rumble far below hearing that is louder."""
    time = np.arange(rate) / rate
    noise = np.random.default_rng(0).normal(0, 0.1, (channels, rate))
    return (noise + 0.9 * np.sin(2 * np.pi * 7 * time)).astype(np.float32)


def pushed(pieces, rate, channels=2):
    weighting = KWeighting(rate, channels)
    weighted = [weighting.push(piece) for piece in pieces]
    return np.concatenate([*weighted, weighting.flush()], axis=1)


@pytest.mark.parametrize("rate", RATES)
def test_it_filters_as_scipy_does(rate):
    samples = sound(rate)
    expected = sosfilt(k_weighting(rate), samples.astype(np.float64))
    np.testing.assert_allclose(pushed([samples], rate), expected, atol=2e-6)


@pytest.mark.parametrize(
    "size", [1, ROW - 1, ROW, ROW + 1, *(PRODUCTS // ROW + more for more in (-1, 0, 1))]
)
def test_the_size_of_the_pieces_does_not_matter(size):
    samples = sound(8_000)[:, : max(4 * size, 300)]
    pieces = [samples[:, start : start + size] for start in range(0, samples.shape[1], size)]
    expected = sosfilt(k_weighting(8_000), samples.astype(np.float64))
    np.testing.assert_allclose(pushed(pieces, 8_000), expected, atol=2e-6)


def test_channels_are_filtered_apart():
    samples = sound(8_000, channels=5) * np.arange(5, dtype=np.float32)[:, None]
    together = pushed([samples], 8_000, channels=5)
    for channel, weighted in zip(samples, together, strict=True):
        np.testing.assert_allclose(weighted, pushed([channel[None]], 8_000, 1)[0], atol=2e-6)


def test_the_filter_is_that_of_the_standard():
    shelf, high_pass = k_weighting(48_000)
    assert shelf == pytest.approx(
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241,
         0.73248077421585], abs=1e-5,
    )  # fmt: skip
    assert high_pass == pytest.approx([1, -2, 1, 1, -1.99004745483398, 0.99007225036621], abs=1e-5)
