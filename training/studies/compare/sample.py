"""What a model of the comparison is given, what it answers, and how long it may take.

Conventions
-----------
* A *case* is one window of `service.audio.windows`, 15 s of a recording.
* A feature of a case is a *vector* [shape=(n_numbers,)] or a *picture* [shape=(n_rows, n_frames)];
  time runs along the last axis.
* A *side* is ``train``, ``valid`` or ``test``. A model learns from train, may choose an epoch on
  valid, and answers to test.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from training.data.corpus import Subset
from training.types import AnyFloats, Indices

UNKNOWN = -1  # label of what has none


class TooFewError(ValueError):
    """A row cannot be carried by the corpus. The message says what there is too little of."""


@dataclass(frozen=True)
class Budget:
    """How long the comparison may take, and how little will do.

    Attributes
    ----------
    epochs, patience : int
        Most that a network trains, and how long it may go without getting better on validation.
    seeds : int
        At most, of each row.
    fewest : dict of str to int
        Recordings of each class that a side needs for a row to be worth a number.
    recordings : int or None
        Of each kind and side, at most.
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
        One for each feature.
    label : int64 [shape=(n,)]
        Place in `classes`, or `UNKNOWN`.
    numbers : float32 [shape=(n, n_scales)]
        NaN where unknown.
    classes : tuple of str
    """

    inputs: tuple[AnyFloats, ...]
    label: Indices
    numbers: AnyFloats
    classes: tuple[str, ...]

    def at(self, chosen: NDArray[Any]) -> "Sample":
        """Return some of the cases, by place or by flag."""
        inputs = tuple(each[chosen] for each in self.inputs)
        return replace(self, inputs=inputs, label=self.label[chosen], numbers=self.numbers[chosen])


@dataclass(frozen=True)
class Epoch:
    """One point of a learning curve; the accuracy is NaN where nothing is classified."""

    train_loss: float
    valid_loss: float
    valid_accuracy: float


@dataclass(frozen=True)
class Answer:
    """What a model says of the test cases.

    Attributes
    ----------
    label : int64 [shape=(n,)], optional
    numbers : float [shape=(n, n_scales)], optional
        Only their ranks are looked at.
    history : tuple of Epoch
        Of the last network that was trained.
    elbow : tuple of float
        Of k-means: the squared distances that are left with 1, 2 ... kinds.
    note : str
        For the table.
    """

    label: Indices | None = None
    numbers: AnyFloats | None = None
    history: tuple[Epoch, ...] = ()
    elbow: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Trial:
    """What a model may learn from, choose on, and is asked."""

    train: Sample
    valid: Sample
    test: Sample
    seed: int
    budget: Budget


Model = Callable[[Trial], Answer]
"""Learns and answers to test. Its ``repr`` tells it from any other."""
