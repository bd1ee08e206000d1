"""The ensemble, which is the exported network: spectrograms to predictions."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.models.head import Head
from training.models.student import Student


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
    """The student and its heads in one graph. The logits of the heads are averaged.

    Parameters
    ----------
    student : Student
    heads : list of Head
    n_genres : int
    temperature : float
    emotions : list of int
        The learned emotions, as indices into `EMOTIONS`.
    """

    def __init__(
        self,
        student: Student,
        heads: list[Head],
        *,
        n_genres: int,
        temperature: float,
        emotions: list[int],
    ) -> None:
        super().__init__()
        self.student = student
        self.heads = nn.ModuleList(heads)
        self.n_genres = n_genres
        self.temperature = temperature
        self.emotions = emotions

    def logits(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits.

        Parameters
        ----------
        features : float32 [shape=(n, n_features)]
            Of the student.

        Returns
        -------
        classes : float32 [shape=(n, n_classes)]
        emotion : float32 [shape=(n, len(EMOTIONS))]
        """
        of_heads = [head.logits(features) for head in self.heads if isinstance(head, Head)]
        classes, emotion = zip(*of_heads, strict=True)
        return torch.stack(classes).mean(0), torch.stack(emotion).mean(0)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `Outputs` with the learned emotions, as a plain tuple for the exporter.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
        """
        classes, emotion = self.logits(self.student.features(log_mel))
        outputs = probabilities(classes, emotion[:, self.emotions], self.n_genres, self.temperature)
        return outputs.genres, outputs.emotion, outputs.music, outputs.known
