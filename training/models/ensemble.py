"""The network: spectrograms in, answers out."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from service.card import EMOTIONS
from training.models.base import EnsembleMember
from training.models.cnn import Cnn
from training.models.descriptors import Descriptors
from training.models.mlp import Mlp

M = TypeVar("M", bound=EnsembleMember)

VALENCE, DANCEABILITY = EMOTIONS.index("valence"), EMOTIONS.index("danceability")


@dataclass(frozen=True)
class Outputs:
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


def probabilities(classes: Tensor, emotion: Tensor, n_genres: int, temperature: float) -> Outputs:
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
    return Outputs(genres, torch.sigmoid(emotion), music.clamp(0, 1), known.clamp(0, 1))


class Ensemble(nn.Module):
    """Members of two kinds in one graph, their logits averaged, each kind counting half.

    Parameters
    ----------
    perceptrons : list of Perceptron
    convolutionals : list of Convolutional
    n_genres : int
    temperature : float
    groove : float
        Share of danceability's logit that is added to that of valence.
    emotions : list of int
        Those that were learnt, as places in `EMOTIONS`.
    """

    def __init__(
        self,
        mlps: list[Mlp],
        cnns: list[Cnn],
        *,
        n_genres: int,
        temperature: float,
        groove: float,
        emotions: list[int],
    ) -> None:
        super().__init__()
        self.descriptors = Descriptors()
        self.mlps = nn.ModuleList(mlps)
        self.cnns = nn.ModuleList(cnns)
        self.n_genres = n_genres
        self.temperature = temperature
        self.groove = groove
        self.emotions = emotions

    def logits(self, log_mel: Tensor, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
        descriptors : float32 [shape=(n, n_descriptors)]
            Of the same windows.

        Returns
        -------
        classes : float32 [shape=(n, n_classes)]
        emotion : float32 [shape=(n, len(EMOTIONS))]
        """
        kinds = [
            _mean([member.logits(descriptors) for member in _of(Mlp, self.mlps)]),
            _mean([member(log_mel) for member in self.cnns]),
        ]
        classes, emotion = _mean(kinds)
        groove = torch.zeros(len(EMOTIONS), device=emotion.device)
        groove[VALENCE] = self.groove
        return classes, emotion + groove * emotion[:, DANCEABILITY, None]

    def offsets(self, origins: Tensor) -> Tensor:
        """Average the members' `Member.offsets`."""
        means = [
            torch.stack([member.offsets(origins) for member in _of(EnsembleMember, kind)]).mean(0)
            for kind in (self.mlps, self.cnns)
        ]
        return torch.stack(means).mean(0)

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
        classes, emotion = self.logits(log_mel, self.descriptors(log_mel))
        said = probabilities(classes, emotion[:, self.emotions], self.n_genres, self.temperature)
        return said.genres, said.emotion, said.music, said.known


def _of(kind: type[M], members: nn.Module) -> list[M]:
    return [member for member in members.children() if isinstance(member, kind)]


def _mean(each: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    classes, emotion = zip(*each, strict=True)
    return torch.stack(classes).mean(0), torch.stack(emotion).mean(0)
