"""Probes for liveness and readiness."""

from fastapi import APIRouter, Depends

from service.schemas import Health, Ready
from service.web import errors
from service.web.admission import NotReadyError
from service.web.dependencies import require_ready

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=errors.responses())
async def healthz() -> Health:
    """Say that the process is alive."""
    return Health()


@router.get(
    "/readyz",
    dependencies=[Depends(require_ready)],
    responses=errors.responses(NotReadyError),
)
async def readyz() -> Ready:
    """Say whether the decoders and models are verified, so that requests are accepted."""
    return Ready()
