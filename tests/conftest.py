from importlib.util import find_spec

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.model import load_models
from service.settings import MODELS, Settings
from tools import signals
from tools.server import Server

CLIP_SECONDS, CLIP_RATE = 5, 48_000

collect_ignore = [] if find_spec("torch") else ["training"]


def pytest_terminal_summary(terminalreporter):
    """Report the tests that need the other environment."""
    if collect_ignore:
        terminalreporter.write_line("tests/training is skipped: torch is not installed")


@pytest.fixture(scope="session")
def clips():
    """A groove of `CLIP_SECONDS` in every encoding, by name."""
    groove = signals.groove(CLIP_SECONDS, CLIP_RATE)
    return {
        name: signals.encode(groove, CLIP_RATE, name) for name in (*signals.ENCODINGS, "vorbis")
    }


@pytest.fixture(scope="session")
def model():
    """The shipped model."""
    return load_models(MODELS)["fifteen"]


@pytest.fixture(scope="session")
def client():
    """A client of the application in this process, ready for requests."""
    app = create_app(Settings())
    with TestClient(app) as client:
        app.state.warming.result()
        yield client


@pytest.fixture(scope="session")
def process():
    """A process of the service, ready for requests."""
    process = Server()
    process.wait_until_ready()
    yield process
    process.stop()
    assert "Traceback" not in process.log


@pytest.fixture(scope="session")
def server(process):
    """The URL of that process."""
    return process.url
