"""The base class of all members of an ensemble."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from service.card import EMOTIONS


@dataclass(frozen=True)
class OutputShape:
    """The numbers that determine the outputs of a member.

    Attributes
    ----------
    n_classes : int
        Genres, then kinds of other music, then sounds that are not music.
    n_origins : int
        Origins of emotion labels.
    """

    n_classes: int
    n_origins: int


class EnsembleMember(nn.Module):
    """A network that classifies and scores emotions.

    Each origin of emotion labels has its own scale, and therefore an offset that is trained with
    the network. The mean offset over the training labels is zero: the network's own output is on
    the common scale of all origins.

    Parameters
    ----------
    shape : OutputShape
    n_features : int
        Number of features that both heads read.
    """

    origin_shares: Tensor

    def __init__(self, shape: OutputShape, n_features: int) -> None:
        super().__init__()
        self.register_buffer("origin_shares", torch.zeros(shape.n_origins, len(EMOTIONS)))
        self.origin_offsets = nn.Parameter(torch.zeros(shape.n_origins, len(EMOTIONS)))
        self.class_head = nn.Linear(n_features, shape.n_classes)
        self.emotion_head = nn.Linear(n_features, len(EMOTIONS))

    def offsets(self, origins: Tensor) -> Tensor:
        """Return the difference of emotion logits between an origin's scale and the common one.

        Parameters
        ----------
        origins : int64 [shape=(n, len(EMOTIONS))]

        Returns
        -------
        offsets : float32 [shape=(n, len(EMOTIONS))]
        """
        centred = self.origin_offsets - (self.origin_shares * self.origin_offsets).sum(0)
        seen = self.origin_shares > 0  # an origin without training labels has no offset
        return torch.where(seen, centred, 0).gather(0, origins)


def device() -> torch.device:
    """Return the GPU if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
