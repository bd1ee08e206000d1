"""The file of a trained student.

It holds the weights in half precision, the names of the targets, the scale of each audio-feature:
the student's own score, standardised, against values from 0 to 1, and the projection of the
features to an embedding. A file without the last one, or with scales of the emotions only, is that
of an earlier version; a model that is made from it lacks the outputs.
"""

import pickle
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from service.card import EMOTIONS, Emotion, Taught
from training.files import sha256, write_atomically
from training.fit.config import StudentConfig
from training.models.base import device
from training.models.student import Student
from training.types import AnyFloats, Floats

UNREADABLE = (
    EOFError, KeyError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError,
)  # fmt: skip
"""What PyTorch and pydantic raise for a file of something else."""

SHIPPED = Path(__file__).parents[1] / "student.pt"


class StudentError(RuntimeError):
    """A file is not that of a student."""


@dataclass(frozen=True)
class Scale:
    """How a target of the student becomes an audio-feature from 0 to 1.

    Attributes
    ----------
    column : int
        Of the targets.
    scores, values : list of float
        Corresponding quantiles of the student's output and of the values, ascending; linear
        between them.
    """

    column: int
    scores: list[float]
    values: list[float]

    def __call__(self, targets: AnyFloats) -> Floats:
        """Return the audio-feature of windows; [shape=(n,)] from [shape=(n, n_targets)]."""
        return np.asarray(np.interp(targets[:, self.column], self.scores, self.values))


@dataclass(frozen=True)
class EmotionScale(Scale):
    """The scale of an emotion, by values that people know.

    Attributes
    ----------
    width : float
        Half the width of the interval around a score that contains `COVERAGE` of the true values.
    """

    width: float


@dataclass(frozen=True)
class TaughtScale(Scale):
    """The scale of an audio-feature without true values, by the values of its teacher.

    Attributes
    ----------
    clips : int
        Test clips, of which no student hears its teacher's values.
    spearman, absolute_error : float
        Rank correlation with the teacher's values on those clips, and mean absolute difference.
    """

    clips: int
    spearman: float
    absolute_error: float


@dataclass(frozen=True)
class Projection:
    """The embedding of windows: principal components of the student's features.

    Attributes
    ----------
    centre : float32 [shape=(n_features,)]
    components : float32 [shape=(n_features, n_dimensions)]
        Scaled so that the embeddings of training windows have a mean square length of 1.
    """

    centre: AnyFloats
    components: AnyFloats

    def __call__(self, features: AnyFloats) -> AnyFloats:
        """Return the embedding of windows; [shape=(n, n_dimensions)] from (n, n_features)."""
        return np.asarray((features - self.centre) @ self.components)


@dataclass(frozen=True)
class TrainedStudent:
    """A student with the meaning of its targets.

    Attributes
    ----------
    network : Student
        In evaluation mode.
    kinds : dict of str to (int, int)
        First column and end of each kind of target.
    scales : dict of str to EmotionScale
        By emotion.
    config : StudentConfig
    taught : dict of str to TaughtScale
        By audio-feature; those that are not emotions.
    projection : Projection or None
    digest : str
        SHA-256 of the file; empty for a student that is not saved.
    """

    network: Student
    kinds: dict[str, tuple[int, int]]
    scales: dict[Emotion, EmotionScale]
    config: StudentConfig
    taught: dict[Taught, TaughtScale] = field(default_factory=dict)
    projection: Projection | None = None
    digest: str = ""

    def emotion(self, targets: AnyFloats) -> AnyFloats:
        """Return the emotions of windows.

        Parameters
        ----------
        targets : float32 [shape=(n, n_targets)]
            Output of the network.

        Returns
        -------
        emotion : float32 [shape=(n, len(EMOTIONS))]
            On Spotify's scale; NaN for an emotion that no teacher has.
        """
        scores = np.full((len(targets), len(EMOTIONS)), np.nan, np.float32)
        for place, emotion in enumerate(EMOTIONS):
            if emotion in self.scales:
                scores[:, place] = self.scales[emotion](targets)
        return scores


def save_student(student: TrainedStudent, path: Path) -> None:
    """Write a student. Half precision halves the file."""
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in student.network.state_dict().items()
    }
    content: dict[str, Any] = {
        "config": student.config.model_dump(),
        "kinds": {kind: list(columns) for kind, columns in student.kinds.items()},
        "scales": {name: vars(scale) for name, scale in student.scales.items()},
        "taught": {name: vars(scale) for name, scale in student.taught.items()},
        "state": state,
    }
    if student.projection:
        content["projection"] = {
            name: torch.from_numpy(values).half()
            for name, values in vars(student.projection).items()
        }
    write_atomically(path, partial(torch.save, content))


def load_student(path: Path) -> TrainedStudent:
    """Read a student.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StudentError
        If the file is not that of a student.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        config = StudentConfig.model_validate(content["config"])
        kinds = {kind: tuple(columns) for kind, columns in content["kinds"].items()}
        n_targets = max(end for _, end in kinds.values())
        network = Student(config.width, config.features, n_targets)
        network.load_state_dict({name: value.float() for name, value in content["state"].items()})
        scales = {name: EmotionScale(**scale) for name, scale in content["scales"].items()}
        taught = {name: TaughtScale(**scale) for name, scale in content.get("taught", {}).items()}
        projection = _projection(content.get("projection"))
    except UNREADABLE as error:
        raise StudentError(f"{path} is not the file of a student: {error}") from error
    return TrainedStudent(
        network.eval().to(device()), kinds, scales, config, taught, projection, sha256(path)
    )


def _projection(content: dict[str, torch.Tensor] | None) -> Projection | None:
    """Return the projection in a file, in single precision."""
    if content is None:
        return None
    return Projection(**{name: values.float().numpy() for name, values in content.items()})
