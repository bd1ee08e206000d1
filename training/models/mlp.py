"""Members that read descriptors."""

from functools import cache

import torch
from torch import Tensor, nn

from service import audio
from training.models.base import EnsembleMember, Shape
from training.models.descriptors import Descriptors

FARTHEST = 5.0  # standard deviations: no descriptor is let farther out


class Mlp(EnsembleMember):
    """Two hidden layers over standardised descriptors.

    Parameters
    ----------
    shape : Shape
    hidden : int
        Width of both hidden layers.
    dropout, input_dropout, input_noise : float
        Shares of hidden units and of descriptors left out, and the standard deviation of noise on
        standardised descriptors, in training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        shape: Shape,
        hidden: int,
        dropout: float = 0,
        input_dropout: float = 0,
        input_noise: float = 0,
    ) -> None:
        super().__init__(shape, hidden)
        n_descriptors = count_descriptors()
        self.input_noise = input_noise
        self.register_buffer("mean", torch.zeros(n_descriptors))
        self.register_buffer("scale", torch.ones(n_descriptors))
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            *_hidden(n_descriptors, hidden, dropout),
            *_hidden(hidden, hidden, dropout),
        )

    def standardised(self, descriptors: Tensor) -> Tensor:
        """Return descriptors as the layers take them."""
        return ((descriptors - self.mean) / self.scale).clamp(-FARTHEST, FARTHEST)

    def forward(self, standardised: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits.

        Parameters
        ----------
        standardised : float32 [shape=(n, n_descriptors)]

        Returns
        -------
        classes : float32 [shape=(n, n_classes)]
        emotion : float32 [shape=(n, len(EMOTIONS))]
            On the common scale; see `offsets`.
        """
        if self.training:
            standardised = standardised + self.input_noise * torch.randn_like(standardised)
        features = self.layers(standardised)
        return self.class_head(features), self.emotion_head(features)

    def logits(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits of descriptors as they are."""
        classes, emotion = self(self.standardised(descriptors))
        return classes, emotion


def _hidden(n_inputs: int, n_outputs: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Linear(n_inputs, n_outputs),
        nn.BatchNorm1d(n_outputs),
        nn.ReLU(),
        nn.Dropout(dropout),
    ]


@cache
def count_descriptors() -> int:
    """Return how many numbers describe a window."""
    silence = torch.full((1, audio.N_MELS, audio.N_FRAMES), -audio.SPAN_DB)
    return int(Descriptors()(silence).shape[1])
