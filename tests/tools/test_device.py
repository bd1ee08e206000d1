"""The folder of `make device`: the package is the pinned one, the numbers are the service's."""

import json
import math

import pytest

from service import audio
from tools import device
from tools.benchmarks import device as benchmark


def test_another_package_is_refused(tmp_path):
    pin = json.loads(device.PIN.read_text())
    path = tmp_path / f"{pin['package']}-{pin['version']}.tgz"
    path.write_bytes(b"another")
    with pytest.raises(device.PackageError, match="not the pinned package"):
        device.fetch(tmp_path)


def test_without_npm_the_error_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(device.PackageError, match="npm is not installed"):
        device.fetch(tmp_path)


def test_the_response_of_the_resampler_is_a_low_pass():
    response = device.response(44_100)
    hertz = [audio.SAMPLE_RATE * turn / device.GRID for turn in range(len(response))]
    passed = [each for each, at in zip(response, hertz, strict=True) if at < 10_000]
    assert passed == pytest.approx([1] * len(passed), abs=1e-3)
    assert response[-1] == pytest.approx(0, abs=1e-3)
    assert math.isclose(hertz[-1], audio.SAMPLE_RATE / 2, rel_tol=0.05)


def test_the_page_has_the_measurements():
    found = benchmark.Measured(
        {"model": 8_000_000, "runtime": 4_000_000, "rest": 50_000},
        *(900, {"mp3": 300}, {"mp3": 100}, 80, 200, "1.0"),
    )
    page = benchmark.page("One", found)
    assert "| together | 12.05 |" in page
    assert "| mp3 | 300 | 100 | 3.0 |" in page
    assert "120 MB more" in page
