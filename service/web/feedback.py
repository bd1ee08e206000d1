"""One feedback: JSON -> an entry of the store, if it is about a model and labels that are here.

Labels come from a closed set, so that no sender's own text is stored. A vector can be checked for
its form only: a sender may say anything of any vector, as of any sound.
"""

import math
import uuid
from datetime import UTC, datetime

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service.card import Card
from service.feedback import Feedback
from service.heads import Heads
from service.model import Models
from service.schemas import FeedbackEmbedding, FeedbackSent
from service.taxonomy import Taxonomy

LENGTH_TOLERANCE = 1e-3  # rounding the numbers of an answer changes the length by less than 1e-4


class NoFeedbackError(LookupError):
    """The operator takes no feedback."""


class UnknownFeedbackError(LookupError):
    """The sender stored no entry of that id, or it is deleted."""


class UnknownLabelError(LookupError):
    """The label is neither a genre of the model, nor one of the head that is named."""


class ForeignEmbeddingError(LookupError):
    """The embedding is of the space of no loaded model."""


class InvalidEmbeddingError(ValueError):
    """The vector has another number of dimensions than its space, or another length than 1."""


def parse(body: bytes) -> FeedbackSent:
    """Read a request's JSON; raises `RequestValidationError`, as FastAPI does.

    Of members that are there twice, the last counts. Nothing of the body is in the error.
    """
    try:
        return FeedbackSent.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in found]
        ) from error


def entry_of(
    sent: FeedbackSent, models: Models, heads: Heads, taxonomy: Taxonomy, sender: str | None
) -> Feedback:
    """Return the entry to store.

    Raises
    ------
    ForeignEmbeddingError, InvalidEmbeddingError
        If the vector is of no loaded model.
    service.heads.UnknownHeadError, service.heads.OtherSpaceError
        If the head is not loaded, or does not belong to that model.
    UnknownLabelError
        If a label is not one of the head's or, without a head, of the model's genres.
    """
    model = next(
        (
            each
            for each in models
            if each.card.embedding and each.card.embedding.space == sent.embedding.space
        ),
        None,
    )
    if model is None:
        raise ForeignEmbeddingError(
            "The embedding is of none of the models here. Ask for the answer again."
        )
    _require_unit(sent.embedding, model.card)
    if sent.head is None:
        labels = taxonomy.rename(model.card.genres)
    else:
        head = heads[sent.head]
        head.require(model)
        labels = head.card.labels
    for label in (sent.label, sent.answered):
        if label is not None and label not in labels:
            raise UnknownLabelError(f"The label is none of: {', '.join(sorted(set(labels)))}.")
    return Feedback(
        id=str(uuid.uuid4()),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        head=sent.head,
        label=sent.label,
        answered=sent.answered,
        sender=sender,
        space=sent.embedding.space,
        vector=tuple(sent.embedding.values),
    )


def _require_unit(embedding: FeedbackEmbedding, card: Card) -> None:
    """Refuse a vector that no answer of a model has."""
    dimensions = card.embedding.dimensions if card.embedding else 0
    if len(embedding.values) != dimensions:
        raise InvalidEmbeddingError(f"A vector of {embedding.space} has {dimensions} numbers.")
    if abs(math.hypot(*embedding.values) - 1) > LENGTH_TOLERANCE:
        raise InvalidEmbeddingError("The vector must have length 1, as in an answer.")
