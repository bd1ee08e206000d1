"""A network trained elsewhere: mn04 of EfficientAT, which recognises the 527 sounds of AudioSet.

Schmid, Koutini and Widmer, "Efficient large-scale audio tagging via transformer-to-CNN knowledge
distillation", 2023. It is a MobileNetV3 of width 0.4 (Howard and others, "Searching for
MobileNetV3", 2019) over a mel spectrogram at 32 kHz. Its weights (licence: MIT) are compared, and
are part of nothing that is shipped.

Conventions
-----------
* *Weights* are a state of PyTorch with the names that the authors gave: ``features.0`` is the first
  convolution, ``features.1`` to ``features.15`` are blocks, ``features.16`` is the last one.
"""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import conv2d, hardswish, linear, relu

from training.types import AnyFloats

SAMPLE_RATE = 32_000
EMPHASIS = 0.97
N_FFT, WINDOW, HOP = 1_024, 800, 320
N_MELS, MAX_HZ = 128, 15_000
LEAST_POWER = 1e-5
LEVEL_OFFSET, LEVEL_SCALE = 4.5, 5.0
NORMALISING_EPSILON = 1e-3
STRIDED = (2, 4, 7, 13)  # blocks that halve the resolution
FIRST_HARD_SWISH = 7  # blocks before it have ReLU
N_BLOCKS = 15
AT_A_TIME = 8  # windows; more need more memory and are no faster

Weights = dict[str, Tensor]


def read_weights(path: Path) -> Weights:
    """Read the authors' file of weights."""
    weights: Weights = torch.load(path, map_location="cpu", weights_only=True)
    return weights


@torch.no_grad()
def hear(weights: Weights, windows: AnyFloats) -> tuple[AnyFloats, AnyFloats]:
    """Return what the network makes of windows.

    Parameters
    ----------
    weights : dict of str to Tensor
    windows : float32 [shape=(n, n_samples)]
        At `SAMPLE_RATE`.

    Returns
    -------
    features : float32 [shape=(n, n_features, n_frames)]
        The last convolution, averaged over frequency; a frame is 0.32 s. Their mean over time is
        the embedding that the authors use.
    logits : float32 [shape=(n, n_tags)]
    """
    sound = torch.from_numpy(windows)
    starts = range(0, len(windows), AT_A_TIME)
    parts = [_outputs(weights, log_mel(sound[start : start + AT_A_TIME])) for start in starts]
    features, logits = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    return features, logits


def log_mel(sound: Tensor) -> Tensor:
    """Return the network's spectrogram, [shape=(n, N_MELS, n_frames)].

    Parameters
    ----------
    sound : float32 [shape=(n, n_samples)]
        At `SAMPLE_RATE`.
    """
    emphasised = sound[:, 1:] - EMPHASIS * sound[:, :-1]
    window = torch.hann_window(WINDOW, periodic=False)
    spectrum = torch.stft(emphasised, N_FFT, HOP, WINDOW, window, center=True, return_complex=True)
    power = spectrum.abs().square()[:, : N_FFT // 2]
    level = torch.log(mel_bands() @ power + LEAST_POWER)
    return (level + LEVEL_OFFSET) / LEVEL_SCALE


@cache
def mel_bands() -> Tensor:
    """Return triangles that are linear in Kaldi's mel; float32 [shape=(N_MELS, N_FFT // 2)]."""
    edges = torch.linspace(0, _mel(torch.tensor(float(MAX_HZ))).item(), N_MELS + 2)
    places = _mel(torch.arange(N_FFT // 2) * (SAMPLE_RATE / N_FFT))
    rising = (places - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - places) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def _mel(hz: Tensor) -> Tensor:
    return 1127 * torch.log(1 + hz / 700)


def _outputs(weights: Weights, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
    """Return features and logits; see `hear`."""
    maps = hardswish(_convolved(weights, "features.0", spectrogram[:, None], stride=2))
    for number in range(1, N_BLOCKS + 1):
        maps = _block(weights, number, maps)
    maps = hardswish(_convolved(weights, f"features.{N_BLOCKS + 1}", maps))
    features = maps.mean(2)
    hidden = hardswish(_dense(weights, "classifier.2", features.mean(2)))
    return features, _dense(weights, "classifier.5", hidden)


def _block(weights: Weights, number: int, before: Tensor) -> Tensor:
    """Apply an inverted residual block: to more channels, along both axes, to fewer channels."""
    name, layer = f"features.{number}.block", 0
    activation = relu if number < FIRST_HARD_SWISH else hardswish
    maps = before
    if weights[f"{name}.0.0.weight"].shape[-1] == 1:  # the first block keeps its channels
        maps, layer = activation(_convolved(weights, f"{name}.0", maps)), 1
    stride = 2 if number in STRIDED else 1
    maps = activation(_convolved(weights, f"{name}.{layer}", maps, stride))
    excitation = f"{name}.{layer + 1}.conc_se_layers.0"
    if f"{excitation}.fc1.weight" in weights:
        maps, layer = _excited(weights, excitation, maps), layer + 1
    maps = _convolved(weights, f"{name}.{layer + 1}", maps)
    return maps + before if maps.shape == before.shape else maps


def _convolved(weights: Weights, name: str, maps: Tensor, stride: int = 1) -> Tensor:
    """Convolve, for each channel alone if the kernel is so, and normalise."""
    kernel = weights[f"{name}.0.weight"]
    groups = maps.shape[1] // kernel.shape[1]
    maps = conv2d(maps, kernel, None, stride, kernel.shape[-1] // 2, groups=groups)
    deviation = torch.sqrt(weights[f"{name}.1.running_var"] + NORMALISING_EPSILON)
    scale = weights[f"{name}.1.weight"] / deviation
    shift = weights[f"{name}.1.bias"] - weights[f"{name}.1.running_mean"] * scale
    return maps * scale[:, None, None] + shift[:, None, None]


def _excited(weights: Weights, name: str, maps: Tensor) -> Tensor:
    """Weight channels by their means: squeeze and excitation."""
    hidden = relu(_dense(weights, f"{name}.fc1", maps.mean((2, 3))))
    return maps * torch.sigmoid(_dense(weights, f"{name}.fc2", hidden))[:, :, None, None]


def _dense(weights: Weights, name: str, values: Tensor) -> Tensor:
    return linear(values, weights[f"{name}.weight"], weights[f"{name}.bias"])
