"""The Dockerfile installs dependencies with a stub of the package; the stub has every folder."""

import re
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
