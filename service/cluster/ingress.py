"""The application as a deployment, and both deployments together, for ``serve run`` and its like.

``deploy/ray/serve.yaml`` says how many replicas there are, and how much may wait for them.
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

from service.app import create_proved_app
from service.cluster.remote import load_remote
from service.cluster.scorer import ScorerReplica
from service.loading import load_served, load_taxonomy
from service.logs import log_config
from service.settings import Settings
from service.web.metrics import FOLDER as METRICS_FOLDER


class Ingress:
    """Serves the application in a replica.

    Parameters
    ----------
    settings : Settings
    scorer : DeploymentHandle
        Has the models.
    """

    def __init__(self, settings: Settings, scorer: DeploymentHandle[ScorerReplica]) -> None:
        self._settings, self._scorer = settings, scorer

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application, as `serve.ingress` asks for it."""
        logging.config.dictConfig(log_config(self._settings.log_format))
        if folder := os.environ.get(METRICS_FOLDER):
            Path(folder).mkdir(parents=True, exist_ok=True)
        # the engine sends requests to a replica that has started, and keeps the old one where a new
        # one does not
        app = create_proved_app(self._settings, partial(load_remote, handle=self._scorer))
        return ProxyHeadersMiddleware(app, self._settings.trusted_proxies)  # type: ignore[arg-type,return-value]


def build(_: Mapping[str, str]) -> Application:
    """Bind the application to its models, as the environment's ``FIFTEEN_*`` have them.

    Raises
    ------
    service.model.ModelError
        If a model cannot be served.
    service.taxonomy.TaxonomyError
        If the operator's names for genres cannot be used.
    """
    settings = CliApp.run(Settings, cli_args=[])
    load_taxonomy(settings, load_served(settings))  # here rather than in each replica's log
    scorer = serve.deployment(name="scorer")(ScorerReplica).bind(settings)
    return serve.deployment(name="ingress")(serve.ingress()(Ingress)).bind(settings, scorer)
