import json
import logging
import logging.config

import pytest

from service.logs import log_config


@pytest.fixture
def logger():
    """A logger; afterwards the root logger has its previous configuration."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield logging.getLogger("tests.logs")
    root.handlers, root.level = before[0], before[1]


def test_a_text_line_has_level_and_message(logger, capsys):
    logging.config.dictConfig(log_config("text"))
    logger.info("Hello %s", "you", extra={"status": 200})
    assert capsys.readouterr().err.endswith("INFO Hello you\n")


def test_a_json_line_has_the_fields_of_the_event(logger, capsys):
    logging.config.dictConfig(log_config("json"))
    logger.warning("Hello %s", "you", extra={"status": 200, "color_message": "x"})
    line = json.loads(capsys.readouterr().err)
    del line["time"]
    assert line == {
        "level": "WARNING",
        "logger": "tests.logs",
        "message": "Hello you",
        "status": 200,
    }
