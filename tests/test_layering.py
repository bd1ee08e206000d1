"""Who may import whom: the arrows point one way, and the service runs without the training."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WEB = {"fastapi", "starlette", "uvicorn"}
DECODERS = {"av", "soundfile", "audioread", "torchaudio", "soxr"}

OURS = {
    "__init__": set(),
    "logs": set(),
    "settings": {"audio", "logs"},
    "audio": set(),
    "card": set(),
    "model": {"audio", "card"},
    "verdict": {"card"},
    "mood": set(),
    "schemas": {"card", "mood", "verdict"},
    "taxonomy": set(),
    "quality": {"audio", "schemas"},
    "analysis": {"audio", "card", "model", "mood", "quality", "schemas", "taxonomy", "verdict"},
    "installed": {"model", "settings", "taxonomy"},
    "library.__init__": set(),
    "library.find": set(),
    "library.records": {"card"},
    "library.tags": {"schemas"},
    "library.annotate": {
        "analysis", "audio", "installed", "library.records", "library.tags", "model", "schemas",
        "settings", "taxonomy", "web.problems", "web.refusals",
    },
    "library.command": {
        "installed", "library.annotate", "library.find", "library.records", "library.tags",
        "settings",
    },
    "web.__init__": set(),
    "web.head": set(),
    "web.uploads": set(),
    "web.admission": set(),
    "web.access": {"web.admission"},
    "web.headers": set(),
    "web.client": set(),
    "web.connection": set(),
    "web.docs": set(),
    "web.traces": {"schemas", "settings"},
    "web.metrics": {"model", "schemas", "web.access", "web.admission", "web.problems"},
    "web.refusals": {"schemas"},
    "web.observe": {"schemas", "web.metrics", "web.refusals"},
    "web.kserve": {
        "audio", "model", "schemas", "web.access", "web.admission", "web.dependencies",
        "web.problems",
    },
    "web.limits": {"audio", "schemas", "settings", "web.uploads"},
    "web.results": {"model", "schemas", "settings", "taxonomy"},
    "web.problems": {
        "audio", "model", "schemas", "web.access", "web.admission", "web.refusals", "web.uploads",
    },
    "web.dependencies": {
        "model", "schemas", "settings", "taxonomy", "web.admission", "web.metrics", "web.results",
        "web.uploads",
    },
    "web.analyze": {
        "analysis", "audio", "schemas", "web.access", "web.admission", "web.dependencies",
        "web.observe", "web.problems", "web.results", "web.traces", "web.uploads",
    },
    "web.catalogue": {"model", "schemas", "web.access", "web.dependencies", "web.problems"},
    "web.health": {"schemas", "web.admission", "web.dependencies", "web.problems"},
    "app": {
        "analysis", "installed", "model", "settings", "web.access", "web.admission", "web.analyze",
        "web.catalogue", "web.client", "web.docs", "web.head", "web.headers", "web.health",
        "web.kserve", "web.limits", "web.metrics", "web.observe", "web.problems", "web.refusals",
        "web.results", "web.traces",
    },
    "cluster.__init__": set(),
    "cluster.scorer": {"audio", "installed", "model", "settings"},
    "cluster.remote": {
        "audio", "card", "cluster.scorer", "installed", "model", "settings", "web.admission",
    },
    "cluster.proxy": {"web.headers", "web.refusals"},
    "cluster.ingress": {
        "app", "cluster.remote", "cluster.scorer", "installed", "logs", "settings", "web.metrics",
    },
    "__main__": {
        "analysis", "app", "installed", "library.command", "library.find", "library.records",
        "library.tags", "logs", "model", "settings", "taxonomy", "web.access", "web.connection",
        "web.metrics",
    },
}  # fmt: skip
"""Which modules of the service each of them may import."""

TRAINED = {
    "__init__": set(),
    "corpus": set(),
    "augment": set(),
    "compiled": set(),
    "synthesise": {"augment"},
    "not_music": {"augment"},
    "danceability": {"compiled"},
    "danceability_study": {"corpus", "danceability"},
    "made": {"corpus", "not_music", "synthesise"},
    "cluster": set(),
    "prepare": {
        "augment", "cluster", "compiled", "corpus", "danceability", "made", "not_music",
    },
    "prepared": {"corpus", "made", "prepare"},
    "divisions": {"corpus", "prepared"},
    "descriptors": set(),
    "disturb": set(),
    "device": set(),
    "member": set(),
    "perceptron": {"descriptors", "member"},
    "convolutional": {"member"},
    "networks": {"convolutional", "descriptors", "member", "perceptron"},
    "described": {"descriptors", "device", "disturb", "perceptron", "prepared"},
    "fitting": {"member"},
    "sampling": {"prepared"},
    "targets": {"device", "member", "prepared"},
    "calibrate": {"described", "networks", "prepare", "prepared"},
    "runs": {
        "calibrate", "convolutional", "divisions", "fitting", "member", "networks", "perceptron",
        "prepared",
    },
    "fit_perceptron": {
        "described", "device", "divisions", "fitting", "perceptron", "prepared", "runs", "sampling",
        "targets",
    },
    "fit_convolutional": {
        "convolutional", "device", "disturb", "divisions", "fitting", "prepared", "runs",
        "sampling", "targets",
    },
    "kept": {"fitting", "member", "prepared", "runs"},
    "train": {
        "calibrate", "corpus", "described", "device", "divisions", "fit_convolutional",
        "fit_perceptron", "kept", "prepared", "runs",
    },
    "learning_curve": {"described", "divisions", "fit_perceptron", "prepared", "runs"},
    "answers": {"calibrate", "described", "divisions", "prepare", "prepared", "runs"},
    "evaluate": {
        "answers", "calibrate", "corpus", "described", "divisions", "prepare", "prepared", "runs",
    },
    "model_card": {"calibrate", "corpus", "evaluate", "made", "prepared", "runs"},
    "export": {
        "calibrate", "divisions", "evaluate", "model_card", "networks", "prepared", "runs",
    },
    "report": {
        "answers", "described", "divisions", "evaluate", "model_card", "networks", "prepared",
        "runs",
    },
    "compare.__init__": set(),
    "compare.sample": {"corpus"},
    "compare.clips": {"corpus"},
    "compare.features": {"compiled", "danceability"},
    "compare.parallel": set(),
    "compare.store": {
        "compare.clips", "compare.features", "compare.parallel", "compare.sample", "prepare",
    },
    "compare.labels": {"compare.clips", "compare.sample", "compare.store", "corpus"},
    "compare.classical": {"compare.labels", "compare.sample"},
    "compare.neural": {"compare.sample", "convolutional", "device", "member"},
    "compare.trunk": {
        "compare.clips", "compare.labels", "compare.neural", "compare.parallel", "compare.sample",
        "compare.store", "convolutional", "device",
    },
    "compare.rows": {"compare.classical", "compare.labels", "compare.neural", "compare.sample"},
    "compare.results": {"compare.rows", "compare.sample"},
    "compare.measure": {
        "compare.classical", "compare.clips", "compare.labels", "compare.neural",
        "compare.results", "compare.rows", "compare.sample", "compare.store", "corpus",
    },
    "compare.page": {"compare.clips", "compare.features", "compare.results", "compare.rows"},
    "compare.comparison": {
        "compare.clips", "compare.measure", "compare.page", "compare.parallel", "compare.results",
        "compare.rows", "compare.sample", "compare.store", "compare.trunk",
    },
    "__main__": {
        "augment", "cluster", "compare.comparison", "compare.sample", "corpus",
        "danceability_study", "evaluate", "export", "fitting", "learning_curve", "model_card",
        "prepare", "prepared", "report", "runs", "synthesise", "train",
    },
}  # fmt: skip
"""Which modules of the training each of them may import."""

OF_THE_SERVICE = {
    "service", "service.audio", "service.card", "service.model", "service.mood", "service.verdict",
}  # fmt: skip
"""What training may import of the service."""

ENCODES = "training.augment"
"""Encodes as a phone does; it decodes by `service.audio`, like everything else."""

NO_TORCH = {
    "corpus", "augment", "compiled", "synthesise", "not_music", "danceability",
    "danceability_study", "made", "cluster", "prepare", "prepared", "divisions",
}  # fmt: skip
NO_HTTP = {
    "audio", "card", "model", "mood", "verdict", "schemas", "taxonomy", "quality", "analysis",
    "installed", "library.find", "library.records", "library.tags",
}  # fmt: skip
ONLY_HERE = {
    "av": {"service.audio", ENCODES},
    "soxr": {"service.audio"},
    "librosa": set(),  # by its name, and there only: `training.compiled`
    "catboost": {"training.compare.rows"},
    "onnxruntime": {"service.model", "training.export"},
    "ray": {"service.cluster.ingress", "service.cluster.remote", "service.cluster.scorer"},
}  # fmt: skip


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


def imported(package, name):
    """The modules of its own package that a module imports, by their short names."""
    found = imports(modules(package)[f"{package}.{name}"]) & modules(package).keys()
    return {each.removeprefix(f"{package}.") for each in found}


SERVICE, TRAINING = modules("service"), modules("training")
ALL = SERVICE | TRAINING


def test_every_module_has_its_place():
    assert {name.removeprefix("service.") for name in SERVICE} == OURS.keys()
    assert {name.removeprefix("training.") for name in TRAINING} == TRAINED.keys()


@pytest.mark.parametrize("name", OURS)
def test_arrows_point_one_way(name):
    assert imported("service", name) == OURS[name]


@pytest.mark.parametrize("name", TRAINED)
def test_arrows_of_the_training_point_one_way(name):
    assert imported("training", name) == TRAINED[name]
    theirs = {each for each in imports(TRAINING[f"training.{name}"]) if each in SERVICE}
    assert theirs <= OF_THE_SERVICE


@pytest.mark.parametrize("arrows", [OURS, TRAINED])
def test_no_arrow_goes_round(arrows):
    TopologicalSorter(arrows).prepare()


@pytest.mark.parametrize("name", SERVICE)
def test_the_service_knows_nothing_of_training(name):
    assert not packages(SERVICE[name]) & {"torch", "onnx", "training", "tests"}


@pytest.mark.parametrize("name", sorted(NO_HTTP))
def test_the_domain_knows_nothing_of_http(name):
    assert not packages(SERVICE[f"service.{name}"]) & WEB


@pytest.mark.parametrize("name", TRAINING)
def test_training_hears_through_the_service(name):
    decoders = DECODERS - {"av"} if name == ENCODES else DECODERS
    assert not packages(TRAINING[name]) & (WEB | decoders | {"tests"})


def test_what_encodes_does_not_decode():
    text = TRAINING[ENCODES].read_text()
    assert re.findall(r"av\.open\([^)]*\)", text) == re.findall(r'av\.open\([^)]*"w"[^)]*\)', text)
    assert "decode(" not in text.replace("audio.decode(", "")


@pytest.mark.parametrize("name", sorted(NO_TORCH))
def test_what_is_before_the_networks_needs_no_torch(name):
    assert "torch" not in packages(TRAINING[f"training.{name}"])


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
        "warm_up(load_models(MODELS))\n"
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
