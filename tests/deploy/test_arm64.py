"""The service on Linux for arm64, through QEMU: the wheel and the image answer as printed."""

import os

import httpx2 as httpx
import pytest

from service.schemas import ANALYSIS
from tools import emulated, emulated_image
from tools.server import ROOT, Server

ASK = "FIFTEEN_ASK_INDEX"
CLIP = ROOT / "tests" / "clip.m4a"
SECONDS = 120
"""An emulated processor is about a hundred times as slow."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ASK not in os.environ, reason=f"{ASK} is not set: nothing ran for arm64"),
]


def answer_of(command):
    """Start the service with a command, and return its answer about the clip."""
    server = Server("--host", "127.0.0.1", command=command)
    try:
        server.wait_until_ready(SECONDS)
        file = {"file": CLIP.read_bytes()}
        return httpx.post(f"{server.url}/v1/analyze", files=file, timeout=SECONDS).json()
    finally:
        server.stop()


def assert_as_printed(answer):
    """Check that an answer is the one that the service gives on x86-64."""
    assert answer.keys() == ANALYSIS.keys()
    for member in ("verdict", "reason", "genre", "mood", "warnings", "audio", "model"):
        assert answer[member] == ANALYSIS[member]
    for ours, printed in zip(answer["genres"], ANALYSIS["genres"], strict=True):
        assert ours["genre"] == printed["genre"]
        assert ours["probability"] == pytest.approx(printed["probability"], abs=1e-4)
    for name, value in ANALYSIS["features"].items():
        assert answer["features"][name] == pytest.approx(value, abs=1e-3)


@pytest.mark.skipif(bool(emulated.missing()), reason=f"not here: {emulated.missing()}")
def test_the_wheel_answers_on_arm64_as_printed(tmp_path):
    emulated.install(tmp_path)
    command = [*emulated.python(tmp_path, emulated.A72), "-m", "service", "serve"]
    assert_as_printed(answer_of(command))


@pytest.mark.timeout(3600)  # its steps run on emulated processors, too
@pytest.mark.skipif(bool(emulated_image.missing()), reason=f"not here: {emulated_image.missing()}")
def test_the_image_answers_on_arm64_as_printed(tmp_path):
    emulated_image.build()
    with emulated_image.mounted() as root:
        command = emulated_image.command(root, emulated.A72, tmp_path / "cpuinfo")
        assert_as_printed(answer_of(command))
