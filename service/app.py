"""The application: builds its parts and connects them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI
from limits import RateLimitItem, parse
from starlette.middleware.cors import CORSMiddleware

from service.analysis import warm_up
from service.feedback import Store, open_store
from service.heads import load_heads
from service.library.search import Vectors, read_vectors
from service.loading import load_served, load_taxonomy
from service.model import Models
from service.settings import Settings
from service.web import errors
from service.web.admission import BodyLimiter, Queue
from service.web.auth import Authenticator
from service.web.cache import AnswerCache
from service.web.headers import REQUEST_ID
from service.web.limits import limits_of
from service.web.metrics import Metrics
from service.web.middleware.compress import Compress
from service.web.middleware.head import Head
from service.web.middleware.headers import SecurityHeaders
from service.web.middleware.observe import Observe
from service.web.routes import (
    analyze,
    docs,
    feedback,
    frontend,
    health,
    kserve,
    live,
    metrics,
    models,
    similar,
)
from service.web.traces import start_tracing

logger = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    load: Callable[[Settings], Models] = load_served,
    *,
    wait_until_proved: bool = False,
) -> FastAPI:
    """Build the application. It loads the models when it starts, and then proves them.

    Its start raises `service.model.ModelError` if a model cannot be served, and
    `service.taxonomy.TaxonomyError` or `service.heads.HeadError` if the operator's names for genres
    or the heads cannot be used. So do `service.library.search.LibraryError` and
    `service.model.NoEmbeddingError` for the library, and
    `service.feedback.FeedbackError` for the file of the feedback.

    Parameters
    ----------
    settings : Settings
    load : callable
        Loads the models; those of `service.cluster` are on other machines.
    wait_until_proved : bool
        Whether the start lasts until the models are proved, and raises `service.model.ModelError`
        or `service.analysis.ProbeError` if they give wrong answers. A process among others needs
        this: it gets requests as soon as it has started. Otherwise the proof runs in the
        background, and requests are refused until it is done.
    """
    stop_tracing = start_tracing() if settings.tracing else _nothing

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _load(app, settings, load(settings))
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="warm-up") as executor:
            app.state.warming = executor.submit(warm_up, app.state.models)
            app.state.warming.add_done_callback(_log_failure)
            if wait_until_proved:
                await asyncio.wrap_future(app.state.warming)
            yield
            app.state.queue.close()
            stop_tracing()

    app = FastAPI(
        title="Fifteen",
        summary="Fifteen seconds of music in: genre, valence, energy and danceability out.",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # `web.routes.docs` has the page
        redoc_url=None,
        telemetry={"tracing": settings.tracing, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    app.state.authenticator = Authenticator(
        settings.api_keys, _rate(settings.rate_per_key), _rate(settings.rate_per_address)
    )
    app.state.limits = limits_of(settings)
    for module in (analyze, live, similar, feedback, models, health, kserve, metrics, docs):
        app.include_router(module.router)
    app.mount("/docs", docs.FILES)
    frontend.install(app, settings.device)
    _add_middleware(app, settings)
    feedback.publish(app)
    errors.install(app, app.state.limits)
    return app


def _load(app: FastAPI, settings: Settings, models: Models) -> None:
    """Load what the models need, and make the places of the requests."""
    app.state.models = models
    app.state.taxonomy = load_taxonomy(settings, models)
    app.state.heads = load_heads(settings.heads, models)
    app.state.vectors = _vectors(settings, models)
    app.state.feedback = _feedback(settings)
    app.state.metrics.install(models)
    app.state.cache = AnswerCache(settings.cache_entries)
    app.state.queue = Queue(settings.concurrency, settings.queue_length)
    app.state.bodies = BodyLimiter(settings.max_uploads)
    app.state.live = BodyLimiter(settings.max_live, "live connections are open")
    app.state.live_threads = CapacityLimiter(settings.max_live)


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add the middleware; each wraps those before it.

    The compression is within `Head`, so that a HEAD has the headers of the GET.
    """
    app.add_middleware(Compress)
    app.add_middleware(Head)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["DELETE", "GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", REQUEST_ID],
            expose_headers=["ETag", "Retry-After", REQUEST_ID],
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observe, metrics=app.state.metrics)


def _vectors(settings: Settings, models: Models) -> Vectors | None:
    """Read the operator's library, if one is set."""
    if settings.library is None:
        return None
    return read_vectors(settings.library, models[settings.model].space())


def _feedback(settings: Settings) -> Store | None:
    """Open the operator's store of feedback, if one is set."""
    if settings.feedback is None:
        return None
    most = settings.feedback_count, settings.feedback_bytes
    return open_store(settings.feedback, *most, create=True)


def _nothing() -> None:
    """Do nothing."""


def _rate(text: str | None) -> RateLimitItem | None:
    """Parse a rate limit of the settings."""
    return None if text is None else parse(text)


def _log_failure(warming: Future[None]) -> None:
    """Log why the service stays not ready."""
    if error := warming.exception():
        logger.error("Not ready: %s", error, exc_info=error)
