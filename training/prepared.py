"""Reads a prepared folder: spectrograms by row, and the labels that go with them.

Shards are memory-mapped, so that 280 hours never lie in memory, and any row of any shard is at
hand: a training order may be shuffled over all of them at once.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import audio
from service.card import EMOTIONS
from training.corpus import EmotionLabel, Split, Track
from training.prepare import TRACKS_FILE, check_front_end, to_json

Rows = NDArray[np.int64]


class Prepared:
    """A prepared folder.

    Parameters
    ----------
    folder : Path
        Written by `training.prepare`.

    Attributes
    ----------
    tracks : list of Track
    genres : list of str
        Those that training has recordings of, sorted; a genre's index in it is its label.
    origins : list of str
        Sorted; where emotion labels come from.
    track_of : int64 [shape=(n_rows,)]
        Index into `tracks` of each row.
    genre : int64 [shape=(n_tracks,)]
        Index into `genres` of each track, -1 where it has none of them.
    emotion : float32 [shape=(n_tracks, 3)]
        Columns as in `EMOTIONS`; NaN where there is no label.
    origin : int64 [shape=(n_tracks, 3)]
        Index into `origins`; 0 where there is no label.

    Raises
    ------
    FileNotFoundError
        If the folder was not prepared.
    PreparedWithAnotherFrontEndError
        If it was, by a front-end that is not this one.
    """

    def __init__(self, folder: Path) -> None:
        check_front_end(folder)
        if not (folder / TRACKS_FILE).exists():
            raise FileNotFoundError(f"{folder} is not prepared, or not to its end: prepare it.")
        self.tracks = [_track(entry) for entry in json.loads((folder / TRACKS_FILE).read_text())]
        self._open(folder)
        learnable = (self.tracks[i].genre for i in self.track_of[self.rows("train")])
        self.genres = sorted({genre for genre in learnable if genre})
        labels = [label for track in self.tracks for label in track.emotion.values()]
        self.origins = sorted({label.origin for label in labels})
        self._label()
        self.digest = self._digest()

    def _digest(self) -> str:
        """Tell this folder's rows, labels and split from any other's."""
        labelled = [to_json(self.tracks[i]) | {"path": None} for i in self.track_of]
        return hashlib.sha256(json.dumps(labelled, sort_keys=True).encode()).hexdigest()

    def _label(self) -> None:
        self.genre = np.array(
            [self.genres.index(t.genre) if t.genre in self.genres else -1 for t in self.tracks],
            np.int64,
        )
        self.emotion = np.full((len(self.tracks), len(EMOTIONS)), np.nan, np.float32)
        self.origin = np.zeros((len(self.tracks), len(EMOTIONS)), np.int64)
        for i, track in enumerate(self.tracks):
            for emotion, label in track.emotion.items():
                self.emotion[i, EMOTIONS.index(emotion)] = label.value
                self.origin[i, EMOTIONS.index(emotion)] = self.origins.index(label.origin)

    def _open(self, folder: Path) -> None:
        position = {track.id: i for i, track in enumerate(self.tracks)}
        self._shards: list[NDArray[np.float16]] = []
        track_of: list[int] = []
        shard_of: list[int] = []
        row_in_shard: list[int] = []
        for path in sorted(folder.glob("shard-*.json")):
            rows = json.loads(path.read_text())["rows"]
            known = [(row, position[track]) for row, track in enumerate(rows) if track in position]
            track_of += [track for _, track in known]
            row_in_shard += [row for row, _ in known]
            shard_of += [len(self._shards)] * len(known)
            self._shards.append(np.load(path.with_suffix(".npy"), mmap_mode="r"))
        self.track_of = np.array(track_of, np.int64)
        self._shard_of = np.array(shard_of, np.int64)
        self._row_in_shard = np.array(row_in_shard, np.int64)

    def rows(self, split: Split) -> Rows:
        """Return the rows of one part of the split, in order of track and time."""
        splits = np.array([track.split for track in self.tracks])
        rows = np.flatnonzero(splits[self.track_of] == split)
        return rows[np.argsort(self.track_of[rows], kind="stable")]

    def spectrograms(self, rows: Rows) -> audio.Spectrograms:
        """Return rows as the models take them.

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


def _track(entry: dict[str, Any]) -> Track:
    emotion = {name: EmotionLabel(**label) for name, label in entry.pop("emotion").items()}
    return Track(path=Path(entry.pop("path")), emotion=emotion, **entry)
