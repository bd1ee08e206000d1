"""The plug-in in the real beets, on real files; each test has a library of its own."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import requests
import yaml
from mediafile import MediaFile

from service.library.tags.write import MUSIC
from service.schemas import ANALYSIS
from service.verdict import VERDICTS
from tools import signals
from tools.server import free_port

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "service" / "beetsplug"
CLIP = ROOT / "tests" / "clip.m4a"


@pytest.fixture(scope="module")
def plugin():
    """The module, without beets' search for plug-ins."""
    spec = spec_from_file_location("beetsplug.fifteen", FOLDER / "fifteen.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Beets:
    """The command `beet` with a library in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.music = folder / "music"
        self.configure()

    def configure(self, **options):
        """Write the configuration, with options of the plug-in."""
        config = {
            "directory": os.fspath(self.folder / "library"),
            "library": os.fspath(self.folder / "library.db"),
            "pluginpath": [os.fspath(FOLDER)],
            "plugins": ["fifteen"],
            "import": {"autotag": False},
            "fifteen": options,
        }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))

    def __call__(self, *arguments, status=0):
        """Run a command; return its output, errors included."""
        done = subprocess.run(
            [sys.executable, "-m", "beets", *map(os.fspath, arguments)],
            env=os.environ | {"BEETSDIR": os.fspath(self.folder), "PYTHONPATH": os.fspath(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def put(self, album, name, content):
        """Add a file to an album, with a tag that names the album if it can have one."""
        path = self.music / album / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        media = MediaFile(path)
        media.update({"album": album, "albumartist": "me", "title": path.stem})
        media.save()

    def fields(self, *names):
        """Return fields of all recordings, in the order of their paths; as text, "" for none."""
        with closing(sqlite3.connect(self.folder / "library.db")) as database:
            found = []
            for number, genres in database.execute("SELECT id, genres FROM items ORDER BY path"):
                query = "SELECT key, value FROM item_attributes WHERE entity_id = ?"
                values = {"genres": genres} | dict(database.execute(query, [number]))
                found.append([str(values.get(name, "")) for name in names])
            return found

    def files(self):
        """Return the content of the files in the library."""
        return {path: path.read_bytes() for path in (self.folder / "library").rglob("*.*")}


@pytest.fixture
def beet(tmp_path):
    """A library of beets, and the clip to import."""
    beet = Beets(tmp_path)
    beet.put("one", "clip.m4a", CLIP.read_bytes())
    return beet


ALL = ["verdict", "mood", "valence", "energy", "danceability"]
EXPECTED = [str(ANALYSIS[name]) for name in ALL]
TAGS = {
    "mood": ANALYSIS["mood"],
    **{name: f"{ANALYSIS[name]:.3f}" for name in ALL[2:]},
}
FILLED = [f"fifteen_{name}" for name in ALL]


def test_the_folder_is_part_of_a_namespace():
    assert not (FOLDER / "__init__.py").exists()


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_field_of_an_analysis_is_declared_and_only_music_has_a_mood(plugin, verdict):
    values = plugin.fields_of(ANALYSIS | {"verdict": verdict})
    assert values.keys() <= plugin.FIELDS.keys()
    assert values["fifteen_verdict"] == verdict
    assert ("fifteen_mood" in values) == (verdict in MUSIC)
    assert ("fifteen_genre" in values) == (verdict in ("confident", "mixed"))


def test_missing_members_are_left_out(plugin):
    bare = ANALYSIS | {"verdict": "confident", "tempo": None, "key": None, "danceability": None}
    missing = plugin.FIELDS.keys() - plugin.fields_of(bare).keys()
    assert missing == {"fifteen_tempo", "fifteen_key", "fifteen_danceability"}


@pytest.mark.parametrize(
    ("tonic", "mode", "name"), [("A", "minor", "Am"), ("C#", "minor", "C#m"), ("Bb", "major", "Bb")]
)
def test_a_key_is_written_as_beets_does(plugin, tonic, mode, name):
    key = {"tonic": tonic, "mode": mode}
    found = plugin.fields_of(ANALYSIS | {"verdict": "confident", "key": key})
    assert found["fifteen_key"] == name


@pytest.mark.parametrize(
    ("status", "content", "error", "message"),
    [
        (422, b'{"detail": "Send at least 3 s."}', "RecordingError", "Send at least 3 s."),
        (503, b'{"detail": "It is busy."}', "RecordingError", "It is busy."),
        (401, b'{"detail": "Send a key."}', "UnusableError", "refuses: Send a key."),
        (200, b"<html>", "UnusableError", "is not the address of a Fifteen service"),
        (200, b"{}", "UnusableError", "is not the address of a Fifteen service"),
        (502, b"[]", "UnusableError", "is not the address of a Fifteen service"),
    ],
)
def test_an_answer_without_an_analysis_is_explained(plugin, status, content, error, message):
    response = requests.Response()
    response.status_code, response._content = status, content
    with pytest.raises(getattr(plugin, error), match=message):
        plugin._answer(response, "http://x")


@pytest.mark.slow
def test_an_import_fills_the_fields_and_changes_no_file(beet):
    beet("import", "-q", beet.music)
    assert beet.fields(*FILLED) == [EXPECTED]
    original = (beet.music / "one" / "clip.m4a").read_bytes()
    assert list(beet.files().values()) == [original]
    valence = ANALYSIS["valence"]
    assert beet("ls", f"fifteen_valence:{valence - 0.01}..{valence + 0.01}")


@pytest.mark.slow
def test_a_damaged_and_a_short_file_are_reported_and_the_others_are_filled(beet):
    flac = signals.encode(signals.groove(5), 48_000, "flac")
    beet.put("one", "damaged.flac", flac[:100] + bytes(len(flac) - 100))
    beet.put("one", "short.wav", signals.wav(signals.groove(1), 48_000))
    output = beet("import", "-q", beet.music)
    assert output.count("fifteen: ") == 2
    assert sorted(beet.fields(*FILLED)) == [[""] * 5, [""] * 5, EXPECTED]
    output = beet("fifteen", "-p")
    assert output.count("fifteen: ") == 2  # tried again, and only these
    assert EXPECTED[0] not in output


@pytest.mark.slow
def test_the_command_shows_fills_and_keeps(beet):
    beet.configure(auto=False)
    beet("import", "-q", beet.music)
    assert EXPECTED[0] in beet("fifteen", "--pretend")
    assert EXPECTED[0] not in beet.fields(*FILLED)[0]
    beet("fifteen")
    assert beet.fields(*FILLED) == [EXPECTED]
    beet.configure(url=f"http://127.0.0.1:{free_port()}")
    assert not beet("fifteen")  # nothing to analyse, so nothing is asked
    assert "cannot be reached" in beet("fifteen", "--force", status=1)
    assert beet.fields(*FILLED) == [EXPECTED]


@pytest.mark.slow
def test_update_and_write_empty_nothing(beet):
    beet("import", "-q", beet.music)
    (path,) = beet.files()
    media = MediaFile(path)
    media.title = "Another"
    media.save()
    os.utime(path, (1, 1))  # beets reads a file whose time differs
    assert "Another" in beet("update", "--nomove")
    assert beet.fields(*FILLED) == [EXPECTED]
    beet("write", "--force")
    assert beet.fields(*FILLED) == [EXPECTED]
    assert set(tags_of(path).values()) == {None}


def tags_of(path):
    """Return the tags in a file, as another program finds them."""
    from mutagen import File  # noqa: PLC0415 - it is imported here only

    found = {}
    for name in TAGS:
        values = (File(path).tags or {}).get(f"----:com.apple.iTunes:{name.upper()}")
        found[name] = bytes(values[0]).decode() if values else None
    return found


@pytest.mark.slow
def test_write_puts_the_tags_into_the_files_and_update_keeps_the_fields(beet):
    beet.configure(auto=False)
    beet("import", "-q", beet.music)
    (path,) = beet.files()
    beet("fifteen", "--write")
    assert tags_of(path) == TAGS
    beet("update")
    assert beet.fields(*FILLED) == [EXPECTED]


@pytest.mark.slow
def test_an_import_writes_the_tags_if_asked(beet):
    beet.put("two", "clip.m4a", CLIP.read_bytes())  # its stage runs while the first is written
    beet.configure(write=True)
    original = (beet.music / "one" / "clip.m4a").read_bytes()
    beet("import", "-q", beet.music)
    assert [tags_of(path) for path in beet.files()] == [TAGS, TAGS]
    assert (beet.music / "one" / "clip.m4a").read_bytes() == original


@pytest.mark.slow
def test_the_genre_is_filled_where_asked_and_replaced_by_force(beet):
    sure = ANALYSIS["verdict"] == "confident"
    beet.configure(genre=True)
    beet("import", "-q", beet.music)
    assert beet.fields("genres") == [[ANALYSIS["genre"] if sure else ""]]
    beet("modify", "-y", "genres=Polka")
    beet("fifteen", "--force")
    assert beet.fields("genres") == [[ANALYSIS["genre"] if sure else "Polka"]]


@pytest.mark.slow
def test_a_service_answers_in_its_place(beet, server):
    beet.put("two", "short.wav", signals.wav(signals.groove(1), 48_000))
    beet.configure(url=f"{server}/")
    output = beet("import", "-q", beet.music)
    assert "Send at least 3 s of audio" in output
    assert EXPECTED in beet.fields(*FILLED)


@pytest.mark.slow
def test_an_import_goes_on_without_its_service_and_says_so_once(beet):
    beet.put("two", "clip.m4a", CLIP.read_bytes())
    beet.configure(url=f"http://127.0.0.1:{free_port()}")
    assert beet("import", "-q", beet.music).count("cannot be reached") == 1
    assert len(beet.files()) == 2
    beet.configure()
    beet("fifteen")
    assert beet.fields(*FILLED) == [EXPECTED, EXPECTED]
