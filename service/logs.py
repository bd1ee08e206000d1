"""Logs: one line for each event on stderr, for people or, as JSON, for programs.

Nothing of an upload is ever in them, nor a query, nor a key.
"""

from typing import Any, Literal

from pythonjsonlogger.core import RESERVED_ATTRS

LogFormat = Literal["text", "json"]


def log_config(form: LogFormat) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes.

    Parameters
    ----------
    form : str
        Whether lines are text or JSON; JSON has the members of an event, such as the status of
        a request, beside its message.
    """
    formatters = {
        "text": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{asctime}{levelname}{name}{message}",
            "style": "{",
            "reserved_attrs": [*RESERVED_ATTRS, "color_message"],  # uvicorn's message once more
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": formatters,
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": form,
            }
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
