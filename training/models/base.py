"""What every member of a model has in common."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from service.card import EMOTIONS


@dataclass(frozen=True)
class Shape:
    """What a member's outputs follow from.

    Attributes
    ----------
    n_classes : int
        Genres, then kinds of other music, then what is no music.
    n_origins : int
        Of emotion labels.
    """

    n_classes: int
    n_origins: int


class EnsembleMember(nn.Module):
    """A network that tells classes apart and scores emotions.

    Origins of emotion labels are on scales of their own, so each has an offset that is learnt with
    the network. The offsets average to zero over the training labels: the network's own answer is
    on their common scale.

    Parameters
    ----------
    shape : Shape
    n_features : int
        What both heads read.
    """

    origin_shares: Tensor

    def __init__(self, shape: Shape, n_features: int) -> None:
        super().__init__()
        self.register_buffer("origin_shares", torch.zeros(shape.n_origins, len(EMOTIONS)))
        self.origin_offsets = nn.Parameter(torch.zeros(shape.n_origins, len(EMOTIONS)))
        self.class_head = nn.Linear(n_features, shape.n_classes)
        self.emotion_head = nn.Linear(n_features, len(EMOTIONS))

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


def device() -> torch.device:
    """Return the GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
