"""OpenTelemetry spans of an analysis's stages, inside FastAPI's span of the request.

They cost nothing without a provider. The SDK, which exports them, is the extra ``otel``.
"""

import time
from collections.abc import Callable
from importlib import import_module

from opentelemetry import trace

from service.schemas import Timings
from service.settings import ConfigError

_TRACER = trace.get_tracer("fifteen")


def start_tracing() -> Callable[[], None]:
    """Export spans to ``OTEL_EXPORTER_OTLP_ENDPOINT``.

    Returns
    -------
    stop : callable
        Exports the remaining spans.

    Raises
    ------
    ConfigError
        If the SDK is not installed.
    """
    try:
        sdk = import_module("opentelemetry.sdk.trace")
        export = import_module("opentelemetry.sdk.trace.export")
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as error:
        raise ConfigError("FIFTEEN_TRACING needs the extra otel: pip install .[otel]") from error
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    stop: Callable[[], None] = provider.shutdown
    return stop


def trace_stages(timings: Timings) -> None:
    """Record a span for each stage; the last one ends now."""
    stages = {name: round(1e6 * value) for name, value in timings.model_dump().items()}  # ns
    at = time.time_ns() - sum(stages.values())
    for name, nanoseconds in stages.items():
        span = _TRACER.start_span(name.removesuffix("_ms"), start_time=at)
        at += nanoseconds
        span.end(end_time=at)
