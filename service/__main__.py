"""The commands.

* ``python -m service``: serve until told to stop;
* ``python -m service analyze PATH...``: analyze files and folders, without a server;
* ``python -m service key``: draw a key.
"""

import asyncio
import os
import signal
import sys
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import CliApp
from uvicorn.supervisors import Multiprocess

from service.analysis import ProbeError, warm_up
from service.app import create_app, create_proved_app
from service.library.cli import run as analyze_library
from service.library.find import MissingPathError
from service.library.records import OutputError
from service.library.tags import TagsError
from service.loading import load_served, load_taxonomy
from service.logs import log_config
from service.model import ModelError
from service.settings import ConfigError, LibrarySettings, Settings
from service.taxonomy import TaxonomyError
from service.web.auth import new_key
from service.web.metrics import FOLDER as METRICS_FOLDER
from service.web.protocol import Connection

SETTINGS = (ConfigError, MissingPathError, OutputError, TagsError)
"""What only another setting can mend."""
HUNG_SECONDS = 60
"""A process that is silent for so long is replaced; less, and one that starts on a busy machine is,
again and again."""
LOOP = "auto"  # uvloop, but where it is not made for: on Windows
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the process's exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        match arguments:
            case ["key"]:
                return _draw_key()
            case ["analyze", *rest]:
                return analyze_library(CliApp.run(LibrarySettings, rest))
            case _:
                return _run_server(CliApp.run(Settings, arguments))
    except ValidationError as error:
        for each in error.errors():
            if each["type"] == "default_factory_not_called":
                continue  # of a setting whose default follows from others: one of them is wrong
            _complain(f"{_setting(each['loc'])}: {each['msg']}")
        return 2
    except (*SETTINGS, ModelError, ProbeError, TaxonomyError) as error:
        _complain(str(error))
        return 2 if isinstance(error, SETTINGS) else 1
    except KeyboardInterrupt:
        return 130


def _setting(place: tuple[int | str, ...]) -> str:
    """Name what was set wrongly, as its variable."""
    return "_".join(["FIFTEEN", *map(str, place)]).upper()


def _draw_key() -> int:
    """Print a new key, and what the settings want of it."""
    key, digest = new_key()
    print(f"key:    {key}\ndigest: {digest}")
    return 0


def _run_server(settings: Settings) -> int:
    """Serve until told to stop."""
    _warn_if_open(settings)
    if settings.workers == 1:
        app = create_app(settings)
        config = uvicorn.Config(app, lifespan="off", **_options(settings))
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(app, config))
    else:
        _serve_by_many(settings)
    return 0


def _warn_if_open(settings: Settings) -> None:
    """Say so where anyone who reaches this machine may ask."""
    if settings.host not in LOOPBACK and not settings.api_keys:
        _complain(f"{settings.host} is open to all who reach it: FIFTEEN_API_KEYS is not set.")


def _options(settings: Settings) -> dict[str, Any]:
    """Return what the server is told, however many processes there are."""
    return {
        "host": settings.host,
        "port": settings.port,
        "http": partial(Connection, seconds=settings.upload_seconds),
        "loop": LOOP,
        "ws": "none",
        "log_config": log_config(settings.log_format),
        "access_log": False,  # `web.observe` logs each request, once it has been answered
        "forwarded_allow_ips": settings.trusted_proxies,
        "server_header": False,
        "timeout_graceful_shutdown": settings.shutdown_seconds,
        "timeout_worker_healthcheck": HUNG_SECONDS,
    }


async def _serve(app: FastAPI, config: uvicorn.Config) -> None:
    """Serve inside the application's lifespan.

    The lifespan is entered here rather than by the server, which would turn a `ModelError` into
    a logged traceback. The server, once it has stopped, raises again the signal that stopped it,
    which must not kill the process before the lifespan has ended.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    async with app.router.lifespan_context(app):
        await uvicorn.Server(config).serve()


def _serve_by_many(settings: Settings) -> None:
    """Serve by several processes, which share one socket; one that dies is replaced."""
    models = load_served(settings)  # what is wrong, in one line rather than a traceback of each
    load_taxonomy(settings, models)
    warm_up(models)
    config = uvicorn.Config(
        partial(create_proved_app, settings),
        factory=True,
        lifespan="on",
        workers=settings.workers,
        **_options(settings),
    )
    with TemporaryDirectory(prefix="fifteen-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        Multiprocess(config, sockets=[config.bind_socket()]).run()


def _complain(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"fifteen: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
