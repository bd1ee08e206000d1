"""The wheel on Linux for arm64: a Python for it, through QEMU, answers as this machine does."""

import os

import httpx2 as httpx
import pytest

from service.schemas import ANALYSIS
from tools import emulated
from tools.server import ROOT, Server

ASK = "FIFTEEN_ASK_INDEX"
CLIP = ROOT / "tests" / "clip.m4a"
SECONDS = 120
"""An emulated processor is about a hundred times as slow."""


@pytest.mark.slow
@pytest.mark.skipif(ASK not in os.environ, reason=f"{ASK} is not set: nothing was run for arm64")
@pytest.mark.skipif(bool(emulated.missing()), reason=f"not here: {emulated.missing()}")
def test_the_wheel_answers_on_arm64_as_printed(tmp_path):
    emulated.install(tmp_path)
    command = [*emulated.python(tmp_path, emulated.A72), "-m", "service", "serve"]
    server = Server(command=command)
    try:
        server.wait_until_ready(SECONDS)
        file = {"file": CLIP.read_bytes()}
        answer = httpx.post(f"{server.url}/v1/analyze", files=file, timeout=SECONDS).json()
    finally:
        server.stop()
    assert answer.keys() == ANALYSIS.keys()
    for member in ("verdict", "reason", "genre", "mood", "warnings", "audio", "model"):
        assert answer[member] == ANALYSIS[member]
    for ours, printed in zip(answer["genres"], ANALYSIS["genres"], strict=True):
        assert ours["genre"] == printed["genre"]
        assert ours["probability"] == pytest.approx(printed["probability"], abs=1e-4)
    for name, value in ANALYSIS["features"].items():
        assert answer["features"][name] == pytest.approx(value, abs=1e-3)
