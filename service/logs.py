"""Logging: one line for each event on stderr, as text for people or as JSON for programs.

The logs never contain upload data, a query string or a key.
"""

from typing import Any, Literal

from pythonjsonlogger.core import RESERVED_ATTRS

LogFormat = Literal["text", "json"]


def log_config(form: LogFormat) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`.

    Parameters
    ----------
    form : str
        Text or JSON. A JSON line also has the fields of the event, such as the status of a
        request.
    """
    formatters = {
        "text": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{asctime}{levelname}{name}{message}",
            "style": "{",
            "reserved_attrs": [*RESERVED_ATTRS, "color_message"],  # uvicorn repeats its message
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
        # it has lines of its own, without a request, for each form that cannot be read
        "loggers": {"python_multipart": {"level": "ERROR"}},
    }
