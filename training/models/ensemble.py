"""The ensemble, which is the exported network: spectrograms to predictions."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from service.card import Taught
from training.models.head import Head
from training.models.statistics import statistics
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


class Knots(NamedTuple):
    """A piecewise linear function of one target of the student.

    Attributes
    ----------
    column : int
        Of the targets.
    scores, values : sequence of float
        Corresponding values of the target and of the function. The scores strictly ascend; outside
        of them, the function is constant.
    """

    column: int
    scores: Sequence[float]
    values: Sequence[float]


class AudioFeatures(nn.Module):
    """Features of the student -> audio-features, each a piecewise linear function of a target.

    A sum of clamped segments, because the graph has no interpolation. Only the weights of the
    targets that it needs are in the graph.

    Parameters
    ----------
    student : Student
    functions : sequence of Knots
    """

    weight: Tensor
    bias: Tensor
    first: Tensor
    low: Tensor
    high: Tensor
    slope: Tensor

    def __init__(self, student: Student, functions: Sequence[Knots]) -> None:
        super().__init__()
        columns = [each.column for each in functions]
        self.register_buffer("weight", student.to_targets.weight.detach()[columns].clone())
        self.register_buffer("bias", student.to_targets.bias.detach()[columns].clone())
        self.register_buffer("first", torch.tensor([each.values[0] for each in functions]))
        most = max(2, *(len(each.scores) for each in functions))
        segments = torch.tensor([_segments(each, most) for each in functions])
        for name, values in zip(("low", "high", "slope"), segments.unbind(-1), strict=True):
            self.register_buffer(name, values.contiguous())

    def forward(self, features: Tensor) -> Tensor:
        """Return audio-features; float32 [shape=(n, n_functions)]."""
        targets = nn.functional.linear(features, self.weight, self.bias)[:, :, None]
        inside = torch.minimum(torch.maximum(targets, self.low), self.high) - self.low
        return self.first + (inside * self.slope).sum(-1)


def _segments(knots: Knots, n_knots: int) -> list[tuple[float, float, float]]:
    """Return low end, high end and slope of each segment, padded by empty ones."""
    points = list(zip(knots.scores, knots.values, strict=True))
    segments = [
        (start, end, (after - before) / (end - start))
        for (start, before), (end, after) in pairwise(points)
    ]
    return segments + [(0.0, 0.0, 0.0)] * (n_knots - len(points))


class Embedding(nn.Module):
    """Features of the student -> embedding, by a projection.

    Parameters
    ----------
    centre : float32 [shape=(n_features,)]
    components : float32 [shape=(n_features, n_dimensions)]
    """

    centre: Tensor
    components: Tensor

    def __init__(self, centre: Tensor, components: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.register_buffer("components", components)

    @property
    def dimensions(self) -> int:
        """The number of values of a vector."""
        return self.components.shape[1]

    def forward(self, features: Tensor) -> Tensor:
        """Return embeddings; float32 [shape=(n, n_dimensions)]."""
        return (features - self.centre) @ self.components


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
    features : mapping of str to Knots, optional
        Further audio-features, by name; none for a student that has no scales of them.
    embedding : Embedding or None
    """

    def __init__(
        self,
        student: Student,
        heads: list[Head],
        *,
        n_genres: int,
        temperature: float,
        emotions: list[int],
        features: Mapping[Taught, Knots] | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.heads = nn.ModuleList(heads)
        self.n_genres = n_genres
        self.temperature = temperature
        self.emotions = emotions
        self.features = list(features or {})
        self.audio_features = AudioFeatures(student, list(features.values())) if features else None
        self.embedding = embedding

    def logits(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits and emotion logits.

        Parameters
        ----------
        inputs : float32 [shape=(n, n_features + N_STATISTICS)]
            Features of the student, then `statistics` of the spectrogram.

        Returns
        -------
        classes : float32 [shape=(n, n_classes)]
        emotion : float32 [shape=(n, len(EMOTIONS))]
        """
        of_heads = [head.logits(inputs) for head in self.heads if isinstance(head, Head)]
        classes, emotion = zip(*of_heads, strict=True)
        return torch.stack(classes).mean(0), torch.stack(emotion).mean(0)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, ...]:
        """Return `Outputs` with the learned emotions, as a plain tuple for the exporter.

        Audio-features and embedding follow, if the ensemble has them.

        Parameters
        ----------
        log_mel : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
        """
        features = self.student.features(log_mel)
        classes, emotion = self.logits(torch.cat([features, statistics(log_mel)], dim=1))
        outputs = probabilities(classes, emotion[:, self.emotions], self.n_genres, self.temperature)
        more = [part(features) for part in (self.audio_features, self.embedding) if part]
        return (outputs.genres, outputs.emotion, outputs.music, outputs.known, *more)
