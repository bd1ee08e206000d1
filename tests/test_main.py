import subprocess
import sys
from pathlib import Path

import pytest

from service.__main__ import main

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("FIFTEEN_PORT", "http", "FIFTEEN_PORT: "),
        ("FIFTEEN_MAX_UPLOAD_BYTES", "0", "FIFTEEN_MAX_UPLOAD_BYTES: "),
        ("FIFTEEN_MODEL", "other", "The default model other is not in "),
    ],
)
def test_a_bad_setting_is_one_line(monkeypatch, capsys, variable, value, says):
    monkeypatch.setenv(variable, value)
    assert main([]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fifteen: {says}")


@pytest.mark.parametrize(("content", "says"), [(None, "no model"), (b"x", "bad.onnx is not")])
def test_a_bad_model_is_one_line(monkeypatch, capsys, tmp_path, content, says):
    if content:
        (tmp_path / "bad.onnx").write_bytes(content)
    monkeypatch.setenv("FIFTEEN_MODELS", str(tmp_path))
    assert main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_the_command_line_overrides_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("FIFTEEN_PORT", "8000")
    assert main(["--port", "65536"]) == 2
    assert "FIFTEEN_PORT" in capsys.readouterr().err


def test_help():
    command = [sys.executable, "-m", "service", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--host" in done.stdout
    assert "--port" in done.stdout
