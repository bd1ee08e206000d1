"""The Dockerfile installs dependencies with a stub of the package; the stub has every folder."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_stub_has_every_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setuptools = project["tool"]["setuptools"]
    packages = {
        setuptools["package-dir"].get(name, name.replace(".", "/"))
        for name in setuptools["packages"]
    }
    dockerfile = (ROOT / "Dockerfile").read_text()
    stubs = set(re.search(r"^RUN mkdir (.*)$", dockerfile, re.MULTILINE)[1].split())
    assert stubs | {"service"} == packages


def test_every_package_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = {path.parent.relative_to(ROOT) for path in (ROOT / "service").rglob("__init__.py")}
    packages = {Path(*name.split(".")) for name in project["tool"]["setuptools"]["packages"]}
    assert found <= packages


def test_the_stage_of_the_device_has_what_its_command_needs(tmp_path):
    """The command runs where only the files of the image are; no container runs here."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    stage = re.search(r"^FROM build AS device\n(.*?)\n\n", dockerfile, re.MULTILINE | re.DOTALL)
    for name in re.search(r"^COPY (tools.*) tools/$", stage[1], re.MULTILINE)[1].split():
        assert f"!{name}\n" in (ROOT / ".dockerignore").read_text()
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("service", "mobile_client"):  # of the stage before
        (tmp_path / name).symlink_to(ROOT / name)
    command = re.search(r"^RUN /opt/venv/bin/python (.*) /opt/device$", stage[1], re.MULTILINE)[1]
    result = subprocess.run(
        [sys.executable, *command.split(), "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_no_stage_is_named_by_an_argument():
    """Some builders do not find a stage by the default of an argument: buildah 1.28 is one."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    named = re.findall(r"^FROM (\S*\$\S*)", dockerfile, re.MULTILINE)
    assert set(named) == {"${NODE_IMAGE}", "${BASE_IMAGE}"}
