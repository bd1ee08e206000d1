"""Parts load without packages that they do not need. `lint-imports` checks the other contracts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

NOTHING_ELSE_INSTALLED = """
import json, sys
class NotInstalled:
    def find_spec(name, path=None, target=None):
        if name in ("torch", "onnx", "training"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled)
"""
STEPS = {
    "front end": "import service.audio",
    "proxy": "import service.cluster.proxy",
    "service": "import service.app, service.__main__",
    "models": """
from service.analysis import warm_up
from service.model import load_models
from service.settings import MODELS
warm_up(load_models(MODELS))
""",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def interpreter(home):
    """An interpreter that ran the steps, one after the other, where training is not installed."""
    loaded = "\nprint(json.dumps([each for each in sys.modules]))\n"
    code = NOTHING_ELSE_INSTALLED + "".join(step + loaded for step in STEPS.values())
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "FIFTEEN_PORT": "nonsense",
    }
    command = [sys.executable, "-W", "always", "-c", code]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def modules(interpreter):
    """The names of the modules that are loaded after each step."""
    return dict(zip(STEPS, map(set, map(json.loads, interpreter.stdout.splitlines())), strict=True))


def test_the_service_runs_where_training_is_not_installed(interpreter):
    assert interpreter.stderr == ""
    assert interpreter.returncode == 0


def test_the_front_end_does_not_load_heavy_packages(modules):
    heavy = {"torch", "fastapi", "onnxruntime", "training", "scipy.signal"}
    assert not heavy & modules["front end"]


def test_a_proxy_of_ray_loads_neither_models_nor_ray(modules):
    assert not {"librosa", "onnxruntime", "ray"} & modules["proxy"]


def test_an_import_reads_no_settings(modules):
    """`FIFTEEN_PORT` is nonsense there."""
    assert "service.settings" in modules["service"]


def test_onnx_runtime_sends_no_telemetry(modules, home):
    assert "onnxruntime" in modules["models"]
    assert not (home / ".cache/Microsoft").exists()  # its telemetry stores a device id there
