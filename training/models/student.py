"""The student: a convolutional network that teachers train, and whose features the heads read."""

import torch
from torch import Tensor, nn

from service import audio

BLOCKS = (1, 1, 2, 1)  # residual blocks after each halving of the spectrogram but the first
HALVINGS = 1 + len(BLOCKS)
MIN_FRAMES = 2**HALVINGS


class Student(nn.Module):
    """Residual blocks over the spectrogram, pooled over time to one vector of features.

    He et al., "Deep residual learning for image recognition", 2016; attentive pooling, channel by
    channel, after Okabe, Koshinaka and Shinoda, "Attentive statistics pooling for deep speaker
    embedding", 2018.

    Parameters
    ----------
    width : int
        Channels of the first convolution. The first block after each halving doubles them.
    n_features : int
    n_targets : int
        Number of values that the teachers have for a window.
    dropout : float
        Dropout of pooled values in training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, n_features: int, n_targets: int, dropout: float = 0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(audio.N_MELS, 1))
        self.register_buffer("scale", torch.ones(1))
        self.first = nn.Conv2d(1, width, kernel_size=5, stride=2, padding=2, bias=False)
        self.blocks, n_channels = _blocks(width)
        n_rows = audio.N_MELS // 2**HALVINGS
        self.over_bands = nn.Conv2d(n_channels, n_channels, (n_rows, 1), groups=n_channels)
        self.attention = nn.Conv1d(n_channels, n_channels, 1)
        self.pooled = nn.Sequential(
            nn.BatchNorm1d(3 * n_channels),
            nn.Dropout(dropout),
            nn.Linear(3 * n_channels, n_features, bias=False),
            nn.BatchNorm1d(n_features),
            nn.Hardswish(),
        )
        self.to_targets = nn.Linear(n_features, n_targets)

    def features(self, log_mel: Tensor) -> Tensor:
        """Return the features of windows.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, n_frames)], dB
            At least `MIN_FRAMES` frames.

        Returns
        -------
        features : float32 [shape=(n, n_features)]
        """
        maps = self.first(((log_mel - self.mean) / self.scale)[:, None])
        maps = self.blocks(maps.contiguous(memory_format=torch.channels_last))
        curves = self.over_bands(maps)[:, :, 0]
        attended = (torch.softmax(self.attention(curves), dim=-1) * curves).sum(-1)
        pooled: Tensor = self.pooled(
            torch.cat([attended, curves.mean(-1), maps.amax((2, 3))], dim=1)
        )
        return pooled

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return what the teachers would say of windows; float32 [shape=(n, n_targets)].

        The values are standardised, as `data.teachers` standardises them.
        """
        targets: Tensor = self.to_targets(self.features(log_mel))
        return targets


def _blocks(width: int) -> tuple[nn.Sequential, int]:
    """Return the residual part of the network, and the number of its output channels."""
    layers: list[nn.Module] = [nn.BatchNorm2d(width), nn.ReLU()]
    n_channels = width
    for count in BLOCKS:
        layers.append(nn.MaxPool2d(2))
        for number in range(count):
            n_outputs = n_channels if number else 2 * n_channels
            layers.append(_Residual(n_channels, n_outputs))
            n_channels = n_outputs
    return nn.Sequential(*layers), n_channels


class _Residual(nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(n_inputs, n_outputs, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(n_outputs),
            nn.ReLU(),
            nn.Conv2d(n_outputs, n_outputs, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(n_outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if n_inputs != n_outputs:
            self.shortcut = nn.Conv2d(n_inputs, n_outputs, kernel_size=1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(self.convolutions(maps) + self.shortcut(maps))
