from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import CliApp

from service.settings import (
    MODELS,
    CommandLine,
    ConfigError,
    FeedbackSettings,
    LibrarySettings,
    McpSettings,
    Settings,
    SimilarSettings,
)


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
    ("processors", "workers", "concurrency"), [(1, 1, 1), (8, 1, 8), (8, 3, 2), (2, 4, 1)]
)
def test_workers_share_the_processors(monkeypatch, processors, workers, concurrency):
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    assert Settings(workers=workers).concurrency == concurrency
    assert Settings(workers=workers, concurrency=5).concurrency == 5


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("host", "0.0.0.0", "0.0.0.0"),
        ("port", "9000", 9_000),
        ("models", "/srv/models", Path("/srv/models")),
        ("model", "better", "better"),
        ("max_upload_bytes", "1000", 1_000),
        ("max_seconds", "30", 30),
        ("queue_length", "0", 0),
        ("api_keys", f'{{"me": "{"0" * 64}"}}', {"me": "0" * 64}),
        ("rate_per_key", "5/second", "5/second"),
        ("cors_origins", '["https://a.org"]', ["https://a.org"]),
        ("log_format", "json", "json"),
        ("tracing", "true", True),
    ],
)
def test_an_environment_variable_sets_each(monkeypatch, name, text, value):
    monkeypatch.setenv(f"FIFTEEN_{name.upper()}", text)
    assert getattr(Settings(), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "http"),
        ("max_upload_bytes", "0"),
        ("max_seconds", "2"),
        ("decode_seconds", "0"),
        ("queue_length", "-1"),
        ("api_keys", '{"me": "open sesame"}'),
        ("rate_per_address", "often"),
        ("log_format", "xml"),
    ],
)
def test_an_invalid_value_is_refused(monkeypatch, name, text):
    monkeypatch.setenv(f"FIFTEEN_{name.upper()}", text)
    with pytest.raises(ValidationError):
        Settings()


class TestFile:
    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        """The path of a settings file, set in the environment."""
        path = tmp_path / "fifteen.toml"
        monkeypatch.setenv("FIFTEEN_CONFIG", str(path))
        return path

    def test_a_file_has_settings(self, file):
        file.write_text('port = 9000\nmodels = "/srv/models"\n')
        assert (Settings().port, Settings().models) == (9_000, Path("/srv/models"))

    def test_the_environment_overrides_the_file(self, file, monkeypatch):
        file.write_text("port = 9000\n")
        monkeypatch.setenv("FIFTEEN_PORT", "9001")
        assert Settings().port == 9_001

    @pytest.mark.parametrize("content", ["port = 99999", "prot = 80"])
    def test_an_invalid_file_is_refused(self, file, content):
        file.write_text(content)
        with pytest.raises(ValidationError):
            Settings()

    @pytest.mark.parametrize("content", [None, b"port", b"\xff"])
    def test_an_unreadable_file_is_refused(self, file, content):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigError, match=r"fifteen\.toml cannot be read"):
            Settings()


def test_every_setting_is_described():
    assert all(field.description for field in Settings.model_fields.values())


DELETE = ["delete", "--feedback=x"]
NAMES = [
    "Earth, Wind & Fire.mp3", 'say "hi".mp3', 'it"s.mp3', "[live].mp3", "{x}.mp3", "null", "true",
    "1999", "007", "1e5", "nan", " both ends ", "back\\slash", "new\nline", "tab\t", '"quoted"',
    ",", "a,", "[a,b]", '{"a": 1}', "-dash.mp3", "a=b", "stray \udcff.mp3", "\U0001f600", "\x01",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize(
    ("command", "arguments", "field"),
    [
        (LibrarySettings, ["--", "{}", "other, too"], "paths"),
        (SimilarSettings, ["--", "library.jsonl", "{}", "other, too"], "recordings"),
        (SimilarSettings, ["--genre={}", "--genre=other, too", "x", "y"], "genre"),
        (
            SimilarSettings,
            ["--feature={}", "--feature=other, too", "x", "y"],
            "feature",
        ),
        (McpSettings, ["--", "{}", "other, too"], "folders"),
        (FeedbackSettings, ["delete", "--feedback=x", "--id={}", "--id=other, too"], "id"),
        (
            FeedbackSettings,
            ["delete", "--feedback=x", "--sender={}", "--sender=other, too"],
            "sender",
        ),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else None,
)
def test_names_are_taken_as_they_are(command, arguments, field, name):
    options = [each.replace("{}", name) for each in arguments]
    source = CommandLine(command, cli_prog_name="x")
    settings = CliApp.run(command, options, cli_settings_source=source)
    assert [str(each) for each in getattr(settings, field)] == [name, "other, too"]


def test_an_empty_name_is_not_the_current_folder():
    source = CommandLine(LibrarySettings, cli_prog_name="x")
    with pytest.raises(ValidationError, match="a name is empty"):
        CliApp.run(LibrarySettings, [""], cli_settings_source=source)
