"""deploy/audiomuse: the plug-in asks a real service, stores what it answers, makes playlists.

AudioMuse-AI is in no package index, so the modules of it that the plug-in imports are stand-ins,
after its ``docs/PLUGIN.md`` of version 3.4. Flask is the real one.
"""

import importlib
import json
import logging
import re
import sqlite3
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from service.schemas import ANALYSIS
from tests.deploy.others import install_beside, on_request
from tools import signals

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "audiomuse"
NAME = "fifteen"
CLIP = ROOT / "tests" / "clip.m4a"
FLASK = "flask==3.1.3"  # of AudioMuse-AI 3.4


def test_the_description_has_what_the_catalogue_reads():
    described = json.loads((FOLDER / "plugin.json").read_text())
    assert re.fullmatch(r"[a-z][a-z0-9_]{1,63}", described["id"])
    assert described["id"] == NAME
    assert {"id", "name", "author", "description", "versions"} == described.keys()
    assert f'Blueprint("{NAME}"' in (FOLDER / NAME / "__init__.py").read_text()


class Connection:
    """A connection to SQLite that writes parameters as PostgreSQL does."""

    def __init__(self):
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.commit = self.database.commit

    def cursor(self):
        cursor = self.database.cursor()
        return SimpleNamespace(
            execute=lambda query, values=(): cursor.execute(query.replace("%s", "?"), values),
            fetchall=cursor.fetchall,
            close=cursor.close,
        )


class Context:
    """Keeps what a plug-in registers."""

    def __init__(self):
        self.added = {}

    def __getattr__(self, name):
        return lambda *arguments: self.added.setdefault(name, arguments)


class AudioMuse:
    """What of AudioMuse-AI the plug-in imports."""

    def __init__(self, monkeypatch):
        self.settings, self.playlists, self.database = {}, {}, Connection()
        api = ModuleType("plugin.api")
        vars(api).update(
            active_server_id=lambda: None,
            get_db=lambda: self.database,
            get_setting=self.settings.get,
            set_setting=self.settings.__setitem__,
            logger=logging.getLogger("plugin"),
            manage_plugins_url=lambda: "/plugins",
            render_page=lambda body, title: f"<h1>{title}</h1>{body}",
            table=f"plugin_{NAME}__{{}}".format,
        )
        mediaserver = ModuleType("tasks.mediaserver")
        mediaserver.create_or_replace_playlist = self.playlists.__setitem__
        mediaserver.registry = SimpleNamespace(
            get_default_server_id=lambda: "one",
            reverse_translate_ids=lambda ids, server: {each: f"{server}-{each}" for each in ids},
        )
        for module in (api, mediaserver):
            monkeypatch.setitem(sys.modules, module.__name__.partition(".")[0], ModuleType("."))
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def load(self, plugin):
        """Load the plug-in, and return what it registers and a browser of its pages."""
        from flask import Flask  # noqa: PLC0415 - after the fixture has installed it

        context = Context()
        plugin.register(context)
        for _ in range(2):  # at the installation and at an update
            context.added["on_install"][0](self.database)
        app = Flask("audiomuse")
        app.register_blueprint(context.added["add_blueprint"][0], url_prefix="/plugins/fifteen")
        return context.added, app.test_client()


@pytest.fixture
def audiomuse(monkeypatch):
    audiomuse = AudioMuse(monkeypatch)
    yield audiomuse
    audiomuse.database.database.close()


@pytest.fixture
def plugin(audiomuse, monkeypatch, tmp_path):
    """The module of the plug-in."""
    monkeypatch.syspath_prepend(install_beside(tmp_path / "packages", FLASK))
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module(NAME)
    del sys.modules[NAME]


@pytest.mark.slow
@on_request
def test_answers_are_stored_and_become_playlists(plugin, audiomuse, server, tmp_path):
    silence, short = tmp_path / "silence.wav", tmp_path / "short.wav"
    silence.write_bytes(signals.wav(0 * signals.sine(5), 22_050))
    short.write_bytes(signals.wav(signals.sine(1), 22_050))
    added, browser = audiomuse.load(plugin)
    assert browser.post("/plugins/fifteen/settings", data={"url": f"{server}/"}).status_code == 302
    analyzed = added["on_song_analyzed"][0]
    songs = [{"item_id": str(number), "server_id": "one"} for number in range(12)]
    for song in songs[:6] + songs[:1]:  # one of them twice
        analyzed(song | {"audio_path": str(CLIP)})
    for song in songs[6:11]:
        analyzed(song | {"audio_path": str(silence)})
    with pytest.raises(RuntimeError, match="Fifteen: Send at least 3 s"):
        analyzed(songs[11] | {"audio_path": str(short)})

    query = "SELECT verdict, genre, mood, COUNT(*) FROM plugin_fifteen__songs GROUP BY verdict"
    music = tuple(ANALYSIS[name] for name in ("verdict", "genre", "mood"))
    assert sorted(plugin.fetch(query)) == sorted([(*music, 6), ("silence", None, None, 5)])
    added["add_cron_task"][1]()
    names = [f"Fifteen: {ANALYSIS[name]}" for name in ("genre", "mood")]
    assert audiomuse.playlists == {key: [f"one-{number}" for number in range(6)] for key in names}
    assert f"<td>{ANALYSIS['genre']}</td>" in browser.get("/plugins/fifteen/").text
    assert f'value="{server}/"' in browser.get("/plugins/fifteen/settings").text
