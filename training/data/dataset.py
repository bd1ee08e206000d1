"""Reads a dataset folder: spectrograms by row, and their labels.

The folder, which `training.data.prepare` writes, contains

* ``front_end.json``: the parameters and the signature of the front-end that computed it;
* ``shard-00000.npy``: float16 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB;
* ``shard-00000.json``: the track and the take of each row, the size and modification time of each
  file, and the reason for each track that was left out. It is written after its shard: a shard
  without it is written again;
* ``tracks.json``: the tracks, their labels and the digest of the corpus. It is written last: a
  folder without it is incomplete.

Shards are memory-mapped, so that memory does not limit the size of a corpus, and any row of any
shard can be read at any time.
"""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import audio
from service.card import EMOTIONS, Emotion
from training.data.corpus import Track
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.data.takes import MAX_REST_SECONDS, SILENCE_DB, SILENCE_HOP, TAKES, Take
from training.types import Flags, Indices

FRONT_END_FILE = "front_end.json"
TRACKS_FILE = "tracks.json"
TAKES_VERSION = 2  # raise it with every change of the takes or of synthetic sounds
MIN_OTHER_TRACKS = 15  # of a kind of other music, for a class of its own
OTHER = "other"


class FrontEndMismatchError(RuntimeError):
    """The folder has spectrograms that this front-end would not compute."""


def preparation() -> dict[str, Any]:
    """Return every parameter that the spectrograms of a dataset depend on."""
    silence = {
        "silence_db": SILENCE_DB,
        "max_rest_seconds": MAX_REST_SECONDS,
        "silence_hop": SILENCE_HOP,
    }
    return {"front_end": audio.front_end(), "silence": silence, "takes_version": TAKES_VERSION}


def check_front_end(folder: Path) -> None:
    """Raise `FrontEndMismatchError` if another front-end computed a folder's spectrograms."""
    path = folder / FRONT_END_FILE
    if not path.exists():
        return
    written = json.loads(path.read_text())
    skew = audio.skew(written.pop("signature"))
    if written != preparation() or not skew <= audio.SKEW_TOLERANCE:
        raise FrontEndMismatchError(
            f"{folder} was prepared with another front-end (difference {skew:.2g} dB) or with "
            "other takes: prepare it again."
        )


class Dataset:
    """The spectrograms and labels of a dataset folder.

    Parameters
    ----------
    folder : Path
        Written by `training.data.prepare`.

    Attributes
    ----------
    folder : Path
    tracks : list of Track
        Those that have spectrograms.
    genres : list of str
        Sorted.
    classes : list of str
        The classes of the networks: genres, kinds of other music, `NOT_MUSIC`.
    label : int64 [shape=(n_tracks,)]
        Index into `classes`, -1 for a track whose class is unknown.
    synthetic : bool [shape=(n_tracks,)]
    groups : str [shape=(n_tracks,)]
    emotion : float32 [shape=(n_tracks, 3)]
        True values; columns as in `EMOTIONS`, NaN without one.
    proxies : dict of str to float32 [shape=(n_tracks, 3)]
        By origin; NaN without one.
    track_of, take_of : int64 [shape=(n_rows,)]
        Index into `tracks`, and into `TAKES`, of each row.
    corpus_digest : str
        `corpus.corpus_digest` of the corpus.
    reference : dict of str to list of float
        `corpus.read_reference` of the corpus.
    rows_digest : str
        Identifies rows and preparation.
    digest : str
        Identifies rows, labels, split and preparation.

    Raises
    ------
    FileNotFoundError
        If the folder is not prepared, or not completely.
    FrontEndMismatchError
        If another front-end computed it.
    """

    def __init__(self, folder: Path) -> None:
        check_front_end(folder)
        if not (folder / TRACKS_FILE).exists():
            raise FileNotFoundError(f"{folder} is not prepared, or not completely: prepare it.")
        self.folder = folder
        content = json.loads((folder / TRACKS_FILE).read_text())
        self.corpus_digest: str = content["corpus"]
        self.reference: dict[Emotion, list[float]] = content["reference"]
        self._open_shards([Track.from_dict(entry) for entry in content["tracks"]])
        self.genres = sorted({track.genre for track in self.tracks if track.genre})
        self.classes = self._classes()
        self.synthetic = np.array([track.source == SYNTHETIC for track in self.tracks])
        self.groups = np.array([track.group for track in self.tracks])
        self.label = np.array([self._class(track) for track in self.tracks], np.int64)
        self._label_emotion()
        self.rows_digest = self._rows_digest()
        self.digest = self._digest()

    def __reduce__(self) -> tuple[type["Dataset"], tuple[Path]]:
        """Pickle the folder's name: another process opens the folder and copies nothing."""
        return Dataset, (self.folder,)

    def _open_shards(self, tracks: list[Track]) -> None:
        self._shards: list[NDArray[np.float16]] = []
        rows: list[tuple[str, Take, int, int]] = []
        for path in sorted(self.folder.glob("shard-*.json")):
            index = json.loads(path.read_text())["rows"]
            rows += [(id_, take, len(self._shards), row) for row, (id_, take) in enumerate(index)]
            self._shards.append(np.load(path.with_suffix(".npy"), mmap_mode="r"))
        used = {id_ for id_, *_ in rows}
        self.tracks = [track for track in tracks if track.id in used]
        position = {track.id: i for i, track in enumerate(self.tracks)}
        places = [
            (position[id_], TAKES.index(take), shard, row)
            for id_, take, shard, row in rows
            if id_ in position
        ]
        table = np.array(sorted(places), np.int64).reshape(-1, 4)
        self.track_of, self.take_of, self._shard_of, self._row_in_shard = table.T

    def _classes(self) -> list[str]:
        counts = Counter(t.other for t in self.tracks if t.other and t.other != NOT_MUSIC)
        frequent = sorted(kind for kind, count in counts.items() if count >= MIN_OTHER_TRACKS)
        rest = [OTHER] if len(counts) > len(frequent) else []
        return [*self.genres, *frequent, *rest, NOT_MUSIC]

    def _class(self, track: Track) -> int:
        name = track.genre or track.other
        if name is None:
            return -1
        return self.classes.index(name if name in self.classes else OTHER)

    def _label_emotion(self) -> None:
        nothing = np.full((len(self.tracks), len(EMOTIONS)), np.nan, np.float32)
        origins = {proxy.origin for track in self.tracks for proxy in track.proxies.values()}
        self.emotion = nothing.copy()
        self.proxies = {origin: nothing.copy() for origin in sorted(origins)}
        for i, track in enumerate(self.tracks):
            for column, emotion in enumerate(EMOTIONS):
                self.emotion[i, column] = track.emotion.get(emotion, np.nan)
                if proxy := track.proxies.get(emotion):
                    self.proxies[proxy.origin][i, column] = proxy.value

    def _digest(self) -> str:
        labels = [track.to_dict() | {"path": None} for track in self.tracks]
        text = json.dumps([self.rows_digest, labels], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _rows_digest(self) -> str:
        rows = np.stack([self.track_of, self.take_of]).tobytes()
        text = json.dumps([preparation(), [track.id for track in self.tracks]], sort_keys=True)
        return hashlib.sha256(text.encode() + rows).hexdigest()

    @property
    def is_genre(self) -> Flags:
        """Whether a track has one of the genres; bool [shape=(n_tracks,)]."""
        return np.asarray((self.label >= 0) & (self.label < len(self.genres)))

    @property
    def is_music(self) -> Flags:
        """Whether a track is music; bool [shape=(n_tracks,)]."""
        return np.asarray(self.label != self.classes.index(NOT_MUSIC))

    def rows(self, take: Take, tracks: Indices | None = None) -> Indices:
        """Return the rows of a take, of all or some tracks, in the order of track and time."""
        chosen = self.take_of == TAKES.index(take)
        if tracks is not None:
            chosen &= np.isin(self.track_of, tracks)
        return np.flatnonzero(chosen)

    def train_rows(self, tracks: Indices) -> Indices:
        """Return the rows of some tracks that networks train on: all but those of ``raw``."""
        trains = self.take_of != TAKES.index("raw")
        return np.flatnonzero(trains & np.isin(self.track_of, tracks))

    def spectrograms(self, rows: Indices) -> audio.Spectrograms:
        """Return rows as the input of the models.

        Parameters
        ----------
        rows : int64 [shape=(n,)]

        Returns
        -------
        spectrograms : float32 [shape=(n, audio.N_MELS, audio.N_FRAMES)], dB
        """
        out = np.empty((len(rows), audio.N_MELS, audio.N_FRAMES), np.float32)
        for i, row in enumerate(rows):
            out[i] = self._shards[self._shard_of[row]][self._row_in_shard[row]]
        return out
