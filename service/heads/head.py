"""Heads in use: the labels of a recording by its embedding, and the heads that a folder has."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from service.card import Card
from service.heads.card import HeadCard
from service.heads.scoring import Floats, distances, softmax
from service.model import Models, NoEmbeddingError, Scorer, outputs_of
from service.schemas import HeadFound, LabelProbability

SUFFIX = ".json"
SAME_SPACE = 0.999  # least cosine of a reference recording in the same space
PROBABILITY_DIGITS = 5
DISTANCE_DIGITS = 4


class HeadError(ValueError):
    """A head cannot be used. The message is for the operator, in one line."""


class UnknownHeadError(LookupError):
    """No head of that name is loaded. The message is for the sender of a request."""


class OtherSpaceError(LookupError):
    """The head belongs to another model. The message is for the sender of a request."""


@dataclass(frozen=True)
class Head:
    """A head and its card.

    Attributes
    ----------
    card : HeadCard
    digest : str
        SHA-256 of the file.
    """

    card: HeadCard
    digest: str

    def judge(
        self, vector: Sequence[float], *, silent: bool = False
    ) -> tuple[list[LabelProbability], HeadFound]:
        """Return the labels of an embedding, the most probable first, and whether it is of any.

        Parameters
        ----------
        vector : sequence of float
            Of the space of the card.
        silent : bool
            Whether the recording holds no sound, so that it has none of the labels.
        """
        vectors: Floats = np.array([vector], np.float64)
        scores = vectors @ np.array(self.card.weights).T + np.array(self.card.bias)
        probabilities = softmax(scores)[0].round(PROBABILITY_DIGITS).tolist()
        distance = float(distances(vectors, np.array(self.card.centres))[0])
        labels = [
            LabelProbability(label=label, probability=probability)
            for label, probability in zip(self.card.labels, probabilities, strict=True)
        ]
        labels.sort(key=lambda each: -each.probability)
        known = distance <= self.card.limit and not silent
        found = HeadFound(
            name=self.card.name,
            digest=self.digest,
            label=labels[0].label if known else None,
            distance=round(distance, DISTANCE_DIGITS),
            limit=round(self.card.limit, DISTANCE_DIGITS),
        )
        return labels, found

    def belongs_to(self, model: Scorer) -> bool:
        """Return whether the head is of the space of a model's embedding."""
        space, reference = model.card.embedding, reference_of(model.card)
        if space is None or reference is None or space.space != self.card.space:
            return False
        ours = np.array(self.card.reference)
        return ours.shape == reference.shape and float(ours @ reference) >= SAME_SPACE

    def require(self, model: Scorer) -> None:
        """Refuse a model that the head does not belong to.

        Raises
        ------
        OtherSpaceError
        """
        if not self.belongs_to(model):
            raise OtherSpaceError(
                f"The head {self.card.name} belongs to the space {self.card.space}, which is not "
                f"that of version {model.card.version} of the model {model.card.name}."
            )


class Heads:
    """The loaded heads, by name.

    Parameters
    ----------
    heads : sequence of Head
    """

    def __init__(self, heads: Sequence[Head] = ()) -> None:
        self._heads = {head.card.name: head for head in heads}

    def __iter__(self) -> Iterator[Head]:
        """Iterate by name."""
        return iter(self._heads.values())

    def __getitem__(self, name: str) -> Head:
        """Return the head of a name.

        Raises
        ------
        UnknownHeadError
            If there is none.
        """
        try:
            return self._heads[name]
        except KeyError:
            raise UnknownHeadError(f"There is no head {name}; see /v1/heads.") from None


def read_head(path: Path) -> Head:
    """Read the file of a head.

    Raises
    ------
    HeadError
        If it cannot be read.
    """
    try:
        content = path.read_bytes()
        card = HeadCard.model_validate_json(content)
    except OSError as error:
        raise HeadError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "its content"
        raise HeadError(f"{path} is not a head of this version: see {where}.") from error
    return Head(card, f"sha256:{hashlib.sha256(content).hexdigest()}")


def load_heads(folder: Path | None, models: Models) -> Heads:
    """Load every ``*.json`` in a folder.

    Raises
    ------
    HeadError
        If the folder or a head cannot be read, two heads have one name, or a head does not belong
        to a model.
    """
    if folder is None:
        return Heads()
    if not folder.is_dir():
        raise HeadError(f"The folder of heads {folder} does not exist.")
    heads = [read_head(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    names = [head.card.name for head in heads]
    if twice := {name for name in names if names.count(name) > 1}:
        raise HeadError(f"Two files in {folder} are the head {min(twice)}.")
    for head in heads:
        if not any(head.belongs_to(model) for model in models):
            spaces = [each.card.embedding.space for each in models if each.card.embedding]
            raise HeadError(
                f"The head {head.card.name} belongs to another model: its space is "
                f"{head.card.space}, and the installed models have "
                f"{', '.join(spaces) or 'none'}. Teach it again."
            )
    return Heads(heads)


def reference_of(card: Card) -> Floats | None:
    """Return the embedding of the reference recording, of length 1; None without an embedding."""
    if card.embedding is None:
        return None
    of_a_window = sum(int(np.prod(shape)) for shape in outputs_of(card).values())
    windows = len(card.reference_answer) // of_a_window
    values = np.array(card.reference_answer[-windows * card.embedding.dimensions :])
    mean = values.reshape(windows, -1).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), np.finfo(float).tiny))


def space_of(model: Scorer) -> tuple[str, Floats]:
    """Return the name of a model's space, and the reference recording in it.

    Raises
    ------
    service.model.NoEmbeddingError
        If the model has no embedding.
    """
    space, reference = model.space(), reference_of(model.card)
    if reference is None:
        raise NoEmbeddingError(space.space)
    return space.space, reference
