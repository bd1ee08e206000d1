import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.__main__ import main

ROOT = Path(__file__).parents[3]
ANALYZE = [sys.executable, "-m", "service", "analyze"]
HEARING = ["env", "--default-signal=INT"]  # what runs in the background may be deaf to it


@pytest.fixture
def library(tmp_path, clips):
    folder = tmp_path / "library"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.mp3").write_bytes(clips["mp3"])
    (folder / "broken.mp3").write_bytes(b"hello")
    return folder


def test_a_run_that_was_stopped_goes_on_where_it_was(library, tmp_path):
    records = tmp_path / "records.jsonl"
    command = [*ANALYZE, str(library), "--output", str(records), "--jobs", "1"]
    stopped = subprocess.Popen(
        [*HEARING, *command], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    )
    while not records.exists() or not records.read_bytes():
        assert stopped.poll() is None
        time.sleep(0.02)
    os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, said = stopped.communicate()
    assert stopped.returncode == 130, said
    assert b"Traceback" not in said
    before = records.read_text().splitlines()
    assert 0 < len(before) < 13

    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1  # one of them is broken
    assert f"{13 - len(before)} recordings analysed" in done.stderr
    after = records.read_text().splitlines()
    assert after[: len(before)] == before
    found = sorted(json.loads(line)["path"] for line in after)
    assert found == sorted(map(str, library.iterdir()))


def test_without_an_output_lines_go_to_another_program(library):
    command = [*ANALYZE, str(library / "0.mp3"), str(library / "broken.mp3")]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    lines = {Path(line["path"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert lines["0.mp3"]["analysis"]["audio"]["codec"] == "mp3"
    assert lines["broken.mp3"]["problem"]["type"].endswith(":not-audio")
    assert done.stderr == "2 recordings analysed; 1 of them with a problem, see their records.\n"
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nowhere"], "There is nothing at /nowhere."),
        (["/nowhere", "--output", "x.xlsx"], "must end in .jsonl or .csv"),
        (["/nowhere", "--output", "x.csv", "--timeline", "true"], "no place for timelines"),
        (["/nowhere", "--write-tags", "all"], "FIFTEEN_WRITE_TAGS"),
    ],
)
def test_a_wrong_command_is_one_line(capsys, arguments, says):
    assert main(["analyze", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_a_file_of_another_kind_is_one_line_and_stays(capsys, tmp_path, clips):
    clip, other = tmp_path / "clip.mp3", tmp_path / "other.csv"
    clip.write_bytes(clips["mp3"])
    other.write_text("mine\n")
    assert main(["analyze", str(clip), "--output", str(other)]) == 2
    assert "was not written by this command" in capsys.readouterr().err
    assert other.read_text() == "mine\n"


def test_tags_without_mutagen_are_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutagen", None)
    assert main(["analyze", str(tmp_path), "--write-tags", "missing"]) == 2
    assert "extra tags" in capsys.readouterr().err


def test_a_settings_file_of_the_server_will_do(capsys, tmp_path):
    config = tmp_path / "fifteen.toml"
    config.write_text('port = 80\nmodel = "other"\n')
    assert main(["analyze", str(tmp_path), "--config", str(config)]) == 1
    assert "The default model other is not in" in capsys.readouterr().err
