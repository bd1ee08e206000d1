"""The data of a model of the comparison: samples, predictions and budget.

Conventions
-----------
* A *case* is one window of `service.audio.windows`, 15 s of a recording.
* A feature of a case is a *vector* [shape=(n_numbers,)] or a *picture* [shape=(n_rows, n_frames)];
  time runs along the last axis.
* A model is trained on train, may select an epoch on valid, and predicts test.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from training.data.corpus import Subset
from training.types import AnyFloats, Indices

UNKNOWN = -1  # label of a case without one


class TooFewError(ValueError):
    """The corpus does not suffice for a row. The message says what is missing."""


@dataclass(frozen=True)
class Budget:
    """The limits of a comparison.

    Attributes
    ----------
    epochs, patience : int
        Maximum number of epochs, and of epochs without a better validation loss.
    seeds : int
        Maximum number for each row.
    fewest : dict of str to int
        Minimum number of recordings of each class in each subset.
    recordings : int or None
        Maximum number of each kind in each subset.
    """

    epochs: int
    patience: int
    seeds: int
    fewest: dict[Subset, int]
    recordings: int | None = None


FULL = Budget(epochs=25, patience=5, seeds=3, fewest={"train": 8, "valid": 1, "test": 2})
FAST = Budget(
    epochs=1, patience=1, seeds=1, fewest={"train": 1, "valid": 1, "test": 1}, recordings=3
)


@dataclass(frozen=True)
class Sample:
    """Some cases.

    Attributes
    ----------
    inputs : tuple of float [shape=(n, ...)]
        One array per feature.
    label : int64 [shape=(n,)]
        Index into `classes`, or `UNKNOWN`.
    scores : float32 [shape=(n, n_scales)]
        Values on the scales; NaN if unknown.
    classes : tuple of str
    """

    inputs: tuple[AnyFloats, ...]
    label: Indices
    scores: AnyFloats
    classes: tuple[str, ...]

    def at(self, chosen: NDArray[Any]) -> "Sample":
        """Return some of the cases, by index or by flag."""
        inputs = tuple(each[chosen] for each in self.inputs)
        return replace(self, inputs=inputs, label=self.label[chosen], scores=self.scores[chosen])


@dataclass(frozen=True)
class Epoch:
    """One point of a learning curve; the accuracy is NaN without classes."""

    train_loss: float
    valid_loss: float
    valid_accuracy: float


@dataclass(frozen=True)
class Prediction:
    """The predictions of a model for the test cases.

    Attributes
    ----------
    label : int64 [shape=(n,)], optional
    scores : float [shape=(n, n_scales)], optional
        Only their ranks are used.
    history : tuple of Epoch
        Of the last trained network.
    elbow : tuple of float
        Of k-means: the sum of squared distances with 1, 2 ... clusters.
    note : str
        For the table.
    """

    label: Indices | None = None
    scores: AnyFloats | None = None
    history: tuple[Epoch, ...] = ()
    elbow: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Trial:
    """The samples of one training, its seed and its budget."""

    train: Sample
    valid: Sample
    test: Sample
    seed: int
    budget: Budget


Model = Callable[[Trial], Prediction]
"""Trains, and predicts test. Its ``repr`` identifies its settings."""
