"""The wheel: it is built, and runs alone in an environment of its own."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import httpx2 as httpx
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from service.schemas import ANALYSIS
from tools.server import Server

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "tests" / "clip.m4a"
SOURCE = ("pyproject.toml", "README.md", "LICENSE", "service", "mobile_client")

ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
"""Without a PYTHONPATH to this checkout."""

pytestmark = pytest.mark.slow


def output_of(*command, **options):
    """Run a command; return its output."""
    done = subprocess.run(command, capture_output=True, text=True, **options)  # noqa: PLW1510
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with the wheel and the source package, built from a copy of the source."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name)
        else:
            shutil.copy(ROOT / name, source)
    folder = tmp_path_factory.mktemp("dist")
    output_of(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, cwd=source)
    return folder


@pytest.fixture(scope="module")
def installed(packages, tmp_path_factory):
    """The folder of the commands of an environment that has the wheel, and this one's packages.

    A path of the packages that stands in a `.pth` file is not searched for other `.pth` files. So
    the environment has the dependencies, but not the editable installation of the service.
    """
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, symlinks=True)
    (wheel,) = packages.glob("*.whl")
    commands = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", commands / "python", "install", "--quiet"]
    output_of(*pip, "--no-deps", "--no-index", wheel, env=ENVIRONMENT)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return commands


@pytest.fixture
def alone(tmp_path):
    """Options of a process that finds nothing of this checkout."""
    return {"cwd": tmp_path, "env": dict(ENVIRONMENT)}


def test_the_packages_pass_the_check_of_their_index(packages):
    assert {path.suffix for path in packages.iterdir()} == {".whl", ".gz"}
    output_of(sys.executable, "-m", "twine", "check", "--strict", *packages.iterdir())


def test_the_environment_has_the_wheel_and_not_the_checkout(installed, alone):
    code = "import service, mobile_client; print(service.__file__, *mobile_client.__path__)"
    for path in output_of(installed / "python", "-c", code, **alone).split():
        assert Path(path).is_relative_to(installed.parent)


def test_the_command_analyzes(installed, alone):
    output = output_of(installed / "fifteen", "analyze", CLIP, "--jobs", "1", **alone)
    analysis = json.loads(output)["analysis"]
    for member in ("verdict", "genre", "model"):
        assert analysis[member] == ANALYSIS[member]


def test_the_command_finds_similar_recordings(installed, alone, tmp_path):
    library = tmp_path / "library.jsonl"
    asked = ["--output", library, "--embedding", "true", "--jobs", "1"]
    output_of(installed / "fifteen", "analyze", CLIP, *asked, **alone)
    shutil.copy(CLIP, tmp_path / "same.m4a")
    output = output_of(installed / "fifteen", "similar", library, "same.m4a", **alone)
    assert output.split() == ["same.m4a", "1.000", str(CLIP)]


def test_the_command_serves_agents(installed, alone, tmp_path):
    shutil.copy(CLIP, tmp_path / "clip.m4a")
    command = StdioServerParameters(
        command=os.fspath(installed / "fifteen"), args=["mcp", os.fspath(tmp_path)], **alone
    )

    async def ask():
        async with Client(stdio_client(command)) as client:
            return await client.call_tool("analyze_file", {"path": "clip.m4a"})

    answer = asyncio.run(ask()).structured_content
    for member in ("verdict", "genre", "model"):
        assert answer[member] == ANALYSIS[member]


def test_the_command_names_itself_in_its_help(installed, alone):
    for command in ("serve", "mcp"):
        output = output_of(installed / "fifteen", command, "--help", **alone)
        assert output.startswith(f"usage: fifteen {command} ")
        assert "python -m" not in output


def test_the_command_serves(installed):
    server = Server(command=[installed / "fifteen", "serve"], PYTHONPATH="")
    try:
        server.wait_until_ready()
        response = httpx.post(f"{server.url}/v1/analyze", files={"file": CLIP.read_bytes()})
        assert response.json()["model"] == ANALYSIS["model"]
        page = httpx.get(server.url)
        assert page.headers["content-type"].startswith("text/html")
        assert httpx.get(f"{server.url}/docs").is_success
    finally:
        assert server.stop() == 0


def test_beets_finds_the_plug_in_beside_its_own(installed, alone, tmp_path):
    (tmp_path / "config.yaml").write_text("plugins: fifteen info\nlibrary: library.db\n")
    alone["env"]["BEETSDIR"] = str(tmp_path)
    output = output_of(installed / "python", "-m", "beets", "help", **alone)
    assert "fifteen" in output
    assert "info" in output


def test_a_process_that_the_command_starts_does_not_load_the_server(installed, alone):
    alone["env"]["PYTHONPROFILEIMPORTTIME"] = "1"  # each process lists its imports on stderr
    command = [installed / "fifteen", "analyze", CLIP, "--jobs", "1"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, **alone)
    imported = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    assert imported.count("service.library.analyze") == 2
    assert imported.count("service.app") == 1
