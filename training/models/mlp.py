"""The multilayer perceptron, whose input is descriptors."""

from torch import Tensor, nn, ones, randn_like, zeros

from training.models.base import EnsembleMember, OutputShape
from training.models.descriptors import count_descriptors

MAX_DEVIATION = 5.0  # standard deviations, to which descriptors are clipped


class Mlp(EnsembleMember):
    """Two hidden layers over standardised descriptors.

    Parameters
    ----------
    shape : OutputShape
    hidden : int
        Width of both hidden layers.
    dropout, input_dropout, input_noise : float
        In training: dropout of hidden units and of descriptors, and the standard deviation of the
        noise that is added to standardised descriptors.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        shape: OutputShape,
        hidden: int,
        dropout: float = 0,
        input_dropout: float = 0,
        input_noise: float = 0,
    ) -> None:
        super().__init__(shape, hidden)
        n_descriptors = count_descriptors()
        self.input_noise = input_noise
        self.register_buffer("mean", zeros(n_descriptors))
        self.register_buffer("scale", ones(n_descriptors))
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            *_hidden(n_descriptors, hidden, dropout),
            *_hidden(hidden, hidden, dropout),
        )

    def standardised(self, descriptors: Tensor) -> Tensor:
        """Return descriptors as the input of the layers."""
        return ((descriptors - self.mean) / self.scale).clamp(-MAX_DEVIATION, MAX_DEVIATION)

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
            standardised = standardised + self.input_noise * randn_like(standardised)
        features = self.layers(standardised)
        return self.class_head(features), self.emotion_head(features)

    def logits(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits of descriptors that are not standardised."""
        classes, emotion = self(self.standardised(descriptors))
        return classes, emotion


def _hidden(n_inputs: int, n_outputs: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Linear(n_inputs, n_outputs),
        nn.BatchNorm1d(n_outputs),
        nn.ReLU(),
        nn.Dropout(dropout),
    ]
