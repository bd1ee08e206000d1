"""The networks: spectrograms in, answers out."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from service import audio
from service.card import EMOTIONS
from training.descriptors import Descriptors

FARTHEST = 5.0  # standard deviations: no descriptor is let farther out


@dataclass(frozen=True)
class Shape:
    """What a network's size follows from.

    Attributes
    ----------
    hidden : int
        Width of both hidden layers.
    n_genres, n_classes : int
        The classes are the genres, then kinds of other music, then what is no music.
    n_origins : int
        Of emotion labels.
    """

    hidden: int
    n_genres: int
    n_classes: int
    n_origins: int


class Member(nn.Module):
    """A perceptron of two hidden layers over standardised descriptors.

    Origins of emotion labels are on scales of their own, so each has an offset that is learnt with
    the network. The offsets average to zero over the training labels: the network's own answer is
    on their common scale.

    Parameters
    ----------
    shape : Shape
    dropout, input_dropout, input_noise : float
        Shares of hidden units and of descriptors left out, and the standard deviation of noise on
        standardised descriptors, in training.
    """

    mean: Tensor
    scale: Tensor
    origin_shares: Tensor

    def __init__(
        self, shape: Shape, dropout: float = 0, input_dropout: float = 0, input_noise: float = 0
    ) -> None:
        super().__init__()
        n_descriptors = count_descriptors()
        self.input_noise = input_noise
        self.register_buffer("mean", torch.zeros(n_descriptors))
        self.register_buffer("scale", torch.ones(n_descriptors))
        self.register_buffer("origin_shares", torch.zeros(shape.n_origins, len(EMOTIONS)))
        self.origin_offsets = nn.Parameter(torch.zeros(shape.n_origins, len(EMOTIONS)))
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            *_hidden(n_descriptors, shape.hidden, dropout),
            *_hidden(shape.hidden, shape.hidden, dropout),
        )
        self.class_head = nn.Linear(shape.hidden, shape.n_classes)
        self.emotion_head = nn.Linear(shape.hidden, len(EMOTIONS))

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

    def offsets(self, origins: Tensor) -> Tensor:
        """Return what takes emotion logits from the common scale to that of their labels.

        Parameters
        ----------
        origins : int64 [shape=(n, len(EMOTIONS))]

        Returns
        -------
        offsets : float32 [shape=(n, len(EMOTIONS))]
        """
        centred = self.origin_offsets - (self.origin_shares * self.origin_offsets).sum(0)
        seen = self.origin_shares > 0  # an origin that training never showed has no offset
        return torch.where(seen, centred, 0).gather(0, origins)


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


@dataclass(frozen=True)
class Answer:
    """What a model says of windows, to the contract of `service.model`.

    Attributes
    ----------
    genres : Tensor, [shape=(n, n_genres)]
        Rows sum to 1.
    emotion : Tensor, [shape=(n, n_emotions)]
        In [0, 1].
    music, known : Tensor, [shape=(n,)]
        Probability of being music at all and, being music, of one of the genres.
    """

    genres: Tensor
    emotion: Tensor
    music: Tensor
    known: Tensor


def answer(classes: Tensor, emotion: Tensor, n_genres: int, temperature: float) -> Answer:
    """Turn logits into an answer.

    Parameters
    ----------
    classes : float32 [shape=(n, n_classes)]
    emotion : float32 [shape=(n, n_emotions)]
    n_genres : int
    temperature : float
        Divides class logits: Guo et al., "On calibration of modern neural networks", 2017.
    """
    scaled = classes / temperature
    music = torch.softmax(scaled, dim=1)[:, :-1].sum(1)
    known = torch.softmax(scaled[:, :-1], dim=1)[:, :n_genres].sum(1)
    genres = torch.softmax(scaled[:, :n_genres], dim=1)
    return Answer(genres, torch.sigmoid(emotion), music.clamp(0, 1), known.clamp(0, 1))


class FifteenNetwork(nn.Module):
    """Descriptors, and members whose logits are averaged, in one graph.

    Parameters
    ----------
    members : list of Member
    n_genres : int
    temperature : float
    emotions : list of int
        Those that were learnt, as places in `EMOTIONS`.
    """

    def __init__(
        self, members: list[Member], n_genres: int, temperature: float, emotions: list[int]
    ) -> None:
        super().__init__()
        self.descriptors = Descriptors()
        self.members = nn.ModuleList(members)
        self.n_genres = n_genres
        self.temperature = temperature
        self.emotions = emotions

    def logits(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Average the members' class logits and emotion logits.

        Parameters
        ----------
        descriptors : float32 [shape=(n, n_descriptors)]
        """
        each = [member.logits(descriptors) for member in self._members()]
        classes, emotion = zip(*each, strict=True)
        return torch.stack(classes).mean(0), torch.stack(emotion).mean(0)

    def offsets(self, origins: Tensor) -> Tensor:
        """Average the members' `Member.offsets`."""
        return torch.stack([member.offsets(origins) for member in self._members()]).mean(0)

    def _members(self) -> list[Member]:
        return [member for member in self.members if isinstance(member, Member)]

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return genre probabilities, emotion scores, and how probably it is music and known.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB

        Returns
        -------
        genre_probabilities, emotion, music, known
            As in `Answer`; of the emotions those that were learnt.
        """
        classes, emotion = self.logits(self.descriptors(log_mel))
        said = answer(classes, emotion[:, self.emotions], self.n_genres, self.temperature)
        return said.genres, said.emotion, said.music, said.known
