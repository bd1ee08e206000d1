"""Metrics for Prometheus.

Worker processes share them through a folder, which `service.__main__` creates and names in
``PROMETHEUS_MULTIPROC_DIR``, as prometheus_client requires.
"""

import os
from pathlib import Path

from prometheus_client import (
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
from service.web.admission import Queue

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # upper bounds of buckets

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the lines


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "fifteen_requests", "Requests answered.", ["method", "route", "status"]
        )
        self.request_seconds = Histogram(
            "fifteen_request_seconds",
            "From a request's head to the end of its response.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.refusals = self._counter(
            "fifteen_refusals",
            "Requests, and files of a batch, that were refused, by problem type.",
            ["type"],
        )
        self.stage_seconds = Histogram(
            "fifteen_stage_seconds",
            "Duration of each stage of an analysis.",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.answers = self._counter(
            "fifteen_answers", "Recordings analysed.", ["model", "verdict", "genre"]
        )
        self.feedback = self._counter(
            "fifteen_feedback", "Entries of feedback that senders stored and deleted.", ["event"]
        )
        self.in_flight = self._gauge("fifteen_requests_in_flight", "Requests in progress.")
        self.live = self._gauge("fifteen_live_connections", "Live connections that are open.")
        self.running = self._gauge("fifteen_recordings_running", "Recordings being analysed.")
        self.waiting = self._gauge("fifteen_recordings_waiting", "Recordings waiting in the queue.")
        self.models = Gauge(
            "fifteen_model_info",
            "1 for each installed model.",
            ["name", "version", "digest"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def _counter(self, name: str, help_: str, labels: list[str]) -> Counter:
        return Counter(name, help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str) -> Gauge:
        return Gauge(name, help_, registry=self.registry, multiprocess_mode="livesum")

    def install(self, models: Models) -> None:
        """Publish the installed models."""
        for model in models:
            self.models.labels(model.card.name, model.card.version, model.digest).set(1)

    def answered(self, analysis: Analysis) -> None:
        """Count an analysis by its verdict."""
        self.answers.labels(analysis.model.name, analysis.verdict, analysis.genre).inc()

    def worked(self, timings: Timings) -> None:
        """Record the duration of each stage of an analysis."""
        for stage, milliseconds in timings.model_dump().items():
            name = stage.removesuffix("_ms")
            self.stage_seconds.labels(name).observe(milliseconds / 1_000)

    def queued(self, queue: Queue) -> None:
        """Record the state of the queue."""
        self.running.set(queue.running)
        self.waiting.set(queue.waiting)

    def text(self) -> bytes:
        """Return the metrics of all processes together, in Prometheus's text format."""
        registry = self.registry
        if folder := os.environ.get(FOLDER):
            _remove_gauges_of_dead_processes(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _remove_gauges_of_dead_processes(folder: Path) -> None:
    """Remove the live gauges of processes that were killed; their counters stay valid."""
    for file in folder.glob("gauge_live*_*.db"):
        if not _is_alive(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)  # another process may do the same


def _is_alive(pid: int) -> bool:
    """Return whether a process exists."""
    if os.name == "nt":  # where this call would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
