"""Finds songs of a Subsonic server that sound alike, in a library of Fifteen.

It runs where the command ``fifteen`` is installed, beside the server:

    fifteen analyze /music --output library.jsonl --embedding true
    FIFTEEN_SUBSONIC_PASSWORD=… python similar.py library.jsonl http://127.0.0.1:4533 --user me

``/rest/getSonicSimilarTracks`` and ``/rest/getOpenSubsonicExtensions`` answer apps as the extension
`sonicSimilarity` of OpenSubsonic defines; a reverse proxy sends them here. ``/api/similar_tracks``
answers AudioMuse-AI's plug-in of Navidrome, by which Navidrome itself then has the extension.

The library is read once: restart after `analyze`.
"""

import argparse
import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

import numpy as np
from pydantic_settings import CliApp

from service.library.search import read_vectors
from service.loading import load_served
from service.settings import CommonSettings

TIMEOUT = 20  # seconds that the server may take for one answer
PAGE = 500  # songs
SIGNS_IN = ("u", "p", "t", "s", "apiKey", "v", "c")  # parameters that say who asks
VARIABLE = "FIFTEEN_SUBSONIC_PASSWORD"
EXTENSION = {"name": "sonicSimilarity", "versions": [1]}
MISSING_PARAMETER, NOT_FOUND, OTHER = 10, 70, 0  # codes of OpenSubsonic's errors
MOST_DIGITS = 6  # of a number of songs
MOST_BYTES = 65_536  # of a form


class RefusedError(Exception):
    """The request has an error. It is an answer, as OpenSubsonic defines it."""

    def __init__(self, answer):
        super().__init__(answer)
        self.answer = answer


def failure(code, message):
    """Return an error for the person who asks."""
    error = {"code": code, "message": message}
    return RefusedError({"status": "failed", "version": "1.16.1", "error": error})


@dataclass(frozen=True)
class Server:
    """A Subsonic server, as one person sees it."""

    address: str
    signs_in: dict

    def ask(self, method, **parameters):
        """Return an answer of the server.

        Raises
        ------
        RefusedError
            If it refuses.
        OSError
            If it cannot be reached.
        ValueError, KeyError
            If it is no such server, or knows no such method.
        """
        query = urlencode({**self.signs_in, "f": "json", **parameters})
        try:
            response = urlopen(f"{self.address}/rest/{method}?{query}", timeout=TIMEOUT)
        except HTTPError as error:  # some servers refuse with a status, too
            response = error
        with response:
            answer = json.load(response)["subsonic-response"]
        if answer["status"] != "ok":
            raise RefusedError(answer)
        return answer

    def songs(self):
        """Yield every song."""
        offset, none = 0, {"artistCount": 0, "albumCount": 0}
        while True:
            answer = self.ask("search3", query="", songCount=PAGE, songOffset=offset, **none)
            found = answer.get("searchResult3", {}).get("song", [])
            yield from found
            offset += PAGE
            if len(found) < PAGE:
                return


class Library:
    """The songs of a server that have an embedding."""

    def __init__(self, file, server):
        settings = CliApp.run(CommonSettings, [])
        vectors = read_vectors(file, load_served(settings)[settings.model].space())
        found = pair(server.songs(), vectors.paths, vectors.folder())
        if not found:
            raise SystemExit(
                "No song of the server is in the library. A server may invent the paths that it "
                "tells: Navidrome does without ND_SUBSONIC_DEFAULTREPORTREALPATH=true."
            )
        self.songs = list(found.values())
        self.values = vectors.values[list(found)]
        self.places = {song["id"]: place for place, song in enumerate(self.songs)}

    def similar(self, song, count):
        """Return songs and their cosines, the most similar first, without the song itself."""
        if song not in self.places:
            raise failure(NOT_FOUND, "This song was not analysed.")
        cosines = self.values @ self.values[self.places[song]]
        cosines[self.places[song]] = -np.inf
        order = np.argsort(-cosines, kind="stable")[: min(count, len(cosines) - 1)]
        return [(self.songs[each], min(1.0, max(0.0, float(cosines[each])))) for each in order]


def pair(songs, paths, folder):
    """Return the song of each recording, by its place in the paths.

    Server and library may see the music in other folders, so the end of a path decides. What could
    be several is left out.
    """
    names = defaultdict(list)
    for place, path in enumerate(paths):
        relative = Path(path).relative_to(folder or Path(path).anchor).as_posix()
        names[Path(path).name].append((place, f"/{relative}"))
    pairs = []
    for song in songs:
        path = "/" + song.get("path", "").lstrip("/")
        for place, relative in names.get(PurePosixPath(path).name, ()):
            if path.endswith(relative) or relative.endswith(path):
                pairs.append((place, song))
    places = Counter(place for place, _ in pairs)
    ids = Counter(song["id"] for _, song in pairs)
    return {place: song for place, song in pairs if places[place] == ids[song["id"]] == 1}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    address: str
    library: Library

    def do_GET(self):
        """Answer parameters in the address."""
        name, _, query = self.path.partition("?")
        self.answer(name.removesuffix(".view"), dict(parse_qsl(query)))

    def do_POST(self):
        """Answer parameters in a form, the extension `formPost`."""
        size = min(int(self.headers.get("Content-Length", 0)), MOST_BYTES)
        form = self.rfile.read(size).decode()
        name, _, query = self.path.partition("?")
        self.answer(name.removesuffix(".view"), dict(parse_qsl(f"{query}&{form}")))

    def log_request(self, *_):
        """Log no address: it may have a password."""

    def answer(self, name, asked):
        """Answer a request, also if it fails."""
        addresses = {
            "/rest/getSonicSimilarTracks": self.sonic_similar_tracks,
            "/rest/getOpenSubsonicExtensions": self.extensions,
            "/api/similar_tracks": self.similar_tracks,
        }
        if name not in addresses:
            self.send_error(404)
            return
        try:
            answer, status = addresses[name](asked), 200
        except RefusedError as error:  # AudioMuse-AI's plug-in reads the status, an app the answer
            answer, status = whole(error.answer), 404 if name.startswith("/api/") else 200
        except (OSError, ValueError, KeyError) as error:
            away = failure(OTHER, f"The server at {self.address} did not answer: {error!r}")
            answer, status = whole(away.answer), 502
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Access-Control-Allow-Origin", "*")  # as Subsonic servers do
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def sonic_similar_tracks(self, asked):
        """Answer an app with what its person may see."""
        caller = self.caller(asked)
        if "id" not in asked:
            raise failure(MISSING_PARAMETER, "The parameter id is missing.")
        answer = caller.ask("getSong", id=asked["id"])
        del answer["song"]
        matches, count = [], count_of(asked.get("count", "10"))
        for song, similarity in self.library.similar(asked["id"], count):
            try:
                entry = caller.ask("getSong", id=song["id"])["song"]
            except RefusedError:  # not for this person, or no longer there
                continue
            matches.append({"entry": entry, "similarity": round(similarity, 4)})
        return whole(answer | {"sonicMatch": matches})

    def extensions(self, asked):
        """Add the extension to those of the server."""
        try:
            answer = self.caller(asked).ask("getOpenSubsonicExtensions")
        except (RefusedError, ValueError, KeyError):  # the server knows no extensions
            answer = {"status": "ok", "version": "1.16.1"}
        others = answer.get("openSubsonicExtensions", [])
        return whole(answer | {"openSubsonicExtensions": [*others, EXTENSION]})

    def similar_tracks(self, asked):
        """Answer as AudioMuse-AI does."""
        found = self.library.similar(asked.get("item_id", ""), count_of(asked.get("n", "10")))
        return [
            {
                "item_id": song["id"],
                "title": song.get("title", ""),
                "author": song.get("artist", ""),
                "album": song.get("album", ""),
                "distance": round(1 - similarity, 4),
            }
            for song, similarity in found
        ]

    def caller(self, asked):
        """Return the server as the person sees it who asks."""
        if asked.get("f") != "json":
            raise failure(OTHER, "Only f=json is answered here.")
        return Server(self.address, {name: asked[name] for name in SIGNS_IN if name in asked})


def count_of(text):
    """Return a number of songs."""
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise failure(OTHER, "The number of songs is not a number.")
    return int(text)


def whole(answer):
    """Return an answer with the members that OpenSubsonic adds to every answer."""
    added = {"type": "fifteen", "serverVersion": "1", "openSubsonic": True}
    return {"subsonic-response": added | answer}


def main():
    """Read the library and answer until the process is stopped."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("library", type=Path, help="file of analyze --embedding true")
    parser.add_argument("server", help="address of the Subsonic server")
    parser.add_argument("--user", required=True, help=f"who lists the songs; password: {VARIABLE}")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8002)
    options = parser.parse_args()
    if not (password := os.environ.get(VARIABLE, "").encode().hex()):
        parser.error(f"the variable {VARIABLE} is not set")
    who = {"u": options.user, "p": f"enc:{password}", "v": "1.16.1", "c": "fifteen"}
    Handler.address = options.server.rstrip("/")
    Handler.library = Library(options.library, Server(Handler.address, who))
    server = ThreadingHTTPServer((options.host, options.port), Handler)
    address = f"http://{options.host}:{server.server_port}"
    print(f"{len(Handler.library.songs)} songs, on {address}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
