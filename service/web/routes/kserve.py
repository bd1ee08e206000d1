"""Aliases under ``/v2``, so that probes made for the Open Inference Protocol work.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol has it. What
this service takes is a recording, not tensors: `infer` is not among them.
"""

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError

from service import audio
from service.model import INPUT, OUTPUTS, UnknownModelError
from service.schemas import ModelMetadata, ModelReady, ServerLive, ServerReady, Tensor
from service.web import errors
from service.web.admission import NotReadyError
from service.web.auth import RateLimitedError, UnauthorizedError, let_in
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
    """Say whether requests are welcome."""
    return ServerReady()


@router.get(
    "/models/{name}/ready",
    dependencies=[Depends(let_in), Depends(require_ready)],
    responses=_PER_MODEL,
)
async def model_ready(models: ModelsDep, name: NameInPath) -> ModelReady:
    """Say whether a model may be asked."""
    return ModelReady(name=models[name].card.name)


@router.get("/models/{name}", dependencies=[Depends(let_in)], responses=_PER_MODEL)
async def model_metadata(models: ModelsDep, name: NameInPath) -> ModelMetadata:
    """Describe a model's tensors; /v1/models/{name} has its card."""
    asked = models[name]
    widths = {"genre_probabilities": len(asked.card.genres), "emotion": len(asked.card.emotions)}
    return ModelMetadata(
        name=asked.card.name,
        versions=[each.card.version for each in models if each.card.name == asked.card.name],
        inputs=[Tensor(name=INPUT, shape=[-1, audio.N_MELS, audio.N_FRAMES])],
        outputs=[
            Tensor(name=output, shape=[-1, widths[output]] if output in widths else [-1])
            for output in OUTPUTS
        ],
    )
