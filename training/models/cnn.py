"""The convolutional network, whose input is spectrograms."""

import torch
from torch import Tensor, nn

from service import audio
from training.models.base import EnsembleMember, OutputShape

DOWNSAMPLING = 16  # of both axes, by four halvings


class Cnn(EnsembleMember):
    """Residual blocks over the spectrogram, pooled over time by attention, mean and maximum.

    He et al., "Deep residual learning for image recognition", 2016; attentive pooling, channel by
    channel, after Okabe, Koshinaka and Shinoda, "Attentive statistics pooling for deep speaker
    embedding", 2018.

    Parameters
    ----------
    shape : OutputShape
    width : int
        Channels of the first convolution. Every block doubles the number of channels.
    dropout : float
        Dropout of pooled features in training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: OutputShape, width: int, dropout: float = 0) -> None:
        n_channels = 8 * width
        super().__init__(shape, 3 * n_channels)
        self.register_buffer("mean", torch.zeros(audio.N_MELS, 1))
        self.register_buffer("scale", torch.ones(1))
        self.first = nn.Conv2d(1, width, kernel_size=5, stride=2, padding=2, bias=False)
        self.blocks = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            _Residual(width, 2 * width),
            nn.MaxPool2d(2),
            _Residual(2 * width, 4 * width),
            nn.MaxPool2d(2),
            _Residual(4 * width, n_channels),
        )
        n_rows = audio.N_MELS // DOWNSAMPLING
        self.over_bands = nn.Conv2d(n_channels, n_channels, (n_rows, 1), groups=n_channels)
        self.attention = nn.Conv1d(n_channels, n_channels, 1)
        self.pooled = nn.Sequential(nn.BatchNorm1d(3 * n_channels), nn.Dropout(dropout))

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, n_frames)], dB
            At least `DOWNSAMPLING` frames.

        Returns
        -------
        classes : float32 [shape=(n, n_classes)]
        emotion : float32 [shape=(n, len(EMOTIONS))]
            On the common scale; see `offsets`.
        """
        features = self.features(log_mel)
        return self.class_head(features), self.emotion_head(features)

    def features(self, log_mel: Tensor) -> Tensor:
        """Return the features that both heads read; float32 [shape=(n, 24 * width)]."""
        maps = self.first(((log_mel - self.mean) / self.scale)[:, None])
        maps = self.blocks(maps.contiguous(memory_format=torch.channels_last))
        curves = self.over_bands(maps)[:, :, 0]
        attended = (torch.softmax(self.attention(curves), dim=-1) * curves).sum(-1)
        pooled: Tensor = self.pooled(
            torch.cat([attended, curves.mean(-1), maps.amax((2, 3))], dim=1)
        )
        return pooled


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
        self.shortcut = nn.Conv2d(n_inputs, n_outputs, kernel_size=1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(self.convolutions(maps) + self.shortcut(maps))
