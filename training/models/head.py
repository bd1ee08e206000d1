"""The heads: each is a multilayer perceptron and two linear models beside it."""

import torch
from torch import Tensor, nn, ones, randn_like, zeros

from service.card import EMOTIONS
from training.models.base import OutputShape
from training.models.statistics import N_STATISTICS

MAX_DEVIATION = 5.0  # standard deviations, to which inputs are clipped
LINEAR_SHARE_OF_EMOTION = 0.7
LOWEST, HIGHEST = 0.01, 0.99  # of a linear emotion, whose logit is finite


class Head(nn.Module):
    """Inputs -> logits of classes and emotions.

    Perceptron and linear model are about as accurate and err differently: their mean finds other
    music better than either. Both read the features of the student for the classes. The linear
    model of the emotions reads the statistics of the spectrogram, too: they tell much of energy,
    but also the source of a recording, which classes are not to learn.

    Parameters
    ----------
    shape : OutputShape
    hidden : int
        Width of the hidden layer.
    dropout, input_dropout, input_noise : float
        In training of the perceptron: dropout of hidden units and of features, and the standard
        deviation of the noise that is added to standardised features.

    Attributes
    ----------
    mean, scale : float32 [shape=(n_features + N_STATISTICS,)]
        Of the inputs.
    linear_classes, linear_emotions : nn.Linear
        `fit.linear` sets them.
    emotion_shares : float32 [shape=(len(EMOTIONS),)]
        `LINEAR_SHARE_OF_EMOTION`, or 0 for an emotion that has no linear model.
    """

    mean: Tensor
    scale: Tensor
    emotion_shares: Tensor

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
        self.n_features = shape.n_features
        n_inputs = shape.n_features + N_STATISTICS
        self.register_buffer("mean", zeros(n_inputs))
        self.register_buffer("scale", ones(n_inputs))
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            nn.Linear(shape.n_features, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.class_head = nn.Linear(hidden, shape.n_classes)
        self.emotion_head = nn.Linear(hidden, len(EMOTIONS))
        self.linear_classes = nn.Linear(shape.n_features, shape.n_classes)
        self.linear_emotions = nn.Linear(n_inputs, len(EMOTIONS))
        self.register_buffer("emotion_shares", zeros(len(EMOTIONS)))

    def standardised(self, inputs: Tensor) -> Tensor:
        """Return inputs as the layers read them."""
        return ((inputs - self.mean) / self.scale).clamp(-MAX_DEVIATION, MAX_DEVIATION)

    def forward(self, standardised: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits of the perceptron.

        Parameters
        ----------
        standardised : float32 [shape=(n, n_features + N_STATISTICS)]

        Returns
        -------
        classes : float32 [shape=(n, n_classes)]
        emotion : float32 [shape=(n, len(EMOTIONS))]
        """
        features = standardised[:, : self.n_features]
        if self.training:
            features = features + self.input_noise * randn_like(features)
        hidden = self.layers(features)
        return self.class_head(hidden), self.emotion_head(hidden)

    def logits(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits of perceptron and linear models together.

        Parameters
        ----------
        inputs : float32 [shape=(n, n_features + N_STATISTICS)]
            Not standardised.
        """
        standardised = self.standardised(inputs)
        classes, emotion = self(standardised)
        classes = (classes + self.linear_classes(standardised[:, : self.n_features])) / 2
        linear = torch.logit(self.linear_emotions(standardised).clamp(LOWEST, HIGHEST))
        return classes, emotion + self.emotion_shares * (linear - emotion)
