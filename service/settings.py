"""What an operator can set: by the command line, ``FIFTEEN_*`` variables or a TOML file.

The first of these that gives a setting wins.
"""

import os
import tomllib
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from limits import parse
from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    CliPositionalArg,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service import audio
from service.logs import LogFormat

MODELS = Path(__file__).parent / "models"


KeyDigest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _rate(text: str) -> str:
    """Refuse what is no rate."""
    parse(text)
    return text


def _share_of_processors(before: dict[str, Any]) -> int:
    """Return how many processors there are for each process; `before` has what is set so far."""
    workers: int = before.get("workers", 1)
    return max(1, (os.cpu_count() or 1) // workers)


def number_of_processors() -> int:
    """Return how many processors this machine has."""
    return os.cpu_count() or 1


Rate = Annotated[str, AfterValidator(_rate)]
WriteTags = Literal["missing", "replace"]


class ConfigError(ValueError):
    """The settings file cannot be read. The message is for the operator, in one line."""


class Hearing(BaseSettings):
    """What is heard of a recording, and by which model."""

    model_config = SettingsConfigDict(
        env_prefix="FIFTEEN_",
        frozen=True,
        extra="forbid",
        cli_prog_name="python -m service",
        cli_kebab_case=True,
    )

    config: Path | None = Field(None, description="TOML file with any of the other settings.")
    models: Path = Field(MODELS, description="Folder of the model files, every *.onnx in it.")
    model: str = Field(
        "fifteen",
        description="The model that answers unless asked otherwise: name (the newest version of "
        "it) or name:version.",
    )
    taxonomy: Path | None = Field(
        None, description="TOML file with other names for genres; those under one name are merged."
    )
    max_seconds: float = Field(
        audio.MAX_SECONDS,
        ge=audio.MIN_SECONDS,
        le=3_600,
        description="Sound that is heard of a recording, seconds; what follows is left out.",
    )
    decode_seconds: float = Field(20, gt=0, description="Longest that decoding may take.")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Take the indentation from the docstring, which ``--help`` prints."""
        cls.__doc__ = cleandoc(cls.__doc__ or "")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the command line first, then the environment, then the file."""
        return init_settings, env_settings, _TomlSource(settings_cls)


class Settings(Hearing):
    """Serve Fifteen. Every option is a FIFTEEN_* variable, too, and a key of the settings file.

    Other commands: `python -m service analyze --help`, without a server; `python -m service key`.
    """

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(
        8000, ge=0, le=65_535, description="TCP port to listen on; 0 takes a free one."
    )
    workers: int = Field(1, ge=1, description="Server processes; each loads the models.")
    cache_entries: int = Field(
        0, ge=0, description="Answers that a process keeps for when the same is asked again."
    )
    max_upload_bytes: int = Field(
        32 * 2**20, ge=1, description="Largest request body, bytes, multipart framing included."
    )
    upload_seconds: float = Field(
        60,
        gt=0,
        description="Longest that a body may take to arrive; so may its head, and so may the "
        "answer take to be taken.",
    )
    max_uploads: int = Field(
        32, ge=1, description="Bodies that a process holds at the same time, arriving or arrived."
    )
    concurrency: int = Field(
        default_factory=_share_of_processors,
        ge=1,
        description="Recordings that a process analyses at the same time; each may need 0.5 GB "
        "of memory. Its share of the processors unless set.",
    )
    queue_length: int = Field(
        16, ge=0, description="Recordings that wait in a process; more are refused."
    )
    api_keys: dict[str, KeyDigest] = Field(
        {},
        description="SHA-256 digest of each key by its owner's name; `python -m service key` draws "
        "one. Whoever has none is refused, unless there are none.",
    )
    rate_per_key: Rate | None = Field(
        None, description="Most that the owner of a key may ask: 600/minute."
    )
    rate_per_address: Rate | None = Field(
        None, description="Most that an address without a key may ask: 60/minute."
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses, separated by commas, whose X-Forwarded-For is believed; * for all.",
    )
    cors_origins: list[str] = Field(
        [], description="Origins whose pages may ask, such as https://example.org; * for all."
    )
    log_format: LogFormat = Field("text", description="text, or json: a line an event.")
    tracing: bool = Field(
        default=False,
        description="Send OpenTelemetry traces where OTEL_EXPORTER_OTLP_ENDPOINT says; needs the "
        "extra otel.",
    )
    shutdown_seconds: int = Field(
        10, ge=1, description="What requests have to finish when the service is told to stop."
    )


class LibrarySettings(Hearing):
    """Analyze files and whole folders of music, and write a record of each recording.

    In a folder every file is tried but hidden ones and those without sound by nature (pictures,
    texts, playlists, ...), which are counted on stderr. A recording that cannot be analysed gets a
    record with its problem. Every option is a FIFTEEN_* variable, too.

    Exit status: 0 if every recording was analysed, 1 if any has a problem, 2 if the command or its
    output cannot be used, 130 if it was interrupted.
    """

    # a settings file may be that of the server
    model_config = SettingsConfigDict(cli_prog_name="python -m service analyze", extra="ignore")

    paths: CliPositionalArg[tuple[Path, ...]] = Field(
        min_length=1, description="Files and folders."
    )
    output: Path | None = Field(
        None,
        description="*.jsonl or *.csv file for the records. The same command resumes a run that "
        "was stopped, and later analyses what is new or has changed. Without it, JSON lines go to "
        "standard output.",
    )
    jobs: int = Field(
        default_factory=number_of_processors, ge=1, description="Processes that analyze."
    )
    timeline: bool = Field(
        default=False, description="Add the analysis of each window; *.jsonl only."
    )
    write_tags: WriteTags | None = Field(
        None,
        description="Write genre, mood, valence, energy and danceability into the files' own tags: "
        "`missing` keeps tags that are there, `replace` does not. Needs the extra tags.",
    )

    @field_validator("output")
    @classmethod
    def _known_suffix(cls, output: Path | None) -> Path | None:
        if output is not None and output.suffix not in {".jsonl", ".csv"}:
            raise ValueError("it must end in .jsonl or .csv")
        return output

    @model_validator(mode="after")
    def _no_timeline_in_a_table(self) -> Self:
        if self.timeline and self.output is not None and self.output.suffix == ".csv":
            raise ValueError("a table has no place for timelines: name a *.jsonl")
        return self


class _TomlSource(PydanticBaseSettingsSource):
    """The file that `Settings.config` names, whichever source before this one says so."""

    def get_field_value(
        self,
        field: FieldInfo,  # noqa: ARG002
        field_name: str,
    ) -> tuple[Any, str, bool]:
        """Take no part: the file is read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Read the file, if one is named."""
        path = self.current_state.get("config")
        if path is None:
            return {}
        try:
            return tomllib.loads(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
