"""The entrance pages, docs/start: their commands and examples run, and no figure is typed there."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service.settings import Settings
from tools import signals

ROOT = Path(__file__).parent.parent
START = ROOT / "docs" / "start"
PAGES = sorted(START.glob("*.md"))
LOCAL = "http://127.0.0.1:8000"
OTHERS = (
    "make ",
    "FIFTEEN_CONFIG=fifteen.toml make serve",
    "docker compose up",
    ".venv/bin/python -m pip install '.[tags]'",
)
"""Commands that other tests check, or that install. They are not run here."""


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page):
    lines = "".join(blocks(page, "console")).splitlines()
    return [line for line in lines if not line.startswith(OTHERS)]


@pytest.fixture
def home(tmp_path, clips):
    """A clone with its environment, and a home with music."""
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "clip.m4a", tmp_path / "tests")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "Music").mkdir()
    (tmp_path / "Music" / "song.mp3").write_bytes(clips["mp3"])
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_run(page, home, server):
    if any(line.startswith("curl") for line in commands(page)) and not shutil.which("curl"):
        pytest.skip("curl is not installed: the commands of the page were not run")
    for command in commands(page):
        subprocess.run(
            ["bash", "-euc", command.replace(LOCAL, server)],
            cwd=home,
            env=os.environ | {"HOME": os.fspath(home)},
            check=True,
        )


def test_every_page_for_those_who_use_it_has_a_command():
    assert {page.stem for page in PAGES if commands(page)} == {"try", "libraries", "operators"}


@pytest.mark.parametrize(
    ("sound", "printed"),
    [
        ((ROOT / "tests" / "clip.m4a").read_bytes(), "Genre: house"),
        (signals.wav(0 * signals.sine(4), 22050), "No music: "),
        (b"This is no sound.", "No answer: "),
    ],
    ids=["music", "silence", "text"],
)
@pytest.mark.slow
def test_the_example_decides_by_the_verdict(server, tmp_path, sound, printed):
    (code,) = blocks(START / "apps.md", "python")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "clip.m4a").write_bytes(sound)
    python = [sys.executable, "-c", code.replace(LOCAL, server)]
    output = subprocess.run(python, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert output.startswith(printed)


def test_the_file_of_settings_can_be_read(tmp_path, monkeypatch):
    (text,) = blocks(START / "operators.md", "toml")
    file = tmp_path / "fifteen.toml"
    file.write_text(text.replace("DIGEST", "0" * 64))
    monkeypatch.setenv("FIFTEEN_CONFIG", os.fspath(file))
    written = tomllib.loads(file.read_text())
    assert Settings().model_dump(include=written.keys()) == written


def test_what_it_cannot_do_has_no_figure():
    """Its figures are on pages that a command writes."""
    text = re.sub(r"\]\(.*?\)", "]", (START / "limits.md").read_text(), flags=re.DOTALL)
    assert set(re.findall(r"\d+", text)) == {"4", "3", "86", "64"}  # versions, x86-64
