"""``python -m service``: serve until told to stop."""

import argparse
import asyncio
import sys
from typing import Any

import uvicorn
from pydantic import ValidationError

from service.app import create_app
from service.model import ModelError
from service.settings import Settings

SHUTDOWN_SECONDS = 10  # what a request in flight has to finish


def main(arguments: list[str] | None = None) -> int:
    """Run the server; return the process's exit status."""
    try:
        settings = Settings(**_overrides(arguments))
        asyncio.run(_serve(settings))
    except ValidationError as error:
        for each in error.errors():
            _complain(f"FIFTEEN_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}")
        return 2
    except ModelError as error:
        _complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _overrides(arguments: list[str] | None) -> dict[str, Any]:
    """Return the settings that the command line gives."""
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Serve Fifteen over HTTP. Every setting is a FIFTEEN_* environment variable.",
    )
    for name in ("host", "port"):
        parser.add_argument(f"--{name}", help=Settings.model_fields[name].description)
    given = vars(parser.parse_args(arguments))
    return {name: value for name, value in given.items() if value is not None}


async def _serve(settings: Settings) -> None:
    """Serve inside the application's lifespan.

    The lifespan is entered here rather than by the server, which would turn a `ModelError` into
    a logged traceback.
    """
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    async with app.router.lifespan_context(app):
        await uvicorn.Server(config).serve()


def _complain(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"fifteen: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
