"""The application as a Ray Serve deployment, and both deployments bound, for ``serve run``.

``deploy/ray/serve.yaml`` sets the numbers of replicas and the lengths of their queues.
"""

import logging.config
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pydantic_settings import CliApp
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.app import create_app
from service.cluster.remote import load_remote
from service.cluster.scorer import ScorerReplica
from service.feedback import open_store
from service.heads import load_heads
from service.library.search import check_library
from service.loading import load_served, load_taxonomy
from service.logs import log_config
from service.settings import Settings
from service.web.metrics import FOLDER as METRICS_FOLDER


class Ingress:
    """The application in a replica.

    Parameters
    ----------
    settings : Settings
    scorer : DeploymentHandle
        The deployment with the models.
    """

    def __init__(self, settings: Settings, scorer: DeploymentHandle[ScorerReplica]) -> None:
        self._settings, self._scorer = settings, scorer

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application; `serve.ingress` calls this."""
        logging.config.dictConfig(log_config(self._settings.log_format))
        if folder := os.environ.get(METRICS_FOLDER):
            Path(folder).mkdir(parents=True, exist_ok=True)
        # The engine routes requests to a replica once it has started, and keeps the old replica if
        # the new one fails to start.
        load = partial(load_remote, handle=self._scorer)
        app = create_app(self._settings, load, wait_until_proved=True)
        return ProxyHeadersMiddleware(app, self._settings.trusted_proxies)  # type: ignore[arg-type,return-value]


def build(_: Mapping[str, str]) -> Application:
    """Bind the application to its models, with settings from ``FIFTEEN_*`` variables.

    Raises
    ------
    service.model.ModelError
        If a model cannot be served.
    service.taxonomy.TaxonomyError
        If the taxonomy of the settings cannot be used.
    service.heads.HeadError
        If a head of the settings cannot be used.
    service.library.search.LibraryError, service.model.NoEmbeddingError
        If the library of the settings cannot be used.
    service.feedback.FeedbackError
        If the file of the feedback cannot be used.
    """
    settings = CliApp.run(Settings, cli_args=[])
    # The replicas load all again; errors here are shown at once, and not in each replica's log.
    models = load_served(settings)
    load_taxonomy(settings, models)
    load_heads(settings.heads, models)
    if settings.library:
        check_library(settings.library, models[settings.model].space())
    if settings.feedback:
        open_store(settings.feedback, create=True)
    scorer = serve.deployment(name="scorer")(ScorerReplica).bind(settings)
    return serve.deployment(name="ingress")(serve.ingress()(Ingress)).bind(settings, scorer)
