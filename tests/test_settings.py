import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import MODELS, Settings

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FIFTEEN_{name.upper()}", raising=False)


def test_defaults():
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8_000)
    assert (settings.models, settings.model) == (MODELS, "fifteen")
    assert settings.max_upload_bytes == 32 * 1_024 * 1_024


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("host", "0.0.0.0", "0.0.0.0"),
        ("port", "9000", 9_000),
        ("models", "/srv/models", Path("/srv/models")),
        ("model", "better", "better"),
        ("max_upload_bytes", "1000", 1_000),
    ],
)
def test_the_environment_sets_each(monkeypatch, name, text, value):
    monkeypatch.setenv(f"FIFTEEN_{name.upper()}", text)
    assert getattr(Settings(), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("port", "65536"), ("port", "-1"), ("port", "http"), ("max_upload_bytes", "0")],
)
def test_nonsense_is_refused(monkeypatch, name, text):
    monkeypatch.setenv(f"FIFTEEN_{name.upper()}", text)
    with pytest.raises(ValidationError):
        Settings()


def test_every_setting_is_described():
    assert all(field.description for field in Settings.model_fields.values())


def test_nothing_is_read_at_import():
    code = "import os; os.environ['FIFTEEN_PORT'] = 'nonsense'; import service.app"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
