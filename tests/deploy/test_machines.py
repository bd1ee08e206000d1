"""The machines that the service can run on: the systemd unit, and wheels for each platform."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.settings import Settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "fifteen.service"
ASK = "FIFTEEN_ASK_INDEX"

PLATFORMS = {
    "linux-arm64": (
        {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
        ["manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37))],
    ),
    "macos-arm64": (
        {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
        ["macosx_14_0_arm64"],
    ),
    "windows-amd64": (
        {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
        ["win_amd64"],
    ),
}


def unit():
    """Return the settings of the unit's service; of repeated ones, the last."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.optionxform = str
    parser.read(UNIT)
    return dict(parser["Service"])


def test_the_unit_starts_the_command_of_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    program, *arguments = unit()["ExecStart"].split()
    assert Path(program).name in project["project"]["scripts"]
    assert arguments == ["serve"]


def test_the_unit_waits_longer_than_the_service_needs_to_stop():
    assert int(unit()["TimeoutStopSec"]) > Settings.model_fields["shutdown_seconds"].default


def test_systemd_accepts_the_unit_and_finds_it_safe(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed: the unit was not checked")
    copy = tmp_path / UNIT.name
    program = unit()["ExecStart"].split()[0]
    copy.write_text(UNIT.read_text().replace(program, sys.executable))
    for check in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=20"]):
        command = ["systemd-analyze", *check, copy]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert check[0] != "verify" or not done.stderr


def needed(environment):
    """Return the packages that the service needs on a platform, its own requirements first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pending = [(Requirement(text), "") for text in project["project"]["dependencies"]]
    found = {}
    while pending:
        requirement, extra = pending.pop()
        if requirement.marker and not requirement.marker.evaluate(environment | {"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        extras = {"", *requirement.extras} - found.get(name, set())
        found.setdefault(name, set()).update(extras)
        try:
            further = requires(name) or []
        except PackageNotFoundError:  # of another platform
            further = []
        pending += [(Requirement(text), extra) for extra in extras for text in further]
    return sorted(found)


def pins():
    """Return the pinned version of each package."""
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_package_of_the_service_is_pinned(platform):
    environment, _ = PLATFORMS[platform]
    assert len(needed(environment)) > 30
    assert set(needed(environment)) <= set(pins())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not os.environ.get(ASK), reason=f"asks the package index if {ASK} is set")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_index_has_a_wheel_of_every_package(platform, tmp_path):
    environment, tags = PLATFORMS[platform]
    wanted = [f"{name}=={pins()[name]}" for name in needed(environment)]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    options = ["--dest", tmp_path, *(f"--platform={tag}" for tag in tags)]
    done = subprocess.run(
        [*command, *options, *wanted], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, re.sub(r"(https?|file)://\S+", "…", done.stderr)
    wheels = {canonicalize_name(path.name.split("-")[0]) for path in tmp_path.glob("*.whl")}
    assert wheels == set(needed(environment))
