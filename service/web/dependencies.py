"""What the routes share: the parts of the running application, as FastAPI's dependencies."""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from service.model import Models, Scorer
from service.schemas import Limits
from service.settings import Settings
from service.taxonomy import Taxonomy
from service.web import uploads
from service.web.admission import NotReadyError, Queue, Uploads
from service.web.cache import Results
from service.web.metrics import Metrics


def _part(name: str) -> Callable[[Request], Awaitable[Any]]:
    """Return a dependency: what the application's state has under a name."""

    async def part(request: Request) -> Any:
        return getattr(request.app.state, name)

    return part


SettingsDep = Annotated[Settings, Depends(_part("settings"))]
ModelsDep = Annotated[Models, Depends(_part("models"))]
TaxonomyDep = Annotated[Taxonomy, Depends(_part("taxonomy"))]
LimitsDep = Annotated[Limits, Depends(_part("limits"))]
ResultsDep = Annotated[Results, Depends(_part("results"))]
QueueDep = Annotated[Queue, Depends(_part("queue"))]
MetricsDep = Annotated[Metrics, Depends(_part("metrics"))]
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
) -> Scorer:
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


AskedModelDep = Annotated[Scorer, Depends(_asked_model)]
UploadDep = Annotated[bytes, Depends(_upload)]
BatchDep = Annotated[list[uploads.Upload], Depends(_batch)]
