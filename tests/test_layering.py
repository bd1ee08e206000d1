"""Who may import whom: the arrows point one way, and the service runs without the training."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WEB = {"fastapi", "starlette", "uvicorn"}
DECODERS = {"av", "soundfile", "audioread", "torchaudio", "soxr"}

OURS = {
    "__init__": set(),
    "settings": set(),
    "audio": set(),
    "card": set(),
    "model": {"audio", "card"},
    "schemas": {"card"},
    "analysis": {"audio", "card", "model", "schemas"},
    "uploads": set(),
    "problems": {"audio", "model", "schemas", "uploads"},
    "app": {"analysis", "model", "problems", "schemas", "settings", "uploads"},
    "__main__": {"app", "model", "settings"},
}
"""Which modules of the service each of them may import."""

NO_HTTP = {"audio", "card", "model", "schemas", "analysis"}
ONLY_HERE = {
    "av": {"service.audio"},
    "soxr": {"service.audio"},
    "librosa": {"service.audio", "training.prepare"},
    "onnxruntime": {"service.model", "training.export"},
}


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def modules(package):
    return {module_name(path): path for path in sorted((ROOT / package).rglob("*.py"))}


def imports(path):
    """Every module that a file imports, anywhere in it, and every name it takes from one."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(path):
    return {name.partition(".")[0] for name in imports(path)}


SERVICE, TRAINING = modules("service"), modules("training")
ALL = SERVICE | TRAINING


def test_every_module_has_its_place():
    assert {name.removeprefix("service.") for name in SERVICE} == OURS.keys()


@pytest.mark.parametrize("name", OURS)
def test_arrows_point_one_way(name):
    path = SERVICE[f"service.{name}"]
    candidates = {f"service.{other}": other for other in OURS}
    ours = {candidates[each] for each in imports(path) if each in candidates}
    assert ours <= OURS[name]


@pytest.mark.parametrize("name", SERVICE)
def test_the_service_knows_nothing_of_training(name):
    assert not packages(SERVICE[name]) & {"torch", "onnx", "training", "tests"}


@pytest.mark.parametrize("name", sorted(NO_HTTP))
def test_the_domain_knows_nothing_of_http(name):
    assert not packages(SERVICE[f"service.{name}"]) & WEB


@pytest.mark.parametrize("name", TRAINING)
def test_training_hears_through_the_service(name):
    assert not packages(TRAINING[name]) & (WEB | DECODERS | {"tests"})
    assert "service.app" not in imports(TRAINING[name])


@pytest.mark.parametrize("name", ALL)
def test_parts_stay_in_their_room(name):
    for package, rooms in ONLY_HERE.items():
        assert name in rooms or package not in packages(ALL[name]), package


def errors_of(code):
    """What Python writes to stderr while it runs some code, warnings included."""
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
        "warm_up(load_models(MODELS).values())\n"
    )
    assert errors == ""


def test_the_front_end_loads_without_the_heavy_packages():
    errors = errors_of(
        "import sys, service.audio\n"
        "assert not {'torch', 'fastapi', 'onnxruntime', 'training'} & sys.modules.keys()\n"
    )
    assert errors == ""


def test_onnx_runtime_is_told_not_to_report(tmp_path):
    code = (
        "from service.model import load_models\n"
        "from service.settings import MODELS\n"
        "load_models(MODELS)\n"
    )
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not (tmp_path / ".cache" / "Microsoft").exists()  # where it keeps a device's number
