"""The file of a trained student.

It holds the weights in half precision, the names of the targets, and the scale of each emotion: the
student's own score, standardised, against the values that people know.
"""

import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from service.card import EMOTIONS, Emotion
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
class EmotionScale:
    """How a target of the student becomes an emotion on Spotify's scale.

    Attributes
    ----------
    column : int
        Of the targets.
    scores, values : list of float
        Corresponding quantiles of the student's output and of the true values, ascending; linear
        between them.
    width : float
        Half the width of the interval around a score that contains `COVERAGE` of the true values.
    """

    column: int
    scores: list[float]
    values: list[float]
    width: float

    def __call__(self, targets: AnyFloats) -> Floats:
        """Return the emotion of windows; [shape=(n,)] from [shape=(n, n_targets)]."""
        return np.asarray(np.interp(targets[:, self.column], self.scores, self.values))


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
    digest : str
        SHA-256 of the file; empty for a student that is not saved.
    """

    network: Student
    kinds: dict[str, tuple[int, int]]
    scales: dict[Emotion, EmotionScale]
    config: StudentConfig
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
        "state": state,
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
    except UNREADABLE as error:
        raise StudentError(f"{path} is not the file of a student: {error}") from error
    return TrainedStudent(network.eval().to(device()), kinds, scales, config, sha256(path))
