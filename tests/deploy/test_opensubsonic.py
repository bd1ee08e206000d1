"""deploy/opensubsonic: the songs of a real Subsonic server, for the library of a real app."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.deploy.others import install, on_request, output_of
from tools import signals
from tools.server import free_port

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "opensubsonic" / "similar.py"
SERVER = ("supysonic==0.7.9", "setuptools<81", "waitress")
APP = ("py-opensonic==10.4.1",)
USER, PASSWORD = "me", "open, sesame: now!"
MUSIC = {"One/01 Groove.flac": 120, "One/02 Fast & loud?.mp3": 150, "Two/01 Groove 🎵.flac": 121}
"""Names of recordings, and their tempo."""
ENVELOPE = {"status", "version", "type", "serverVersion", "openSubsonic"}
"""What OpenSubsonic's schema SubsonicSuccessResponse requires."""
ASK = """
import json, sys, libopensonic
port, song = sys.argv[1:]
who = {"username": "me", "password": sys.stdin.read(), "legacy_auth": True}
app = libopensonic.Connection("http://127.0.0.1", port=int(port), **who)
extensions = [each.name for each in app.get_open_subsonic_extensions()]
found = app.get_sonic_similar_tracks(song, 5)
print(json.dumps([extensions, [(each.entry.path, each.similarity) for each in found]]))
"""


def module():
    spec = spec_from_file_location("similar", SCRIPT)
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize(
    ("paths", "songs", "found"),
    [
        (["/home/me/Music/A/1.mp3", "/home/me/Music/B/1.mp3"], ["/music/A/1.mp3"], {0: 0}),
        (["/m/A/1.mp3", "/m/B/1.mp3"], ["B/1.mp3", "A/1.mp3"], {0: 1, 1: 0}),  # from its root
        (["/m/A/1.mp3", "/m/A/2.mp3"], ["/music/A/2.mp3", "A/3.mp3"], {1: 0}),
        (["/m/A/1.mp3", "/m/B/1.mp3"], ["1.mp3"], {}),  # which recording?
        (["/m/A/1.mp3", "/m/B/2.mp3"], ["/x/A/1.mp3", "/y/A/1.mp3", "/y/B/2.mp3"], {1: 2}),
        (["/m/A/1.mp3", "/m/B/2.mp3"], ["A/x1.mp3", "xA/1.mp3", "A/1.mp3.bak", ""], {}),
    ],
)
def test_songs_and_recordings_are_paired_by_the_end_of_the_path(paths, songs, found):
    folder = os.path.commonpath([Path(path).parent for path in paths])
    songs = [{"id": str(number), "path": path} for number, path in enumerate(songs)]
    assert module().pair(songs, paths, folder) == {at: songs[of] for at, of in found.items()}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Music with its records."""
    folder = tmp_path_factory.mktemp("library")
    for name, tempo in MUSIC.items():
        path = folder / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = signals.groove(15, bpm=tempo)
        path.write_bytes(signals.encode(sound, 48_000, path.suffix[1:]))
    records = folder / "library.jsonl"
    analyze = [sys.executable, "-m", "service", "analyze", folder / "music"]
    output_of(*analyze, "--output", records, "--embedding", "true", "--jobs", "1", cwd=ROOT)
    return records


@contextmanager
def running(command, **options):
    """Run a program until it is no longer needed."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="module")
def subsonic(library, tmp_path_factory):
    """The address of a Subsonic server that has the music."""
    folder = tmp_path_factory.mktemp("subsonic")
    commands = install(folder / "environment", *SERVER)
    (folder / "supysonic.conf").write_text(
        f"[base]\ndatabase_uri = sqlite:///{folder}/songs.db\n"
        f"[webapp]\ncache_dir = {folder}\n[daemon]\nsocket = {folder}/socket\n"
    )
    alone = {"cwd": folder, "env": {"HOME": os.fspath(folder), "PATH": os.environ["PATH"]}}
    music = library.parent / "music"
    for words in (["user", "add", USER, "-p", PASSWORD], ["folder", "add", "Music", music],
                  ["folder", "scan", "--foreground", "Music"]):  # fmt: skip
        output_of(commands / "supysonic-cli", *words, **alone)
    port = free_port()
    command = [commands / "supysonic-server", "-S", "waitress", "-h", "127.0.0.1", "-p", str(port)]
    with running(command, **alone):
        yield f"http://127.0.0.1:{port}"


def asks(address, method, **parameters):
    """Return an answer, once the server listens."""
    parameters |= {"u": USER, "p": PASSWORD, "v": "1.16.1", "c": "test", "f": "json"}
    for _ in range(100):
        try:
            response = httpx.get(f"{address}/rest/{method}", params=parameters)
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return response.json()["subsonic-response"]
    raise AssertionError(address)


@pytest.fixture(scope="module")
def songs(subsonic):
    """The id of each song."""
    found = asks(subsonic, "search3", query="")["searchResult3"]["song"]
    return {song["path"]: song["id"] for song in found}


@pytest.fixture(scope="module")
def similar(subsonic, songs, library):
    """The address of the program."""
    command = [sys.executable, SCRIPT, library, subsonic, "--user", USER, "--port", "0"]
    variables = {"PYTHONPATH": os.fspath(ROOT), "FIFTEEN_SUBSONIC_PASSWORD": PASSWORD}
    options = {"stdout": subprocess.PIPE, "text": True, "env": os.environ | variables}
    with running(command, **options) as process:
        line = process.stdout.readline()
        assert line.startswith(f"{len(songs)} songs"), line
        yield line.split()[-1]


@pytest.mark.slow
@on_request
def test_an_app_gets_the_songs_of_the_server(similar, songs, tmp_path):
    commands = install(tmp_path / "environment", *APP)
    asked, near, far = (songs[name] for name in ("One/01 Groove.flac", *list(MUSIC)[:0:-1]))
    port = similar.rpartition(":")[2]
    output = output_of(commands / "python", "-c", ASK, port, asked, input=PASSWORD)
    extensions, found = json.loads(output)
    assert extensions == ["sonicSimilarity"]
    assert [songs[path] for path, _ in found] == [near, far]
    assert 1 >= found[0][1] > found[1][1] >= 0


@pytest.mark.slow
@on_request
def test_the_answer_has_what_the_schema_requires(similar, songs):
    answer = asks(similar, "getSonicSimilarTracks.view", id=songs["One/01 Groove.flac"], count=1)
    assert answer.keys() == ENVELOPE | {"sonicMatch"}
    (match,) = answer["sonicMatch"]
    assert match.keys() == {"entry", "similarity"}
    assert {"id", "isDir", "title"} <= match["entry"].keys()


@pytest.mark.slow
@on_request
@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, 10),
        ({"id": "00000000-0000-0000-0000-000000000000"}, 70),
        ({"id": "One/01 Groove.flac", "count": "many"}, 0),
        ({"id": "One/01 Groove.flac", "p": "wrong"}, 40),
        ({"id": "One/01 Groove.flac", "f": "xml"}, 0),
    ],
    ids=["no id", "unknown id", "no number", "wrong password", "XML"],
)
def test_what_cannot_be_answered_has_the_code_of_its_error(similar, songs, parameters, code):
    who = {"u": USER, "p": PASSWORD, "v": "1.16.1", "c": "test", "f": "json"}
    parameters = who | {name: songs.get(value, value) for name, value in parameters.items()}
    response = httpx.get(f"{similar}/rest/getSonicSimilarTracks", params=parameters)
    answer = response.json()["subsonic-response"]
    assert (answer["status"], answer["error"]["code"]) == ("failed", code), answer


@pytest.mark.slow
@on_request
def test_the_plug_in_of_navidrome_gets_what_it_reads(similar, songs):
    asked = {"item_id": songs["One/01 Groove.flac"], "n": 2, "eliminate_duplicates": "true"}
    found = httpx.get(f"{similar}/api/similar_tracks", params=asked).json()
    assert [each["item_id"] for each in found] == [songs[name] for name in list(MUSIC)[:0:-1]]
    assert all(each.keys() >= {"item_id", "title", "author", "album", "distance"} for each in found)
    assert httpx.get(f"{similar}/api/similar_tracks", params={"item_id": "x"}).status_code == 404
