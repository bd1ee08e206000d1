"""Probes: whether the process lives, and whether it may be asked."""

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
    """Say whether decoders and models have been proved, so that requests are welcome."""
    return Ready()
