"""What senders say of answers, over HTTP; only where the operator names a file for it."""

from dataclasses import dataclass
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, FastAPI, Path
from fastapi.exceptions import RequestValidationError
from pydantic.json_schema import models_json_schema

from service.feedback import Store, StoreError
from service.heads import OtherSpaceError, UnknownHeadError
from service.schemas import FeedbackSent, FeedbackStored
from service.web import errors, uploads
from service.web.admission import NotReadyError, OverloadedError
from service.web.auth import CallerDep, RateLimitedError, UnauthorizedError, authenticate
from service.web.dependencies import (
    FeedbackDep,
    HeadsDep,
    JsonDep,
    MetricsDep,
    ModelsDep,
    TaxonomyDep,
    require_ready,
)
from service.web.feedback import NoFeedbackError, UnknownFeedbackError, entry_of, parse

SCHEMAS = "#/components/schemas/{model}"

_ANY = (
    NoFeedbackError, NotReadyError, RateLimitedError, RequestValidationError, StoreError,
    UnauthorizedError,
)  # fmt: skip
_POSTED = (
    *errors.FEEDBACK, OtherSpaceError, OverloadedError, UnknownHeadError,
    uploads.BodyTooLargeError, uploads.EmptyBodyError, uploads.IncompleteBodyError,
    uploads.UnsupportedContentEncodingError, uploads.UploadTimeoutError,
)  # fmt: skip
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            uploads.JSON: {"schema": {"$ref": SCHEMAS.format(model=FeedbackSent.__name__)}}
        },
    }
}


async def _store(feedback: FeedbackDep) -> Store:
    """Refuse without a store, before the body is read."""
    if feedback is None:
        raise NoFeedbackError("This service takes no feedback.")
    return feedback


StoreDep = Annotated[Store, Depends(_store)]

router = APIRouter(
    prefix="/v1/feedback",
    tags=["feedback"],
    dependencies=[Depends(authenticate), Depends(require_ready), Depends(_store)],
)


@dataclass(frozen=True)
class FeedbackHandler:
    """Stores feedback about what is loaded.

    It is a dependency: FastAPI fills in the fields.
    """

    store: StoreDep
    models: ModelsDep
    heads: HeadsDep
    taxonomy: TaxonomyDep
    metrics: MetricsDep

    async def keep(self, body: bytes, sender: str | None) -> FeedbackStored:
        """Check and store one feedback."""
        entry = entry_of(parse(body), self.models, self.heads, self.taxonomy, sender)
        await to_thread.run_sync(self.store.add, entry)
        self.metrics.feedback.labels("stored").inc()
        return FeedbackStored(id=entry.id, created=entry.created)


@router.post(
    "",
    status_code=201,
    openapi_extra=_BODY,
    responses=errors.responses(*{*_ANY, *_POSTED} - {UnknownFeedbackError}),
)
async def give_feedback(
    handler: Annotated[FeedbackHandler, Depends()], caller: CallerDep, body: JsonDep
) -> FeedbackStored:
    """Say what is right in place of an answer.

    The service keeps no answers: send the embedding of the answer back, and the right label. Both
    are stored, with the time and the name of the owner of the key; the sound is not.
    """
    return await handler.keep(body, caller.owner)


@router.delete("/{name}", status_code=204, responses=errors.responses(*_ANY, UnknownFeedbackError))
async def delete_feedback(
    store: StoreDep,
    caller: CallerDep,
    metrics: MetricsDep,
    name: Annotated[str, Path(description="The `id` of the feedback.", max_length=64)],
) -> None:
    """Delete feedback that the same sender gave."""
    if not await to_thread.run_sync(store.delete, name, caller.owner):
        raise UnknownFeedbackError("There is no such feedback of yours.")
    metrics.feedback.labels("deleted").inc()


def publish(app: FastAPI) -> None:
    """Put the schema of the request into the OpenAPI document: FastAPI does not read the body."""
    generate = app.openapi
    _, definitions = models_json_schema([(FeedbackSent, "validation")], ref_template=SCHEMAS)

    def openapi() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"] |= definitions["$defs"]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
