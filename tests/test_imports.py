"""Parts load without packages that they do not need. `lint-imports` checks the other contracts."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def errors_of(code):
    """Run code in a new interpreter; return its stderr, with all warnings."""
    command = [sys.executable, "-W", "always", "-c", code]
    return subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False).stderr


def test_the_service_runs_where_training_is_not_installed():
    errors = errors_of(
        "import sys\n"
        "class NotInstalled:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name in ('torch', 'onnx', 'training'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NotInstalled)\n"
        "import service.app, service.__main__\n"
        "from service.analysis import warm_up\n"
        "from service.model import load_models\n"
        "from service.settings import MODELS\n"
        "warm_up(load_models(MODELS))\n"
    )
    assert errors == ""


def test_the_front_end_does_not_load_heavy_packages():
    errors = errors_of(
        "import sys, service.audio\n"
        "heavy = {'torch', 'fastapi', 'onnxruntime', 'training', 'scipy.signal'}\n"
        "assert not heavy & sys.modules.keys()\n"
    )
    assert errors == ""


def test_a_proxy_of_ray_loads_neither_models_nor_ray():
    errors = errors_of(
        "import sys, service.cluster.proxy\n"
        "assert not {'librosa', 'onnxruntime', 'ray'} & sys.modules.keys()\n"
    )
    assert errors == ""


def test_onnx_runtime_sends_no_telemetry(tmp_path):
    code = (
        "from service.model import load_models\n"
        "from service.settings import MODELS\n"
        "load_models(MODELS)\n"
    )
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not (
        tmp_path / ".cache" / "Microsoft"
    ).exists()  # its telemetry stores a device id there
