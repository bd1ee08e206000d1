"""The committed OpenAPI document is current, and responses to fuzzed requests conform to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.web.auth import digest_of
from tools import openapi
from tools.server import Server


def test_the_committed_document_is_current():
    assert openapi.FILE.read_text() == openapi.document(), "run: make openapi"


@pytest.fixture
def locked(tmp_path):
    """A service with the API key `sesame`, which takes feedback."""
    server = Server(
        FIFTEEN_API_KEYS=f'{{"tests": "{digest_of("sesame")}"}}',
        FIFTEEN_FEEDBACK=str(tmp_path / "feedback.sqlite"),
    )
    server.wait_until_ready()
    yield server
    server.stop()
    assert "Traceback" not in server.log


@pytest.mark.slow
def test_schemathesis_finds_nothing(locked, tmp_path):
    """One check is left out: a body that fits the schema may be refused, if it is not audio."""
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{locked.url}/openapi.json",
        "--header=Authorization: Bearer sesame",
        "--exclude-checks=positive_data_acceptance",
        "--phases=coverage,fuzzing",
        "--max-examples=10",
        "--generation-deterministic",
        "--no-color",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
