"""What the routes share: the parts of the running application, as FastAPI's dependencies."""

from collections.abc import AsyncIterator
from concurrent.futures import Future
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from service.model import Model, Models
from service.schemas import Limits
from service.settings import Settings
from service.taxonomy import Taxonomy
from service.web import uploads
from service.web.admission import NotReadyError, Queue, Uploads
from service.web.metrics import Metrics
from service.web.results import Results


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _models(request: Request) -> Models:
    models: Models = request.app.state.models
    return models


async def _taxonomy(request: Request) -> Taxonomy:
    taxonomy: Taxonomy = request.app.state.taxonomy
    return taxonomy


async def _limits(request: Request) -> Limits:
    limits: Limits = request.app.state.limits
    return limits


async def _results(request: Request) -> Results:
    results: Results = request.app.state.results
    return results


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def _queue(request: Request) -> Queue:
    queue: Queue = request.app.state.queue
    return queue


SettingsDep = Annotated[Settings, Depends(_settings)]
ModelsDep = Annotated[Models, Depends(_models)]
TaxonomyDep = Annotated[Taxonomy, Depends(_taxonomy)]
LimitsDep = Annotated[Limits, Depends(_limits)]
ResultsDep = Annotated[Results, Depends(_results)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
QueueDep = Annotated[Queue, Depends(_queue)]
NameInPath = Annotated[
    str,
    Path(
        description="A model: `name`, the newest version of it, or `name:version`.", max_length=64
    ),
]
NameInQuery = Annotated[
    str | None,
    Query(
        description="The model to ask: `name`, of which the newest version answers, or "
        "`name:version`. The default one unless given.",
        max_length=64,
    ),
]


async def require_ready(request: Request) -> None:
    """Refuse while the models are not proved: an unproved answer would be worse than none."""
    warming: Future[None] = request.app.state.warming
    if not warming.done():
        raise NotReadyError("The service is starting; ask again in a second.")
    if error := warming.exception():
        raise NotReadyError(f"The service cannot answer: {error}")


async def _asked_model(
    settings: SettingsDep, models: ModelsDep, model: NameInQuery = None
) -> Model:
    return models[model or settings.model]


async def _place(request: Request, queue: QueueDep) -> AsyncIterator[None]:
    """Hold a place for a body until it is answered."""
    queue.refuse_if_full()  # before the sender has sent all of it
    held: Uploads = request.app.state.uploads
    async with held.place(queue):
        yield


PlaceDep = Annotated[None, Depends(_place)]


async def _upload(request: Request, settings: SettingsDep, _: PlaceDep) -> bytes:
    return await uploads.read(request, settings.max_upload_bytes, settings.upload_seconds)


async def _batch(request: Request, settings: SettingsDep, _: PlaceDep) -> list[uploads.Upload]:
    return await uploads.read_several(request, settings.max_upload_bytes, settings.upload_seconds)


AskedModelDep = Annotated[Model, Depends(_asked_model)]
UploadDep = Annotated[bytes, Depends(_upload)]
BatchDep = Annotated[list[uploads.Upload], Depends(_batch)]
