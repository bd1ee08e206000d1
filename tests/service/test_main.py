import os
import shutil
import signal
import subprocess
import sys
import time

import httpx2 as httpx
import pytest

from service.__main__ import HUNG_SECONDS, main
from service.analysis import ProbeError
from service.model import ModelMismatchError
from service.settings import MODELS, Settings
from service.web.auth import digest_of
from tools.server import STARTED, Server

CONSOLE = "from service.console import main; main()"
INTERRUPTIBLE = ("env", "--default-signal=INT", sys.executable)
"""A background process may ignore the signal otherwise."""


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("FIFTEEN_PORT", "http", "FIFTEEN_PORT: "),
        ("FIFTEEN_MAX_UPLOAD_BYTES", "0", "FIFTEEN_MAX_UPLOAD_BYTES: "),
        ("FIFTEEN_API_KEYS", "me", "FIFTEEN_API_KEYS: a list or an object is written as JSON"),
        ("FIFTEEN_CORS_ORIGINS", "https://a.org", "FIFTEEN_CORS_ORIGINS: a list or an object is"),
        ("FIFTEEN_TAXONOMY", "/nowhere.toml", "/nowhere.toml is not a taxonomy: "),
        ("FIFTEEN_MODEL", "other", "The default model other is not in "),
    ],
)
def test_a_bad_setting_prints_one_line(monkeypatch, capsys, variable, value, message):
    monkeypatch.setenv(variable, value)
    assert main([]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fifteen: {message}")


def test_a_missing_settings_file_prints_one_line(capsys):
    assert main(["--config", "/nowhere.toml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fifteen: /nowhere.toml cannot be read")


@pytest.mark.parametrize("arguments", [[], ["--workers", "2"]])
@pytest.mark.parametrize(("content", "message"), [(None, "no model"), (b"x", "bad.onnx is not")])
def test_a_bad_model_prints_one_line(monkeypatch, capsys, tmp_path, content, message, arguments):
    if content:
        (tmp_path / "bad.onnx").write_bytes(content)
    monkeypatch.setenv("FIFTEEN_MODELS", str(tmp_path))
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("error", [ModelMismatchError, ProbeError])
def test_workers_do_not_start_if_the_models_are_not_proved(monkeypatch, capsys, error):
    def warm_up(models):
        raise error("The output differs.")

    monkeypatch.setattr("service.__main__.warm_up", warm_up)
    assert main(["--workers", "2"]) == 1
    assert capsys.readouterr().err == "fifteen: The output differs.\n"


SHIPPED = MODELS / "fifteen.onnx"
FRONT_END = b'"span_db":80', b'"span_db":81'


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    """Change one bit of a weight: the model would load, with wrong scores."""
    at = len(content) * 3 // 4
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("change", "digest", "message"),
    [
        (cut, False, "fifteen.onnx is not a model"),
        (cut, True, "fifteen.onnx was changed or damaged"),
        (flipped, True, "fifteen.onnx was changed or damaged"),
        (lambda content: content.replace(*FRONT_END), False, "another front-end"),
    ],
    ids=["truncated", "truncated-digest", "tampered", "front-end"],
)
def test_a_model_that_cannot_be_served_ends_the_start(tmp_path, capsys, change, digest, message):
    if digest:
        shutil.copy(f"{SHIPPED}.sha256", tmp_path)
    content = change(SHIPPED.read_bytes())
    assert content != SHIPPED.read_bytes()
    (tmp_path / "fifteen.onnx").write_bytes(content)
    assert main(["--port", "0", "--models", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fifteen: ")
    assert message in line


def test_the_command_line_overrides_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("FIFTEEN_PORT", "8000")
    assert main(["--port", "65536"]) == 2
    assert "FIFTEEN_PORT" in capsys.readouterr().err


def test_the_help_has_every_setting(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in text


@pytest.mark.parametrize("command", ["", "serve", "analyze", "similar", "teach", "mcp"])
def test_the_help_names_the_program_and_its_command(capsys, command):
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    _named_as("python -m service", command, capsys.readouterr().out)


@pytest.mark.parametrize(
    ("program", "start"),
    [
        ("python -m service", ["-m", "service"]),
        ("fifteen", ["-c", CONSOLE]),
    ],
)
def test_the_help_names_the_program_as_it_was_started(program, start):
    command = [sys.executable, *start, "mcp", "--help"]
    _named_as(program, "mcp", subprocess.check_output(command, text=True))


def _named_as(program, command, text):
    usage = text.partition("[-h]")[0].split()
    assert usage == f"usage: {program} {command}".split()
    assert text.count("python -m") == usage.count("-m")


def test_a_key_and_its_digest_are_printed(capsys):
    assert main(["key"]) == 0
    key, digest = (line.split()[1] for line in capsys.readouterr().out.splitlines())
    assert digest_of(key) == digest
    assert len(key) > 40


@pytest.mark.parametrize(
    ("host", "keys", "open_"),
    [
        ("127.0.0.1", "{}", False),
        ("0.0.0.0", "{}", True),
        ("0.0.0.0", f'{{"me": "{"0" * 64}"}}', False),
    ],
)
def test_a_service_open_to_all_prints_a_warning(monkeypatch, capsys, tmp_path, host, keys, open_):
    monkeypatch.setenv("FIFTEEN_API_KEYS", keys)
    main(["--host", host, "--models", str(tmp_path)])
    assert ("is open to all" in capsys.readouterr().err) == open_


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A service of two processes with its own folder for temporary files."""
    folder = tmp_path_factory.mktemp("several")
    server = Server("--workers", "2", TMPDIR=str(folder))
    server.folder = folder
    server.wait_until_started(2)
    yield server
    assert server.stop() == 0
    assert server.log.count("Finished server process") == 2
    assert "Traceback" not in server.log


def counted_metrics(server):
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    found = [line for line in lines if 'requests_total{method="GET",route="/metrics"' in line]
    return sum(float(line.split()[-1]) for line in found)


@pytest.mark.slow
def test_several_processes_answer_at_one_port(several):
    assert httpx.get(f"{several.url}/v1/limits").json()["workers"] == 2
    first = counted_metrics(several)
    for more in range(1, 20):  # each process reports the counts of all
        assert counted_metrics(several) == first + more


def files_of(server, pid):
    """Return the kinds of metric files of a process."""
    files = server.folder.glob(f"fifteen-metrics-*/*_{pid}.db")
    return {file.name.partition("_")[0] for file in files}


@pytest.mark.slow
def test_a_worker_that_crashes_is_replaced(several, clips):
    before = several.workers()
    assert len(before) == 2
    while not files_of(several, before[0]) >= {"counter", "gauge"}:  # until it has served a request
        assert httpx.get(f"{several.url}/metrics").is_success
    os.kill(before[0], signal.SIGSEGV)  # as by a recording that crashes the decoder
    for _ in range(10):
        assert httpx.post(f"{several.url}/v1/analyze", files={"file": clips["mp3"]}).is_success
    several.wait_until_started(3)
    after = several.workers()
    assert len(after) == 2
    assert before[0] not in after
    assert before[1] in after
    assert httpx.get(f"{several.url}/metrics").is_success
    assert files_of(several, before[0]) == {"counter", "histogram"}  # these remain valid
    assert all("gauge" in files_of(several, pid) for pid in after)


@pytest.mark.slow
def test_a_worker_that_dies_during_a_ping_is_replaced_at_once(several):
    started = several.log.count(STARTED)
    dying = several.workers()[0]
    os.kill(dying, signal.SIGSTOP)
    time.sleep(1)  # at least one ping has no answer
    os.kill(dying, signal.SIGKILL)
    stopped = time.monotonic()
    several.wait_until_started(started + 1)
    assert time.monotonic() - stopped < HUNG_SECONDS / 2
    assert dying not in several.workers()


@pytest.mark.slow
def test_a_replaced_worker_accepts_no_request_before_its_models_are_proved(several):
    started = several.log.count(STARTED)
    os.kill(several.workers()[0], signal.SIGKILL)
    statuses, more = set(), 0
    deadline = time.monotonic() + 60
    while more < 200:  # requests after the new worker has started
        assert time.monotonic() < deadline
        statuses.add(httpx.get(f"{several.url}/readyz").status_code)
        more += several.log.count(STARTED) > started
    assert statuses == {200}


@pytest.mark.slow
def test_a_worker_that_hangs_for_seconds_is_not_replaced(several):
    """On a busy machine, uvicorn's default of five seconds kills workers again and again."""
    before = several.workers()
    os.kill(before[0], signal.SIGSTOP)
    time.sleep(7)
    os.kill(before[0], signal.SIGCONT)
    assert httpx.get(f"{several.url}/healthz").is_success
    assert several.workers() == before


@pytest.mark.parametrize("command", [["-m", "service"], ["-c", CONSOLE]])
@pytest.mark.parametrize("module", ["numpy", "fastapi", "uvicorn"])
def test_an_interrupt_during_the_imports_leaves_no_traceback(command, module):
    started = subprocess.Popen(
        [*INTERRUPTIBLE, "-X", "importtime", *command, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in started.stderr:  # each module that was imported
        if line.rstrip().endswith(f" {module}"):
            break
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate()
    assert started.returncode == 130
    assert "Traceback" not in errors
