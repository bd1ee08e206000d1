"""The plug-in `fifteen` of beets: genre, mood and the like of recordings, as flexible fields.

It is installed as ``beetsplug.fifteen``. `beetsplug` is a namespace package, which many
distributions share, so this folder must not have an ``__init__.py``.

The fields are no media fields of beets: ``beet update``, which reads those from the files, would
empty them.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from optparse import Values
from pathlib import Path
from threading import Lock
from typing import Any, cast

import beets
import requests
from beets.dbcore import types
from beets.exceptions import UserError
from beets.importer import ImportSession, ImportTask
from beets.library import Album, Item, Library
from beets.plugins import BeetsPlugin
from beets.ui import Subcommand, print_
from mediafile import (
    ASFStorageStyle,
    MediaField,
    MediaFile,
    MP3DescStorageStyle,
    MP3StorageStyle,
    MP4StorageStyle,
    StorageStyle,
)
from pydantic_settings import CliApp

from service import audio
from service.analysis import analyze
from service.card import EMOTIONS
from service.library.analyze import open_recording
from service.library.tags.write import NUMBERS
from service.loading import load_served, load_taxonomy
from service.model import ModelError
from service.settings import CommonSettings, number_of_processors
from service.taxonomy import TaxonomyError
from service.verdict import MUSIC

OF_A_GENRE = ("confident", "mixed")
TAGS = ("mood", *EMOTIONS)
"""Fields that `write` writes into the files, under the names that ``fifteen analyze`` uses."""
SCORE = types.NullFloat(NUMBERS)
FIELDS: dict[str, types.Type[Any, Any]] = {
    "fifteen_verdict": types.STRING,
    "fifteen_genre": types.STRING,
    "fifteen_probability": SCORE,
    "fifteen_mood": types.STRING,
    **{f"fifteen_{name}": SCORE for name in EMOTIONS},
    "fifteen_tempo": types.NULL_FLOAT,
    "fifteen_key": types.STRING,
    "fifteen_model": types.STRING,
}
ATTEMPTS = 4  # of a request that the service is too busy for
LONGEST_WAIT = 30  # seconds between them
BUSY = {429, 503}
REFUSED = {401, 403, 404}

Analysis = dict[str, Any]  # the answer of the service, as JSON


class RecordingError(Exception):
    """One recording cannot be analysed. The message is for the person, in one line."""


class UnusableError(Exception):
    """No recording can be analysed. The message is for the person, in one line."""


class Fifteen(BeetsPlugin):
    """Fills the fields of imported recordings, or of those of a query."""

    item_types = FIELDS

    def __init__(self) -> None:
        super().__init__()
        self.config.add(
            {
                "auto": True,
                "force": False,
                "genre": False,
                "write": False,
                "url": "",
                "key": "",
                "timeout": 120,
            }
        )
        self.config["key"].redact = True
        self._lock = Lock()
        self._analyze: Callable[[Path], Analysis] | None = None
        self._unusable = False
        for name in TAGS:
            if not hasattr(MediaFile, f"fifteen_{name}"):
                MediaFile.add_field(f"fifteen_{name}", _tag(name))
        # `register_listener` would wrap them in a change of the log level, which fails if an import
        # runs a stage of this plug-in at that moment, in another thread.
        self.listeners["write"].append(self.add_tags)
        if self.config["auto"]:
            self.import_stages = [self.imported]
            self.listeners["album_imported"].append(self.write_album)
            self.listeners["item_imported"].append(self.write_item)

    def commands(self) -> list[Subcommand]:
        """Return the command ``beet fifteen``."""
        command = Subcommand("fifteen", help="fill genre, mood and the like from the sound")
        add = command.parser.add_option
        add("-f", "--force", action="store_true", help="analyze again what has the fields")
        add("-p", "--pretend", action="store_true", help="show the values, change nothing")
        add("-w", "--write", action="store_true", default=None, help="write tags into the files")
        add("-W", "--nowrite", action="store_false", dest="write", help="change no file")
        command.func = self.command
        return [command]

    def command(self, library: Library, options: Values, query: list[str]) -> None:
        """Fill the fields of the recordings of a query."""
        if options.force:
            self.config["force"] = True
        if options.write is not None:
            self.config["write"] = options.write
        try:
            self._fill(library.items(query), pretend=options.pretend)
        except UnusableError as error:
            raise UserError(f"fifteen: {error}") from error

    def imported(self, _session: ImportSession, task: ImportTask) -> None:
        """Fill the fields of imported recordings. The import goes on whatever happens."""
        if self._unusable:
            return
        try:
            self._fill(task.imported_items(), importing=True)
        except UnusableError as error:
            self._unusable = True  # said once, not for each album
            self._log.error("{}", error)

    def write_album(self, lib: Library, album: Album) -> None:
        """Write the tags of an imported album, if `write` is set; beets has placed its files."""
        for item in album.items():
            self.write_item(lib, item)

    def write_item(self, lib: Library, item: Item) -> None:  # noqa: ARG002 - as beets calls it
        """Write the tags of an imported recording, if `write` is set.

        beets itself writes at an import only what it corrects.
        """
        if self.config["write"].get(bool) and item.get("fifteen_verdict"):
            item.try_write()
            item.store()

    def add_tags(self, item: Item, path: bytes, tags: dict[str, Any]) -> None:  # noqa: ARG002
        """Add the tags to those that beets is about to write, if `write` is set."""
        if not self.config["write"].get(bool):
            return
        for name in TAGS:
            if (value := item.get(f"fifteen_{name}")) not in {None, ""}:
                text = f"{value:.{NUMBERS}f}" if isinstance(value, float) else value
                tags[f"fifteen_{name}"] = text

    def _fill(
        self, items: Iterable[Item], *, pretend: bool = False, importing: bool = False
    ) -> None:
        """Analyse recordings that have no fields yet, several at a time, and store the fields.

        Raises
        ------
        UnusableError
            If no recording can be analysed.
        """
        force = self.config["force"].get(bool)
        pending = [item for item in items if force or not item.get("fifteen_verdict")]
        if not pending:
            return
        function = self._analyzer()
        threads = number_of_processors() if beets.config["threaded"].get(bool) else 1
        paths = [item.filepath for item in pending]  # beets tells them only to its own threads
        with ThreadPoolExecutor(threads) as pool:
            answers = pool.map(partial(self._attempt, function), paths)
            for item, analysis in zip(pending, answers, strict=True):
                if analysis is None:
                    continue
                if pretend:
                    shown = ", ".join(f"{k[8:]} {v}" for k, v in fields_of(analysis).items())
                    print_(f"{item}: {shown}")
                    continue
                self._put(item, analysis)
                if not importing and self.config["write"].get(bool):
                    item.try_write()
                item.store()

    def _attempt(self, function: Callable[[Path], Analysis], path: Path) -> Analysis | None:
        """Analyse a recording; a problem with it is logged."""
        try:
            return function(path)
        except RecordingError as error:
            self._log.error("{}: {}", path, error)
            return None

    def _put(self, item: Item, analysis: Analysis) -> None:
        """Set the fields of a recording, and its genre if the settings say so."""
        values = fields_of(analysis)
        for name in FIELDS:
            if name in values:
                item[name] = values[name]
            elif item.get(name) not in {None, ""}:
                del item[name]  # of an earlier analysis
        wanted = self.config["genre"].get(bool) and analysis["verdict"] == "confident"
        if wanted and (self.config["force"].get(bool) or not item.genres):
            item.genres = [analysis["genre"]]

    def _analyzer(self) -> Callable[[Path], Analysis]:
        """Return what analyses a recording; the model is loaded once."""
        with self._lock:
            if self._analyze is None:
                url = self.config["url"].as_str().rstrip("/")
                if url:
                    key, timeout = self.config["key"].as_str(), self.config["timeout"].get(float)
                    self._analyze = partial(_ask, f"{url}/v1/analyze", key, timeout)
                else:
                    self._analyze = _load()
            return self._analyze


def fields_of(analysis: Analysis) -> dict[str, Any]:
    """Return the values of the fields; a recording that is not music has few."""
    verdict, model = analysis["verdict"], analysis["model"]
    values: dict[str, Any] = {}
    if verdict in OF_A_GENRE:
        values["genre"] = analysis["genre"]
        values["probability"] = analysis["genres"][0]["probability"]
    if verdict in MUSIC:
        values |= {name: analysis.get(name) for name in TAGS}
        values["tempo"] = (analysis.get("tempo") or {}).get("bpm")
        if key := analysis.get("key"):
            values["key"] = key["tonic"] + ("m" if key["mode"] == "minor" else "")
    values |= {"verdict": verdict, "model": f"{model['name']}-{model['version']}"}
    return {f"fifteen_{name}": value for name, value in values.items() if value is not None}


def _tag(name: str) -> MediaField:
    """Return where a tag stands in the files of each kind, as docs/LIBRARY.md says."""
    return MediaField(
        MP3StorageStyle("TMOO") if name == "mood" else MP3DescStorageStyle(name),
        MP4StorageStyle(f"----:com.apple.iTunes:{name.upper()}"),
        StorageStyle(name),
        ASFStorageStyle(f"WM/{name.title()}" if name == "mood" else name),
    )


def _load() -> Callable[[Path], Analysis]:
    """Load the model that the settings of the service name.

    Raises
    ------
    UnusableError
        If it cannot be used.
    """
    try:
        settings = CliApp.run(CommonSettings, [])
        models = load_served(settings)
        taxonomy = load_taxonomy(settings, models)
    except (ModelError, TaxonomyError, ValueError) as error:
        raise UnusableError(str(error)) from error
    bounds = audio.Bounds(settings.max_seconds, settings.decode_seconds)
    model = models[settings.model]

    def analyze_here(path: Path) -> Analysis:
        try:
            with open_recording(path) as file:
                return analyze(file, model, bounds, taxonomy).model_dump(mode="json")
        except audio.AudioError as error:
            raise RecordingError(str(error)) from error
        except OSError as error:
            raise RecordingError(f"It cannot be read: {error.strerror}.") from error

    return analyze_here


def _ask(url: str, key: str, timeout: float, path: Path) -> Analysis:
    """Send a recording to a service, again if the service is busy.

    Raises
    ------
    RecordingError
        If the recording cannot be read, or the service refuses it.
    UnusableError
        If the service cannot be reached, or refuses the key.
    """
    headers = {"Content-Type": "application/octet-stream"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with open_recording(path) as file:
                response = requests.post(url, data=file, headers=headers, timeout=timeout)
        except audio.AudioError as error:
            raise RecordingError(str(error)) from error
        except requests.RequestException as error:
            raise UnusableError(f"The service at {url} cannot be reached: {error}") from error
        except OSError as error:
            raise RecordingError(f"It cannot be read: {error.strerror}.") from error
        if response.status_code not in BUSY or attempt == ATTEMPTS:
            break
        time.sleep(_wait(response))
    return _answer(response, url)


def _wait(response: requests.Response) -> float:
    """Return how long to wait for a busy service, seconds."""
    asked = response.headers.get("Retry-After", "1")
    return min(float(asked), LONGEST_WAIT) if asked.isdigit() else 1


def _answer(response: requests.Response, url: str) -> Analysis:
    """Return the analysis of a response."""
    try:
        answer = response.json()
        if response.ok:
            fields_of(answer)  # whether it is an analysis
            return cast("Analysis", answer)
        detail = answer["detail"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UnusableError(f"{url} is not the address of a Fifteen service.") from error
    if response.status_code in REFUSED:
        raise UnusableError(f"The service at {url} refuses: {detail}")
    raise RecordingError(detail)
