"""What all networks share."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class OutputShape:
    """The numbers that determine the inputs and outputs of the heads.

    Attributes
    ----------
    n_features : int
        Features of the student.
    n_classes : int
        Genres, then kinds of other music, then sounds that are not music.
    """

    n_features: int
    n_classes: int


def device() -> torch.device:
    """Return the GPU if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
