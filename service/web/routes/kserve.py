"""Aliases under ``/v2`` for probes of the Open Inference Protocol.

The protocol: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol. It
has no `infer` here, because the input of this service is a recording and not tensors.
"""

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError

from service import audio
from service.model import INPUT, UnknownModelError, outputs_of
from service.schemas import ModelMetadata, ModelReady, ServerLive, ServerReady, Tensor
from service.web import errors
from service.web.admission import NotReadyError
from service.web.auth import RateLimitedError, UnauthorizedError, authenticate
from service.web.dependencies import ModelsDep, NameInPath, require_ready

router = APIRouter(prefix="/v2", tags=["kserve"])

_PER_MODEL = errors.responses(
    UnknownModelError, RequestValidationError, NotReadyError, UnauthorizedError, RateLimitedError
)


@router.get("/health/live", responses=errors.responses())
async def live() -> ServerLive:
    """Say that the process is alive."""
    return ServerLive()


@router.get(
    "/health/ready",
    dependencies=[Depends(require_ready)],
    responses=errors.responses(NotReadyError),
)
async def ready() -> ServerReady:
    """Say whether requests are accepted."""
    return ServerReady()


@router.get(
    "/models/{name}/ready",
    dependencies=[Depends(authenticate), Depends(require_ready)],
    responses=_PER_MODEL,
)
async def model_ready(models: ModelsDep, name: NameInPath) -> ModelReady:
    """Say whether a model can be used."""
    return ModelReady(name=models[name].card.name)


@router.get("/models/{name}", dependencies=[Depends(authenticate)], responses=_PER_MODEL)
async def model_metadata(models: ModelsDep, name: NameInPath) -> ModelMetadata:
    """Describe a model's tensors; /v1/models/{name} has its card."""
    model = models[name]
    return ModelMetadata(
        name=model.card.name,
        versions=[each.card.version for each in models if each.card.name == model.card.name],
        inputs=[Tensor(name=INPUT, shape=[-1, audio.N_MELS, audio.N_FRAMES])],
        outputs=[
            Tensor(name=output, shape=[-1, *shape])
            for output, shape in outputs_of(model.card).items()
        ],
    )
