"""Holds the README to what it promises: its example runs, its tables are complete."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.schemas import ANALYSIS
from service.settings import Settings
from service.verdict import VERDICTS
from service.web import errors

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def table_column(heading: str) -> list[str]:
    """The first column of the table under a heading, without back-quotes."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)
    assert rows
    return rows


def test_the_example_answers_as_printed(server):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed: the README's example was not run")
    command = re.search(r"^curl -F .*$", README, re.MULTILINE)[0]
    assert command.split()[-1] == "http://127.0.0.1:8000/v1/analyze"
    command = command.replace("http://127.0.0.1:8000", server)
    output = subprocess.run(
        [*command.split(), "--silent"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    printed = json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])
    assert printed == ANALYSIS
    answer = json.loads(output)
    assert list(answer) == list(printed)
    for member in ("verdict", "reason", "genre", "audio", "model"):
        assert answer[member] == printed[member]
    for member in ("music", "known", "valence", "energy", "danceability"):
        assert answer[member] == pytest.approx(printed[member], abs=1e-3)
    for ours, theirs in zip(answer["genres"], printed["genres"], strict=True):
        assert ours["genre"] == theirs["genre"]
        assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-3)


def test_the_python_example_runs(server):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    assert "http://127.0.0.1:8000" in code
    command = [sys.executable, "-c", code.replace("http://127.0.0.1:8000", server)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert output == f"{ANALYSIS['reason']}\n"


def test_the_library_example_writes_a_table(tmp_path, clips):
    (tmp_path / "clip.mp3").write_bytes(clips["mp3"])
    command = re.search(r"^\S+ -m service analyze .*$", README, re.MULTILINE)[0].split()
    _, *options, folder, output, table = command
    assert folder == "~/Music"
    command = [sys.executable, *options, str(tmp_path), output, str(tmp_path / table)]
    subprocess.run(command, cwd=ROOT, check=True)
    (row,) = csv.DictReader((tmp_path / table).read_text().splitlines())
    assert row["path"] == str(tmp_path / "clip.mp3")
    assert row["verdict"] in VERDICTS


def test_every_problem_type_is_in_the_table():
    kinds = {*errors.KINDS.values(), *errors.HTTP_KINDS.values()}
    assert sorted(table_column("Refusals")) == sorted(kind.slug for kind in kinds)


def test_every_verdict_is_in_the_table():
    assert table_column("What an answer is about") == list(VERDICTS)


def test_every_setting_is_in_the_table():
    names = [f"FIFTEEN_{name.upper()}" for name in Settings.model_fields]
    assert table_column("Settings") == names


def test_the_commands_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text()):
        commands = re.findall(r"^make ([\w-]+)|`make ([\w-]+)", text, re.MULTILINE)
        assert commands
        assert {first or second for first, second in commands} <= set(targets)
