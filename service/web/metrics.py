"""Metrics for Prometheus, at ``/metrics``.

Several worker processes share them through a folder that `service.__main__` makes and names in
``PROMETHEUS_MULTIPROC_DIR``, as prometheus_client wants it.
"""

import os
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from service.model import Models
from service.schemas import Analysis, Timings
from service.web import errors
from service.web.admission import Queue
from service.web.auth import RateLimitedError, UnauthorizedError, let_in

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # upper ends of bins

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}

router = APIRouter(tags=["health"])


disable_created_metrics()  # type: ignore[no-untyped-call]  # half of the lines would be times that nobody asks for


class Metrics:
    """What one process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fifteen_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "fifteen_request_seconds",
            "From a request's head to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.refusals = Counter(
            "fifteen_refusals",
            "Requests, and files of a batch, that were refused, by problem type.",
            ["type"],
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "fifteen_stage_seconds",
            "Where an analysis spends its time.",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "fifteen_answers",
            "Recordings analysed.",
            ["model", "verdict", "genre"],
            registry=self.registry,
        )
        self.in_flight = self._gauge("fifteen_requests_in_flight", "Requests being answered.")
        self.running = self._gauge("fifteen_recordings_running", "Recordings being analysed.")
        self.waiting = self._gauge("fifteen_recordings_waiting", "Recordings waiting their turn.")
        self.models = Gauge(
            "fifteen_model_info",
            "1 for each installed model.",
            ["name", "version", "digest"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def _gauge(self, name: str, help_: str) -> Gauge:
        return Gauge(name, help_, registry=self.registry, multiprocess_mode="livesum")

    def install(self, models: Models) -> None:
        """Name the installed models."""
        for model in models:
            self.models.labels(model.card.name, model.card.version, model.digest).set(1)

    def answered(self, analysis: Analysis) -> None:
        """Count an answer."""
        self.answers.labels(analysis.model.name, analysis.verdict, analysis.genre).inc()

    def worked(self, timings: Timings) -> None:
        """Note where the time of an analysis went."""
        for stage, milliseconds in timings.model_dump().items():
            name = stage.removesuffix("_ms")
            self.stage_seconds.labels(name).observe(milliseconds / 1_000)

    def queued(self, queue: Queue) -> None:
        """Read the queue."""
        self.running.set(queue.running)
        self.waiting.set(queue.waiting)

    def text(self) -> bytes:
        """Return everything counted, by all processes together, in Prometheus's text format."""
        registry = self.registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


@router.get(
    "/metrics",
    response_class=Response,
    dependencies=[Depends(let_in)],
    responses=errors.responses(UnauthorizedError, RateLimitedError) | _TEXT,
)
async def show_metrics(request: Request) -> Response:
    """Show what has been counted, for Prometheus."""
    metrics: Metrics = request.app.state.metrics
    metrics.queued(request.app.state.queue)
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
