"""The commands.

* ``python -m service`` or ``python -m service serve``: serve until stopped by a signal;
* ``python -m service analyze PATH...``: analyze files and folders, without a server;
* ``python -m service similar LIBRARY PATH...``: list recordings of a library that are similar;
* ``python -m service mcp FOLDER...``: serve agents over the Model Context Protocol;
* ``python -m service teach FOLDER --name NAME``: teach your own labels, as a head;
* ``python -m service feedback ACTION``: count, export or delete what senders said of answers;
* ``python -m service key``: draw a key.

The installed package has them as ``fifteen serve``, ``fifteen analyze`` and so on.
"""

import os
import re
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

INTERRUPT = signal.getsignal(signal.SIGINT)
if __name__ == "__main__" and INTERRUPT is signal.default_int_handler:  # the imports take seconds
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliApp, SettingsError
from uvicorn.supervisors import Multiprocess

from service.analysis import ProbeError, warm_up
from service.app import create_app
from service.feedback import FeedbackError, open_store
from service.heads import HeadError, OtherSpaceError, UnknownHeadError, load_heads
from service.library.cli import run as analyze_library
from service.library.feedback import run as manage_feedback
from service.library.find import MissingPathError
from service.library.labelled import TeachError
from service.library.printing import escape_the_rest, write
from service.library.records import OutputError
from service.library.search import LibraryError, check_library
from service.library.similar import run as list_similar
from service.library.tags import TagsError
from service.library.teach import run as teach
from service.loading import load_served, load_taxonomy
from service.logs import log_config
from service.model import ModelError, NoEmbeddingError
from service.settings import (
    CommandLine,
    ConfigError,
    FeedbackSettings,
    LibrarySettings,
    McpSettings,
    Settings,
    SimilarSettings,
    TeachSettings,
)
from service.taxonomy import TaxonomyError
from service.web.auth import new_key
from service.web.metrics import FOLDER as METRICS_FOLDER
from service.web.protocol import Connection, Socket
from service.web.sockets import MAX_MESSAGE_BYTES

PROGRAM: str = globals().get("PROGRAM", "python -m service")
"""The words that started this program, as ``--help`` shows them; `console` sets others."""
SETTINGS = (
    ConfigError, FeedbackError, HeadError, LibraryError, MissingPathError, NoEmbeddingError,
    OtherSpaceError, OutputError, TagsError, TeachError, UnknownHeadError,
)  # fmt: skip
"""Errors that only another setting can fix."""
HUNG_SECONDS = 60
"""Health-check timeout of workers. A shorter one kills workers that start slowly on a busy machine,
again and again."""
LOOP = "auto"  # uvloop, except on Windows, where it does not exist
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except ValidationError as error:
        for each in error.errors():
            if each["type"] == "default_factory_not_called":
                continue  # the default depends on another setting, which has an error of its own
            _complain(
                ": ".join([*_setting(each["loc"]), each["msg"].removeprefix("Value error, ")])
            )
        return 2
    except SettingsError as error:
        _complain(_not_json(error))
        return 2
    except (*SETTINGS, ModelError, ProbeError, TaxonomyError) as error:
        _complain(str(error))
        return 2 if isinstance(error, SETTINGS) else 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    commands: dict[str, tuple[type[BaseSettings], Callable[[Any], int]]] = {
        "serve": (Settings, _run_server),
        "analyze": (LibrarySettings, analyze_library),
        "similar": (SimilarSettings, list_similar),
        "teach": (TeachSettings, teach),
        "feedback": (FeedbackSettings, manage_feedback),
        "mcp": (McpSettings, _serve_agents),
    }
    if arguments == ["key"]:
        return _draw_key()
    name, *options = arguments if arguments and arguments[0] in commands else ["serve", *arguments]
    settings, command = commands[name]
    program = f"{PROGRAM} {name}" if name in arguments[:1] else PROGRAM
    source = CommandLine(settings, cli_prog_name=program)
    return command(CliApp.run(settings, options, cli_settings_source=source))


def _setting(place: tuple[int | str, ...]) -> list[str]:
    """Return the variable of the setting that has an error, none for an error of several."""
    return ["_".join(["FIFTEEN", *map(str, place)]).upper()] if place else []


def _not_json(error: SettingsError) -> str:
    """Explain that the value of a list or an object is not JSON."""
    name = re.search(r'(?:field "|encountered for )(\w+)', str(error))
    setting = ": ".join(_setting((name[1],) if name else ()))
    return f"{setting}: a list or an object is written as JSON, as docs/SETTINGS.md has it."


def _serve_agents(settings: McpSettings) -> int:
    """Serve agents until they have finished."""
    if not find_spec("mcp"):
        raise ConfigError("Serving agents needs the extra mcp: pip install '.[mcp]'.")
    from service.mcp.server import run  # noqa: PLC0415 - the extra may be missing

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return run(settings)


def _draw_key() -> int:
    """Print a new key and its digest for the settings."""
    escape_the_rest()
    key, digest = new_key()
    write(f"key:    {key}\ndigest: {digest}\n")
    return 0


def _run_server(settings: Settings) -> int:
    """Serve until a signal stops the process.

    The server raises the signal that stopped it again, after the application's shutdown; SIGTERM
    must end the process with status 0, also while it loads the models.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _warn_if_open(settings)
    models = load_served(settings)  # before the server, which would log a traceback of an error
    load_taxonomy(settings, models)
    load_heads(settings.heads, models)
    if settings.library:
        check_library(settings.library, models[settings.model].space())
    if settings.feedback:
        open_store(settings.feedback, create=True)
    if settings.workers == 1:
        uvicorn.Server(_server_config(create_app(settings, lambda _: models), settings)).run()
    else:
        warm_up(models)
        _serve_in_workers(settings)
    return 0


def _warn_if_open(settings: Settings) -> None:
    """Warn if anyone who reaches this machine can use the service."""
    if settings.host not in LOOPBACK and not settings.api_keys:
        _complain(f"{settings.host} is open to all who reach it: FIFTEEN_API_KEYS is not set.")


def _serve_in_workers(settings: Settings) -> None:
    """Serve in several processes that share a socket; one that dies is replaced."""
    app = partial(create_app, settings, wait_until_proved=True)
    config = _server_config(app, settings, factory=True, workers=settings.workers)
    with TemporaryDirectory(prefix="fifteen-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        _Workers(config, sockets=[config.bind_socket()]).run()


class _Workers(Multiprocess):
    """Worker processes; one that dies is replaced at once."""

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that are dead or do not answer a ping."""
        for process in self.processes:
            # The worker's end of the pipe. As long as a copy is open here, a ping to a worker that
            # is dying has no end of file, and waits for the whole timeout.
            process.child_conn.close()
        super().keep_subprocess_alive()


def _server_config(
    app: FastAPI | Callable[[], FastAPI], settings: Settings, **more: Any
) -> uvicorn.Config:
    """Return the server's options, for one process or several."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=partial(Connection, seconds=settings.upload_seconds),  # type: ignore[arg-type]
        loop=LOOP,
        ws=partial(Socket, seconds=settings.upload_seconds),  # type: ignore[arg-type]
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # sound is compressed already
        lifespan="on",
        log_config=log_config(settings.log_format),
        access_log=False,  # `web.middleware.observe` logs each request after its response
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_worker_healthcheck=HUNG_SECONDS,
        **more,
    )


def _complain(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"fifteen: {message}\n")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, INTERRUPT)
    sys.exit(main())
