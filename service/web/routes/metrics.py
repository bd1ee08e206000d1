"""The metrics of Prometheus."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.web import errors
from service.web.auth import RateLimitedError, UnauthorizedError, authenticate
from service.web.dependencies import MetricsDep, QueueDep

router = APIRouter(tags=["health"])

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get(
    "/metrics",
    response_class=Response,
    dependencies=[Depends(authenticate)],
    responses=errors.responses(UnauthorizedError, RateLimitedError) | _TEXT,
)
async def show_metrics(metrics: MetricsDep, queue: QueueDep) -> Response:
    """Show what has been counted, for Prometheus."""
    metrics.queued(queue)
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
