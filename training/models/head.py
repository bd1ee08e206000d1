"""The heads: multilayer perceptrons whose input is the features of the student."""

from torch import Tensor, nn, ones, randn_like, zeros

from service.card import EMOTIONS
from training.models.base import OutputShape

MAX_DEVIATION = 5.0  # standard deviations, to which features are clipped


class Head(nn.Module):
    """One hidden layer over standardised features, then classes and emotions.

    Parameters
    ----------
    shape : OutputShape
    hidden : int
        Width of the hidden layer.
    dropout, input_dropout, input_noise : float
        In training: dropout of hidden units and of features, and the standard deviation of the
        noise that is added to standardised features.
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
        super().__init__()
        self.input_noise = input_noise
        self.register_buffer("mean", zeros(shape.n_features))
        self.register_buffer("scale", ones(shape.n_features))
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            nn.Linear(shape.n_features, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.class_head = nn.Linear(hidden, shape.n_classes)
        self.emotion_head = nn.Linear(hidden, len(EMOTIONS))

    def standardised(self, features: Tensor) -> Tensor:
        """Return features as the input of the layers."""
        return ((features - self.mean) / self.scale).clamp(-MAX_DEVIATION, MAX_DEVIATION)

    def forward(self, standardised: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits.

        Parameters
        ----------
        standardised : float32 [shape=(n, n_features)]

        Returns
        -------
        classes : float32 [shape=(n, n_classes)]
        emotion : float32 [shape=(n, len(EMOTIONS))]
        """
        if self.training:
            standardised = standardised + self.input_noise * randn_like(standardised)
        hidden = self.layers(standardised)
        return self.class_head(hidden), self.emotion_head(hidden)

    def logits(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits of features that are not standardised."""
        classes, emotion = self(self.standardised(features))
        return classes, emotion
