import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.__main__ import main
from service.feedback import open_store
from tools import signals

ROOT = Path(__file__).parents[3]
ANALYZE = [sys.executable, "-m", "service", "analyze"]
INTERRUPTIBLE = ["env", "--default-signal=INT"]  # a background process may ignore it


def run(*arguments, **options):
    command = [*ANALYZE, *map(os.fspath, arguments)]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, **options)


def read(path):
    """Return the records of a file by path, each as a flat dictionary."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        if path.suffix == ".csv":
            rows = list(csv.DictReader(file))
        else:
            rows = [flat(json.loads(line)) for line in file]
    records = {row["path"]: row for row in rows}
    assert len(records) == len(rows)
    return records


def flat(record):
    problem, analysis = record["problem"] or {}, record["analysis"] or {}
    return {
        "path": record["path"],
        "problem.type": problem.get("type", ""),
        "problem.detail": problem.get("detail", ""),
        "verdict": analysis.get("verdict", ""),
    }


@pytest.fixture
def library(tmp_path, clips):
    folder = tmp_path / "library"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.mp3").write_bytes(clips["mp3"])
    (folder / "broken.mp3").write_bytes(b"hello")
    return folder


@pytest.mark.slow
def test_an_interrupt_while_the_processes_start_leaves_no_traceback(library):
    command = [*INTERRUPTIBLE, *ANALYZE, str(library), "--jobs", "2"]
    started = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    while len(children.read_text().split()) < 3:  # the two, and the one that tracks shared objects
        assert started.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)  # for the import of a module
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate()
    assert (started.returncode, errors) == (130, b"")


@pytest.mark.slow
def test_an_interrupted_run_resumes(library, tmp_path):
    records = tmp_path / "records.jsonl"
    command = [*ANALYZE, str(library), "--output", str(records), "--jobs", "1"]
    interrupted = subprocess.Popen(
        [*INTERRUPTIBLE, *command], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    )
    while not records.exists() or not records.read_bytes():
        assert interrupted.poll() is None
        time.sleep(0.02)
    os.killpg(interrupted.pid, signal.SIGINT)  # like a terminal, which also interrupts the workers
    _, errors = interrupted.communicate()
    assert interrupted.returncode == 130, errors
    assert b"Traceback" not in errors
    before = records.read_text().splitlines()
    assert 0 < len(before) < 13

    done = run(library, "--output", records, "--jobs", "1")
    assert done.returncode == 1  # one of them is broken
    assert f"{13 - len(before)} recording" in done.stderr
    after = records.read_text().splitlines()
    assert after[: len(before)] == before
    found = sorted(json.loads(line)["path"] for line in after)
    assert found == sorted(map(str, library.iterdir()))


@pytest.mark.slow
def test_a_killed_command_leaves_no_process_behind(library):
    killed = subprocess.Popen(
        [*ANALYZE, str(library), "--jobs", "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    killed.stdout.readline()
    killed.kill()
    killed.communicate(timeout=60)  # a process that is alive holds standard output open


@pytest.mark.slow
def test_records_go_to_standard_output_by_default(library):
    done = run(library / "0.mp3", library / "broken.mp3", "--jobs", "1")
    lines = {Path(line["path"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert lines["0.mp3"]["analysis"]["audio"]["codec"] == "mp3"
    assert lines["broken.mp3"]["problem"]["type"].endswith(":not-audio")
    assert done.stderr == "2 recordings analysed; 1 of them with a problem, see their records.\n"
    assert done.returncode == 1


@pytest.mark.slow
def test_a_broken_pipe_is_reported_in_one_line(library):
    reader, writer = os.pipe()
    os.close(reader)
    command = [*ANALYZE, str(library / "0.mp3"), "--jobs", "1"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)  # noqa: PLW1510
    os.close(writer)
    assert done.stderr == "fifteen: Standard output: Broken pipe.\n"
    assert done.returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("sink", ["left", "full", "closed"])
def test_a_command_whose_output_cannot_be_written_ends_in_one_line(tmp_path, tiny_models, sink):
    """Each command that prints: its words, and a file that it reads."""
    store, library, clip = (tmp_path / name for name in ("feedback.sqlite", "x.jsonl", "x.wav"))
    open_store(store, create=True)
    clip.write_bytes(signals.wav(signals.groove(5, 22_050), 22_050))
    tiny = ["--models", tiny_models, "--model", "tiny"]
    start = [sys.executable, "-m", "service"]
    made = [*start, "analyze", clip, "--embedding", "true", "--output", library, *tiny]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True)
    reader, writer = os.pipe()
    os.close(reader)
    if sink == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writer)
    closing = ["sh", "-c", 'exec "$@" >&-', "sh"] if sink == "closed" else []
    for command in (
        ["key"],
        ["feedback", "count", "--feedback", store],
        ["similar", library, clip, *tiny],
        ["analyze", clip, *tiny],
    ):
        words = [*closing, *start, *command]
        done = subprocess.run(words, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)  # noqa: PLW1510
        assert re.fullmatch(r"fifteen: Standard output: [\w ]+\.\n", done.stderr), command
        assert done.returncode == 2
    os.close(writer)


READABLE = [
    "x.MP3", "no suffix", "x.unheard", "x.m4b", "x.weba", "x.ogx", "-dash.mp3",
    "=cmd|x.mp3", "a\rb.mp3", "a\nb.mp3", "a\r\nb.mp3", "\t, \"\x1b\x7f.mp3", "\u2028\x85.mp3",
    'Earth, Wind & "Fire" [live] {1}.mp3', "1999",
    "stray \udcff.mp3", "n" * 251 + ".mp3", "folder.mp3/x.mp3", "link.mp3", "hard link.mp3",
]  # fmt: skip
BROKEN = {
    "empty.mp3": "not-audio",
    "broken.wma": "not-audio",
    "unknown, with a tag": "not-audio",
    "pipe.mp3": "unreadable-file",
    "pipe": "unreadable-file",
    "socket.mp3": "unreadable-file",
    "device.mp3": "unreadable-file",
    "link to nothing": "unreadable-file",
    "link in a circle.mp3": "unreadable-file",
}
NO_SOUND = ["cover.jpg", "x.cue", "x.m3u", "x.nfo", "x.log", "README", "Thumbs.db", "empty"]


@pytest.fixture
def messy(tmp_path, clips, monkeypatch):
    folder = tmp_path / "messy"
    (folder / "folder.mp3").mkdir(parents=True)
    monkeypatch.chdir(folder)  # the path of a socket is short
    for name in READABLE:
        if "link" not in name:
            Path(name).write_bytes(clips["m4a" if name.endswith("m4b") else "mp3"])
    for name in NO_SOUND:
        Path(name).write_bytes(b"" if name == "empty" else b"Nothing to hear.")
    Path("link.mp3").symlink_to("x.MP3")
    Path("hard link.mp3").hardlink_to("x.MP3")
    Path("empty.mp3").touch()
    Path("broken.wma").write_bytes(b"hello")
    Path("unknown, with a tag").write_bytes(b"ID3" + b"hello")
    os.mkfifo("pipe.mp3")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.mp3")
    Path("device.mp3").symlink_to("/dev/zero")
    Path("link to nothing").symlink_to("nowhere")
    Path("link in a circle.mp3").symlink_to("link in a circle.mp3")
    Path("link to a folder").symlink_to(".")
    Path(".hidden.mp3").touch()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["records.csv", "records.jsonl"])
def test_a_messy_folder_has_the_same_records_after_every_run(messy, name, capsys):
    output = messy / name  # in the folder itself
    done = run(messy, "--output", output, timeout=200)
    count = len(READABLE) + len(BROKEN)
    assert f"{count} recordings analysed; {len(BROKEN)} of them with a problem" in done.stderr
    assert "Left out: 8 files without sound (2 others, 2 playlists, 2 texts" in done.stderr
    assert "1 hidden file or folder; 1 link to a folder." in done.stderr
    assert "Traceback" not in done.stderr
    records = read(output)
    assert set(records) == {str(messy / each) for each in [*READABLE, *BROKEN]}
    for each in READABLE:
        assert records[str(messy / each)]["verdict"], each
    for each, slug in BROKEN.items():
        assert records[str(messy / each)]["problem.type"].endswith(f":{slug}"), each
    before = output.read_bytes()
    (messy / f"{name}.part").touch()  # left by a killed run
    for _ in range(3):
        assert main(["analyze", str(messy), "--output", str(output)]) == done.returncode == 1
        errors = capsys.readouterr().err
        assert errors.startswith(f"0 recordings analysed; {count} unchanged")
        assert output.read_bytes() == before


@pytest.mark.timeout(100)
@pytest.mark.slow
def test_a_named_pipe_on_the_command_line_is_not_opened(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert main(["analyze", str(tmp_path / "pipe"), "--jobs", "1"]) == 1
    assert "named pipe" in json.loads(capsys.readouterr().out)["problem"]["detail"]


@pytest.mark.slow
def test_a_changed_setting_repeats_the_analysis(tmp_path, clips):
    (tmp_path / "x.mp3").write_bytes(clips["mp3"])
    taxonomy, output = tmp_path / "names.toml", tmp_path / "records.jsonl"
    command = [tmp_path / "x.mp3", "--output", output, "--taxonomy", taxonomy]
    for names in ('house = "Electronic"', 'house = "Dance"'):
        taxonomy.write_text(names)
        assert run(*command).stderr == "1 recording analysed.\n"
    assert run(*command).stderr == "0 recordings analysed; 1 unchanged since an earlier run.\n"
    (line,) = output.read_text().splitlines()
    genres = {each["genre"] for each in json.loads(line)["analysis"]["genres"]}
    assert "Dance" in genres
    assert "Electronic" not in genres


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/nowhere"], "There is nothing at /nowhere."),
        (["/nowhere", "--output", "x.xlsx"], "must end in .jsonl or .csv"),
        (
            ["/nowhere", "--output", "x.csv", "--timeline", "true"],
            "fifteen: a CSV table cannot contain",
        ),
        (["/nowhere", "--write-tags", "all"], "FIFTEEN_WRITE_TAGS"),
        (["/etc", "--output", "/nowhere/x.csv"], "/nowhere/x.csv cannot be written"),
    ],
)
def test_a_wrong_command_is_reported_in_one_line(capsys, arguments, message):
    assert main(["analyze", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_an_output_of_another_kind_is_reported_in_one_line_and_stays(capsys, tmp_path, clips):
    clip, other = tmp_path / "clip.mp3", tmp_path / "other.csv"
    clip.write_bytes(clips["mp3"])
    other.write_text("mine\n")
    assert main(["analyze", str(clip), "--output", str(other)]) == 2
    assert "was not written by this command" in capsys.readouterr().err
    assert other.read_text() == "mine\n"


def test_tags_without_mutagen_are_reported_in_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutagen", None)
    assert main(["analyze", str(tmp_path), "--write-tags", "missing"]) == 2
    assert "extra tags" in capsys.readouterr().err


def test_a_settings_file_of_the_server_is_accepted(capsys, tmp_path):
    config = tmp_path / "fifteen.toml"
    config.write_text('port = 80\nmodel = "other"\n')
    assert main(["analyze", str(tmp_path), "--config", str(config)]) == 1
    assert "The default model other is not in" in capsys.readouterr().err


def test_other_files_and_the_output_beside_recordings_cause_no_failure(tmp_path, clips, capsys):
    """The output is a link here, and its temporary file is there; neither is analysed."""
    for name in ("README", "x.db", "x.jpg"):
        (tmp_path / name).write_bytes(b"hello")
    (tmp_path / "x.mp3").write_bytes(clips["mp3"])
    (tmp_path / "link.csv").symlink_to("records.csv")
    for name in ("records.csv", "records.csv.part"):
        (tmp_path / name).touch()
    paths = [tmp_path, tmp_path / "records.csv", tmp_path / "records.csv.part"]
    output = ["--output", str(tmp_path / "link.csv"), "--jobs", "1"]
    assert main(["analyze", *map(str, paths), *output]) == 0
    assert capsys.readouterr().err == (
        "1 recording analysed.\nLeft out: 3 files without sound (1 database, 1 other, 1 picture).\n"
    )
    assert set(read(tmp_path / "link.csv")) == {str(tmp_path / "x.mp3")}
    assert (tmp_path / "link.csv").is_symlink()
