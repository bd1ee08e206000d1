"""FastAPI dependencies that the routes share: objects of the running application, and uploads."""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from service.feedback import Store
from service.heads import Head, Heads
from service.library.search import Vectors
from service.model import Models, Scorer
from service.schemas import Limits
from service.settings import Settings
from service.taxonomy import Taxonomy
from service.web import uploads
from service.web.admission import BodyLimiter, NotReadyError, Queue
from service.web.auth import authenticate
from service.web.cache import AnswerCache
from service.web.metrics import Metrics


def _state(name: str) -> Callable[[Request], Awaitable[Any]]:
    """Return a dependency on an attribute of the application's state."""

    async def state(request: Request) -> Any:
        return getattr(request.app.state, name)

    return state


SettingsDep = Annotated[Settings, Depends(_state("settings"))]
ModelsDep = Annotated[Models, Depends(_state("models"))]
VectorsDep = Annotated[Vectors | None, Depends(_state("vectors"))]
FeedbackDep = Annotated[Store | None, Depends(_state("feedback"))]
HeadsDep = Annotated[Heads, Depends(_state("heads"))]
TaxonomyDep = Annotated[Taxonomy, Depends(_state("taxonomy"))]
LimitsDep = Annotated[Limits, Depends(_state("limits"))]
AnswerCacheDep = Annotated[AnswerCache, Depends(_state("cache"))]
QueueDep = Annotated[Queue, Depends(_state("queue"))]
MetricsDep = Annotated[Metrics, Depends(_state("metrics"))]
NameInPath = Annotated[
    str,
    Path(
        description="A model: `name`, the newest version of it, or `name:version`.", max_length=64
    ),
]
NameInQuery = Annotated[
    str | None,
    Query(
        description="The model to use: `name`, the newest version of it, or `name:version`. The "
        "default model unless given.",
        max_length=64,
    ),
]


HeadInQuery = Annotated[
    str | None,
    Query(
        description="Return the labels of this head of the operator, too; see /v1/heads.",
        max_length=64,
    ),
]


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: a misspelt option would be ignored.

    Only the routes that take a recording have options. Probes and monitors may add parameters to
    the others.
    """
    route: APIRoute = request.scope["route"]
    parameters = get_flat_params(route.dependant)
    known = [each.alias for each in parameters if isinstance(each.field_info, params.Query)]
    wrong = [
        {"loc": ("query", name), "msg": _no_parameter(name, known), "type": "extra_forbidden"}
        for name in request.query_params
        if name not in known
    ]
    if wrong:
        raise RequestValidationError(wrong)


def _no_parameter(name: str, known: list[str]) -> str:
    """Return that there is no parameter of a name, and the nearest one that there is."""
    near = get_close_matches(name, known, 1) or [" or ".join(known)]
    return f"There is no such parameter; use {near[0]}"


async def require_ready(connection: HTTPConnection) -> None:
    """Refuse until the models are verified: a wrong answer is worse than none."""
    warming: Future[None] = connection.app.state.warming
    if not warming.done():
        raise NotReadyError("The service is starting; try again in a second.")
    if error := warming.exception():
        raise NotReadyError(f"The service cannot answer: {error}")


TAKES_RECORDINGS = [
    Depends(each) for each in (authenticate, refuse_unknown_parameters, require_ready)
]
"""What every route that takes a recording asks first, in this order."""


async def _requested_model(
    settings: SettingsDep, models: ModelsDep, model: NameInQuery = None
) -> Scorer:
    return models[model or settings.model]


async def _requested_head(heads: HeadsDep, head: HeadInQuery = None) -> Head | None:
    return None if head is None else heads[head]


async def _body_in_memory(request: Request, queue: QueueDep) -> AsyncIterator[None]:
    """Count a body from its first byte until its response."""
    queue.refuse_if_full()  # before the body is read
    bodies: BodyLimiter = request.app.state.bodies
    async with bodies.hold(queue):
        yield


BodyInMemoryDep = Annotated[None, Depends(_body_in_memory)]


async def _upload(request: Request, settings: SettingsDep, _: BodyInMemoryDep) -> bytes:
    return await uploads.read(request, settings.max_upload_bytes, settings.upload_seconds)


async def _batch(
    request: Request, settings: SettingsDep, _: BodyInMemoryDep
) -> list[uploads.Upload]:
    return await uploads.read_several(request, settings.max_upload_bytes, settings.upload_seconds)


async def _json(request: Request, settings: SettingsDep, _: BodyInMemoryDep) -> bytes:
    return await uploads.read_json(request, settings.upload_seconds)


RequestedModelDep = Annotated[Scorer, Depends(_requested_model)]
RequestedHeadDep = Annotated[Head | None, Depends(_requested_head)]
UploadDep = Annotated[bytes, Depends(_upload)]
JsonDep = Annotated[bytes, Depends(_json)]
BatchDep = Annotated[list[uploads.Upload], Depends(_batch)]
