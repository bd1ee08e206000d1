"""HTTP face of the models: POST a recording, get what they hear in it."""

import logging
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError

from service import client, problems, uploads
from service.analysis import analyse, warm_up
from service.model import Model, ModelError, UnknownModelError, load_models
from service.problems import NotReadyError
from service.schemas import (
    Analysis,
    Health,
    ModelCard,
    ModelList,
    ModelSummary,
    Ready,
)
from service.settings import Settings

logger = logging.getLogger(__name__)
router = APIRouter()

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            uploads.FORM: {
                "schema": {
                    "type": "object",
                    "required": [uploads.FILE_PART],
                    "properties": {
                        uploads.FILE_PART: {**_BINARY["schema"], "description": "The recording."}
                    },
                }
            },
        }
        | dict.fromkeys(uploads.RAW, _BINARY),
    }
}


def create_app(settings: Settings) -> FastAPI:
    """Build the application. Models are loaded when it starts, and proved in the background.

    Its start raises `service.model.ModelError` if a model cannot be served.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.models = _load(settings)
        app.state.workers = CapacityLimiter(settings.workers)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="warm-up") as executor:
            app.state.warming = executor.submit(warm_up, app.state.models.values())
            app.state.warming.add_done_callback(_log_failure)
            yield

    app = FastAPI(
        title="Fifteen",
        summary="Fifteen seconds of music in: genre, valence, energy and danceability out.",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.settings = settings
    app.include_router(router)
    client.install(app)
    problems.install(app, settings.max_upload_bytes)
    return app


def _load(settings: Settings) -> dict[str, Model]:
    """Load the models, the default among them."""
    models = load_models(settings.models)
    if settings.model not in models:
        raise ModelError(
            f"The default model {settings.model} is not in {settings.models}, "
            f"which has: {', '.join(models)}."
        )
    return models


def _log_failure(warming: Future[None]) -> None:
    """Tell the operator why the service stays not ready."""
    if error := warming.exception():
        logger.error("Not ready: %s", error, exc_info=error)


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _models(request: Request) -> dict[str, Model]:
    models: dict[str, Model] = request.app.state.models
    return models


async def _workers(request: Request) -> CapacityLimiter:
    workers: CapacityLimiter = request.app.state.workers
    return workers


async def _require_ready(request: Request) -> None:
    """Refuse while the models are not proved: an unproved answer would be worse than none."""
    warming: Future[None] = request.app.state.warming
    if not warming.done():
        raise NotReadyError("The service is starting; ask again in a second.")
    if error := warming.exception():
        raise NotReadyError(f"The service cannot answer: {error}")


SettingsDep = Annotated[Settings, Depends(_settings)]
ModelsDep = Annotated[dict[str, Model], Depends(_models)]
WorkersDep = Annotated[CapacityLimiter, Depends(_workers)]
NameInPath = Annotated[str, Path(description="Name of a model.", max_length=64)]
NameInQuery = Annotated[
    str | None,
    Query(description="Name of the model to ask, the default one unless given.", max_length=64),
]


async def _asked_model(
    settings: SettingsDep, models: ModelsDep, model: NameInQuery = None
) -> Model:
    return _named(models, model or settings.model)


async def _upload(request: Request, settings: SettingsDep) -> bytes:
    return await uploads.read(request, settings.max_upload_bytes)


AskedModelDep = Annotated[Model, Depends(_asked_model)]
UploadDep = Annotated[bytes, Depends(_upload)]


def _named(models: dict[str, Model], name: str) -> Model:
    """Look a model up."""
    if name not in models:
        raise UnknownModelError(f"There is no model named {name}; see /v1/models.")
    return models[name]


@router.post(
    "/v1/analyze",
    tags=["analysis"],
    dependencies=[Depends(_require_ready)],
    openapi_extra=_REQUEST_BODY,
    responses=problems.responses(*problems.KINDS),
)
async def analyze(model: AskedModelDep, upload: UploadDep, workers: WorkersDep) -> Analysis:
    """Say what a model hears in a recording: genre, valence, energy and danceability.

    The verdict says what the answer is worth: speech, noise and silence have one, too.

    Send the file as a form's part `file`, or as the body itself. Fifteen seconds are best: a
    longer recording is answered by the mean over its windows of 15 s, a shorter one is repeated.
    The container is recognised by its content, whatever the request calls it.
    """
    return await to_thread.run_sync(analyse, upload, model, limiter=workers)


@router.get("/v1/models", tags=["models"], responses=problems.responses())
async def list_models(settings: SettingsDep, models: ModelsDep) -> ModelList:
    """List the installed models."""
    return ModelList(
        models=[
            ModelSummary(
                name=name,
                version=model.card.version,
                digest=model.digest,
                description=model.card.description,
                genres=model.card.genres,
                default=name == settings.model,
            )
            for name, model in models.items()
        ]
    )


@router.get(
    "/v1/models/{name}",
    tags=["models"],
    responses=problems.responses(UnknownModelError, RequestValidationError),
)
async def show_model(models: ModelsDep, name: NameInPath) -> ModelCard:
    """Show a model's card: what it was trained on, how good it is and what it cannot do."""
    model = _named(models, name)
    return ModelCard(**dict(model.card), digest=model.digest)


@router.get("/healthz", tags=["health"], responses=problems.responses())
async def healthz() -> Health:
    """Say that the process is alive."""
    return Health()


@router.get(
    "/readyz",
    tags=["health"],
    dependencies=[Depends(_require_ready)],
    responses=problems.responses(NotReadyError),
)
async def readyz() -> Ready:
    """Say whether decoders and models have been proved, so that requests are welcome."""
    return Ready()
