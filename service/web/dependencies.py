"""What the routes share: the parts of the running application, as FastAPI's dependencies."""

from collections.abc import AsyncIterator
from concurrent.futures import Future
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from service.model import Model, UnknownModelError
from service.settings import Settings
from service.web import uploads
from service.web.admission import NotReadyError, Queue, Uploads


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _models(request: Request) -> dict[str, Model]:
    models: dict[str, Model] = request.app.state.models
    return models


async def _queue(request: Request) -> Queue:
    queue: Queue = request.app.state.queue
    return queue


SettingsDep = Annotated[Settings, Depends(_settings)]
ModelsDep = Annotated[dict[str, Model], Depends(_models)]
QueueDep = Annotated[Queue, Depends(_queue)]
NameInPath = Annotated[str, Path(description="Name of a model.", max_length=64)]
NameInQuery = Annotated[
    str | None,
    Query(description="Name of the model to ask, the default one unless given.", max_length=64),
]


async def require_ready(request: Request) -> None:
    """Refuse while the models are not proved: an unproved answer would be worse than none."""
    warming: Future[None] = request.app.state.warming
    if not warming.done():
        raise NotReadyError("The service is starting; ask again in a second.")
    if error := warming.exception():
        raise NotReadyError(f"The service cannot answer: {error}")


def named(models: dict[str, Model], name: str) -> Model:
    """Look a model up."""
    if name not in models:
        raise UnknownModelError(f"There is no model named {name}; see /v1/models.")
    return models[name]


async def _asked_model(
    settings: SettingsDep, models: ModelsDep, model: NameInQuery = None
) -> Model:
    return named(models, model or settings.model)


async def _upload(request: Request, settings: SettingsDep, queue: QueueDep) -> AsyncIterator[bytes]:
    """Read the recording, and hold its place until it is answered."""
    queue.refuse_if_full()  # before the sender has sent all of it
    held: Uploads = request.app.state.uploads
    async with held.place(queue):
        yield await uploads.read(request, settings.max_upload_bytes, settings.upload_seconds)


AskedModelDep = Annotated[Model, Depends(_asked_model)]
UploadDep = Annotated[bytes, Depends(_upload)]
