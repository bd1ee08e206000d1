"""The settings: from the command line, ``FIFTEEN_*`` environment variables or a TOML file.

The first of these that has a setting wins.
"""

import json
import os
import tomllib
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from limits import parse
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    CliPositionalArg,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service import audio
from service.card import HEAD_NAME
from service.feedback import LEAST_BYTES
from service.logs import LogFormat
from service.mood import Mood

MODELS = Path(__file__).parent / "models"
DEVICE_NUMBERS = "device.json"  # in a folder of `make device`


KeyDigest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _rate(text: str) -> str:
    """Refuse text that is not a rate."""
    parse(text)
    return text


def processors_per_worker(settings: dict[str, Any]) -> int:
    """Return the number of processors for each process; `settings` has the fields above."""
    workers: int = settings.get("workers", 1)
    return max(1, number_of_processors() // workers)


def number_of_processors() -> int:
    """Return the number of processors of this machine."""
    return os.cpu_count() or 1


def _not_empty(name: Any) -> Any:
    """Refuse an empty name, which would be the current folder."""
    if name == "":
        raise ValueError("a name is empty")
    return name


AS_WRITTEN = "as written"
"""Marks a list of names, which the command line has one by one: see `CommandLine`."""

Rate = Annotated[str, AfterValidator(_rate)]
Paths = Annotated[tuple[Annotated[Path, BeforeValidator(_not_empty)], ...], AS_WRITTEN]
Names = Annotated[list[str], AS_WRITTEN]
WriteTags = Literal["missing", "replace"]
MoreTags = Literal["tempo", "key", "replaygain"]


class CommandLine(CliSettingsSource[BaseSettings]):
    """The options of a command.

    pydantic-settings divides a list at commas, and reads quotes, brackets and numbers in it as
    JSON. Names of files and genres have all of these, so they are taken as they are.
    """

    def _merge_parsed_list(self, parsed_list: list[str], field_name: str) -> str:
        """Return a list as JSON."""
        field = self.settings_cls.model_fields.get(field_name)
        if field is not None and AS_WRITTEN in field.metadata:
            return json.dumps(parsed_list)
        return super()._merge_parsed_list(parsed_list, field_name)


class ConfigError(ValueError):
    """The settings file cannot be read. The message is for the operator, in one line."""


class CommonSettings(BaseSettings):
    """Settings of an analysis, with and without a server."""

    model_config = SettingsConfigDict(
        env_prefix="FIFTEEN_",
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
    )

    config: Path | None = Field(None, description="TOML file with other settings.")
    models: Path = Field(MODELS, description="Folder of the models; every *.onnx file is loaded.")
    model: str = Field(
        "fifteen",
        description="Default model: name, which selects the newest version, or name:version.",
    )
    taxonomy: Path | None = Field(
        None, description="TOML file that renames genres; genres with the same new name merge."
    )
    heads: Path | None = Field(
        None, description="Folder of heads, which the command `teach` writes; all are loaded."
    )
    max_seconds: float = Field(
        audio.MAX_SECONDS,
        ge=audio.MIN_SECONDS,
        le=3_600,
        description="Analysed length of a recording, seconds; the rest is ignored.",
    )
    decode_seconds: float = Field(20, gt=0, description="Decoding timeout, seconds.")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Remove the indentation of the docstring, which ``--help`` prints."""
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
        """Return the sources in the order of their priority."""
        return init_settings, env_settings, _TomlSource(settings_cls)


class Settings(CommonSettings):
    """Serve Fifteen. Every option is also a FIFTEEN_* variable and a key of the settings file.

    Other commands: analyze, similar and teach need no server; mcp serves agents; key generates an
    API key. `analyze --help` lists the options of a command.
    """

    library: Path | None = Field(
        None,
        description="*.jsonl file of `analyze --embedding true`, in which "
        "/v1/similar searches; each process holds it in memory.",
    )
    feedback: Path | None = Field(
        None,
        description="SQLite file for what senders say of answers, at /v1/feedback; it is made if "
        "it does not exist. Vectors and labels are stored, never sound.",
    )
    feedback_count: int = Field(
        10_000, ge=1, description="Entries of feedback that are kept; more are refused."
    )
    feedback_bytes: int = Field(
        32 * 2**20, ge=LEAST_BYTES, description="Largest size of the file of feedback, bytes."
    )
    device: Path | None = Field(
        None,
        description="Folder of `make device`, with which the web app answers on the phone itself.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(
        8000, ge=0, le=65_535, description="TCP port to listen on; 0 selects a free one."
    )
    workers: int = Field(1, ge=1, description="Server processes; each loads the models.")
    cache_entries: int = Field(
        0, ge=0, description="Answers that each process caches, for repeated requests."
    )
    max_upload_bytes: int = Field(
        32 * 2**20,
        ge=1,
        description="Maximum size of a request body, bytes, including multipart framing.",
    )
    upload_seconds: float = Field(
        60,
        gt=0,
        description="Read timeout for headers and for the body, and write timeout for the "
        "response, seconds.",
    )
    max_uploads: int = Field(
        32, ge=1, description="Request bodies that a process holds at the same time."
    )
    max_live: int = Field(
        16, ge=1, description="Live connections that a process holds at the same time."
    )
    live_seconds: float = Field(
        14_400,
        gt=0,
        description="Longest live connection, seconds; then the service ends its recording.",
    )
    concurrency: int = Field(
        default_factory=processors_per_worker,
        ge=1,
        description="Recordings that a process analyses at the same time; each may need 0.5 GB "
        "of memory. Default: the processors divided by the workers.",
    )
    queue_length: int = Field(
        16, ge=0, description="Recordings that wait in each process; more are refused."
    )
    api_keys: dict[str, KeyDigest] = Field(
        {},
        description="API keys: the name of each owner with the SHA-256 digest of the key; the "
        "command `key` generates one. If any is set, requests without one are refused.",
    )
    rate_per_key: Rate | None = Field(
        None, description="Rate limit for each owner of a key, such as 600/minute."
    )
    rate_per_address: Rate | None = Field(
        None, description="Rate limit for each address without a key, such as 60/minute."
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Proxies whose X-Forwarded-For is trusted, separated by commas; * for all.",
    )
    cors_origins: list[str] = Field(
        [], description="Origins that may send requests, such as https://example.org; * for all."
    )
    log_format: LogFormat = Field("text", description="text or json, one line for each event.")
    tracing: bool = Field(
        default=False,
        description="Send OpenTelemetry traces to OTEL_EXPORTER_OTLP_ENDPOINT; needs the extra "
        "otel.",
    )
    shutdown_seconds: int = Field(
        10, ge=1, description="Grace period for running requests at shutdown, seconds."
    )

    @field_validator("device")
    @classmethod
    def _built(cls, device: Path | None) -> Path | None:
        if device is not None and not (device / DEVICE_NUMBERS).is_file():
            raise ValueError(
                f"{device} is not a folder of `make device`: it has no file {DEVICE_NUMBERS}"
            )
        return device


class LibrarySettings(CommonSettings):
    """Analyze files and whole folders of music, and write a record for each recording.

    In a folder, hidden files and files without sound (pictures, texts, playlists, ...) are skipped
    and counted on stderr. A recording that cannot be analysed gets a record with its problem. Every
    option is also a FIFTEEN_* variable.

    Exit status: 0 if every recording was analysed, 1 if any has a problem, 2 if the command or its
    output cannot be used, 130 if the command was interrupted.
    """

    # the settings file may also have settings of the server
    model_config = SettingsConfigDict(extra="ignore")

    paths: CliPositionalArg[Paths] = Field(min_length=1, description="Files and folders.")
    output: Path | None = Field(
        None,
        description="*.jsonl or *.csv file for the records. Repeat the command to resume a stopped "
        "run, or to analyze new and changed files. Without this option, JSON lines go to standard "
        "output.",
    )
    jobs: int = Field(
        default_factory=number_of_processors, ge=1, description="Processes that analyze."
    )
    timeline: bool = Field(
        default=False, description="Add the analysis of each window; *.jsonl only."
    )
    embedding: bool = Field(
        default=False,
        description="Add the vector that `similar` compares; *.jsonl only.",
    )
    head: str | None = Field(None, description="Add the labels of this head of the folder `heads`.")
    write_tags: WriteTags | None = Field(
        None,
        description="Write genre, mood, valence, energy and danceability into the tags of the "
        "files: `missing` leaves existing tags, `replace` overwrites them. Needs the extra tags.",
    )
    more_tags: tuple[MoreTags, ...] = Field(
        (),
        description="Also write these tags, separated by commas: tempo, key, replaygain. Needs "
        "`--write-tags`.",
    )
    keep_times: bool = Field(
        default=False,
        description="Preserve the modification time of a file whose tags are written. In any case, "
        "tags are written into a copy, which replaces the file only if it is proved to have the "
        "same sound and all other content. Otherwise the file is unchanged and its record has the "
        "reason. Files that are read-only or have several names (hard links) are never changed.",
    )

    @field_validator("output")
    @classmethod
    def _known_suffix(cls, output: Path | None) -> Path | None:
        if output is not None and output.suffix not in {".jsonl", ".csv"}:
            raise ValueError("the name must end in .jsonl or .csv")
        return output

    @model_validator(mode="after")
    def _head_of_a_folder(self) -> Self:
        if self.head is not None and self.heads is None:
            raise ValueError("a head needs the folder of heads, --heads")
        return self

    @model_validator(mode="after")
    def _tags_are_written(self) -> Self:
        if self.more_tags and self.write_tags is None:
            raise ValueError("more tags are written only with --write-tags missing or replace")
        return self

    @model_validator(mode="after")
    def _no_lists_in_a_table(self) -> Self:
        if self.output is not None and self.output.suffix == ".csv":
            for name, asked in {"timelines": self.timeline, "embeddings": self.embedding}.items():
                if asked:
                    raise ValueError(f"a CSV table cannot contain {name}; use a *.jsonl file")
        return self


class SimilarSettings(CommonSettings):
    """List the recordings of a library that are most similar to some recordings.

    Prints a line for each: the cosine of the two vectors, 1 for the same sound, and the path.

    Exit status: 0 if every recording was compared, 1 if any has a problem, 2 if the library cannot
    be used.
    """

    # the settings file may also have settings of the server
    model_config = SettingsConfigDict(extra="ignore")

    library: CliPositionalArg[Path] = Field(
        description="*.jsonl file of `analyze --embedding true`."
    )
    recordings: CliPositionalArg[Paths] = Field(
        min_length=1, description="Files to compare with it."
    )
    count: int = Field(10, ge=1, description="Recordings to list for each.")
    genre: Names = Field([], description="List recordings of this genre; several are allowed.")
    mood: list[Mood] = Field([], description="List recordings of this mood; several are allowed.")
    feature: Names = Field(
        [],
        description="List recordings in this range of an audio-feature, such as "
        "energy:0.6..0.8, tempo:120.. or loudness:..-10; several are allowed.",
    )


class TeachSettings(CommonSettings):
    """Teach the service your own labels, from at least five recordings of each.

    The folder has a folder for each label, with recordings and albums in it: FOLDER/label/track or
    FOLDER/label/album/track. An album is never on both sides of a split. The result is one small
    file, which the service loads from the folder `heads`.

    With `--feedback`, what senders said of answers is taught, too, and the result is a candidate,
    which no service loads. `--replace true` puts it in the place of the head.

    Exit status: 0 if every recording was used, 1 if any has a problem, 2 if the recordings cannot
    teach a head.
    """

    # the settings file may also have settings of the server
    model_config = SettingsConfigDict(
        cli_shortcuts={"table": "from", "store": "feedback"}, extra="ignore"
    )

    folder: CliPositionalArg[Path | None] = Field(
        None, description="Folder of label/track and label/album/track."
    )
    table: Path | None = Field(
        None,
        description="Table of the web app's export of labelled recordings, labels.csv, in place of "
        "the folder. Its column `file` has paths beside it, `label` the labels.",
    )
    store: Path | None = Field(
        None,
        description="SQLite file of feedback. What senders said of the head NAME is taught, beside "
        "the folder or the table or alone.",
    )
    genres: bool = Field(
        default=False, description="Teach what senders said of genres, in place of the head's."
    )
    replace: bool = Field(
        default=False,
        description="Teach nothing; replace the head by its candidate, whose figures are printed.",
    )
    name: str = Field(pattern=HEAD_NAME, description="Name of the head, as in ?head=NAME.")
    output: Path | None = Field(
        None, description="File for the head; NAME.json by default. An older head is replaced."
    )
    jobs: int = Field(
        default_factory=number_of_processors, ge=1, description="Processes that analyze."
    )

    @model_validator(mode="after")
    def _sources(self) -> Self:
        sources = [self.folder, self.table, self.store]
        if self.replace and any(sources):
            raise ValueError("teach first, read the figures, then replace the head: --name only")
        if self.folder and self.table:
            raise ValueError("name a folder, or a table with --from")
        if not self.replace and not any(sources):
            raise ValueError("name a folder, a table with --from, or a file with --feedback")
        if self.genres and not self.store:
            raise ValueError("--genres is about --feedback")
        return self


class FeedbackSettings(CommonSettings):
    """Count, export or delete what senders said of answers, in the file that `feedback` names.

    `export` prints a JSON line for each entry. `delete` needs what to delete: `--id`, `--sender` or
    `--everything true`.

    Exit status: 0, or 2 if the file cannot be used.
    """

    # the settings file may also have settings of the server
    model_config = SettingsConfigDict(extra="ignore")

    action: CliPositionalArg[Literal["count", "export", "delete"]] = Field(
        description="What to do with the entries."
    )
    feedback: Path = Field(description="The file.")
    id: Names = Field([], description="Delete the entry of this id; several are allowed.")
    sender: Names = Field(
        [], description="Delete what the owner of this API key sent; several are allowed."
    )
    everything: bool = Field(default=False, description="Delete all entries.")

    @model_validator(mode="after")
    def _says_what_to_delete(self) -> Self:
        named = bool(self.id or self.sender)
        if self.action != "delete" and (named or self.everything):
            raise ValueError("only `delete` takes --id, --sender and --everything")
        if self.action == "delete" and named == self.everything:
            raise ValueError("name what to delete: --id, --sender, or --everything true")
        return self


class McpSettings(CommonSettings):
    """Serve agents over the Model Context Protocol; needs the extra mcp.

    The agent may analyze the recordings in the folders, and nothing else of this machine. It can
    change no file. With --http, only programs on this machine reach the server.
    """

    # the settings file may also have settings of the server
    model_config = SettingsConfigDict(extra="ignore")

    folders: CliPositionalArg[Paths] = Field(
        min_length=1, description="Folders that the agent may read."
    )
    library: Path | None = Field(
        None,
        description="*.jsonl file of `analyze --embedding true`, to find similar recordings in.",
    )
    http: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="TCP port of 127.0.0.1, to serve streamable HTTP at /mcp. Without this option, "
        "the agent starts the command and uses its standard input and output.",
    )
    max_files: int = Field(
        100, ge=1, description="Most files of a folder that one call may analyze."
    )
    jobs: int = Field(
        default_factory=number_of_processors, ge=1, description="Processes that analyze."
    )


class _TomlSource(PydanticBaseSettingsSource):
    """The file that the setting `config` of an earlier source names."""

    def get_field_value(
        self,
        field: FieldInfo,  # noqa: ARG002
        field_name: str,
    ) -> tuple[Any, str, bool]:
        """Return nothing; the file is read as a whole."""
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
