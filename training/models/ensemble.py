"""The ensemble, which is the exported network: spectrograms to predictions."""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from service.card import EMOTIONS
from training.models.base import EnsembleMember
from training.models.cnn import Cnn
from training.models.descriptors import Descriptors
from training.models.mlp import Mlp

M = TypeVar("M", bound=EnsembleMember)

VALENCE, DANCEABILITY = EMOTIONS.index("valence"), EMOTIONS.index("danceability")


class Outputs(NamedTuple):
    """The predictions for windows, in the order of `service.model.OUTPUTS`.

    Attributes
    ----------
    genres : Tensor, [shape=(n, n_genres)]
        Rows sum to 1.
    emotion : Tensor, [shape=(n, n_emotions)]
        In [0, 1].
    music, known : Tensor, [shape=(n,)]
        Probability that the window is music and, given that, that it has one of the genres.
    """

    genres: Tensor
    emotion: Tensor
    music: Tensor
    known: Tensor


def probabilities(classes: Tensor, emotion: Tensor, n_genres: int, temperature: float) -> Outputs:
    """Convert logits to probabilities.

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
    """MLPs and CNNs in one graph. Logits are averaged by kind, then over the two kinds.

    Parameters
    ----------
    mlps : list of Mlp
    cnns : list of Cnn
    n_genres : int
    temperature : float
    danceability_to_valence : float
        Share of danceability's logit that is added to valence's.
    emotions : list of int
        The learned emotions, as indices into `EMOTIONS`.
    """

    def __init__(
        self,
        mlps: list[Mlp],
        cnns: list[Cnn],
        *,
        n_genres: int,
        temperature: float,
        danceability_to_valence: float,
        emotions: list[int],
    ) -> None:
        super().__init__()
        self.descriptors = Descriptors()
        self.mlps = nn.ModuleList(mlps)
        self.cnns = nn.ModuleList(cnns)
        self.n_genres = n_genres
        self.temperature = temperature
        self.danceability_to_valence = danceability_to_valence
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
            _mean([member.logits(descriptors) for member in _members(Mlp, self.mlps)]),
            _mean([member(log_mel) for member in self.cnns]),
        ]
        classes, emotion = _mean(kinds)
        share = torch.zeros(len(EMOTIONS), device=emotion.device)
        share[VALENCE] = self.danceability_to_valence
        return classes, emotion + share * emotion[:, DANCEABILITY, None]

    def offsets(self, origins: Tensor) -> Tensor:
        """Average `EnsembleMember.offsets` in the same way as the logits."""
        means = [
            torch.stack([m.offsets(origins) for m in _members(EnsembleMember, kind)]).mean(0)
            for kind in (self.mlps, self.cnns)
        ]
        return torch.stack(means).mean(0)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `Outputs` with the learned emotions, as a plain tuple for the exporter.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
        """
        classes, emotion = self.logits(log_mel, self.descriptors(log_mel))
        outputs = probabilities(classes, emotion[:, self.emotions], self.n_genres, self.temperature)
        return outputs.genres, outputs.emotion, outputs.music, outputs.known


def _members(kind: type[M], members: nn.Module) -> list[M]:
    return [member for member in members.children() if isinstance(member, kind)]


def _mean(logits: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    classes, emotion = zip(*logits, strict=True)
    return torch.stack(classes).mean(0), torch.stack(emotion).mean(0)
