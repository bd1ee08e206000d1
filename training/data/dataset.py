"""Reads a prepared folder: spectrograms by row, and the labels that go with them.

Shards are memory-mapped, so that 280 hours never lie in memory, and any row of any shard is at
hand: a training order may be shuffled over all of them at once.
"""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import audio
from service.card import EMOTIONS
from training.data.corpus import EmotionLabel, Track
from training.data.prepare import TRACKS_FILE, to_json
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.data.takes import TAKES, Take, check_front_end
from training.types import Flags, Indices

FEWEST_OTHER = 15  # tracks of a kind of other music, for a class of its own
OTHER = "other"


class Dataset:
    """A prepared folder.

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
        What networks tell apart: the genres, kinds of other music, `NOT_MUSIC`.
    label : int64 [shape=(n_tracks,)]
        Index into `classes` of each track, -1 where it is not known.
    made : bool [shape=(n_tracks,)]
        Whether it is no recording; see `training.data.synthetic`.
    groups : str [shape=(n_tracks,)]
    origins : list of str
        Sorted; where emotion labels come from.
    emotion : float32 [shape=(n_tracks, 3)]
        Columns as in `EMOTIONS`; NaN where there is no label.
    origin : int64 [shape=(n_tracks, 3)]
        Index into `origins`; 0 where there is no label.
    reference : float32 [shape=(n_tracks, 3)]
        Values that are only compared with; NaN where there is none.
    track_of, take_of : int64 [shape=(n_rows,)]
        Index into `tracks`, and into `TAKES`, of each row.
    digest : str
        Tells these rows, labels and split from any others.

    Raises
    ------
    FileNotFoundError
        If the folder was not prepared.
    DatasetWithAnotherFrontEndError
        If it was, by a front-end that is not this one.
    """

    def __init__(self, folder: Path) -> None:
        check_front_end(folder)
        if not (folder / TRACKS_FILE).exists():
            raise FileNotFoundError(f"{folder} is not prepared, or not to its end: prepare it.")
        self.folder = folder
        self._open(folder, [_track(e) for e in json.loads((folder / TRACKS_FILE).read_text())])
        self.genres = sorted({track.genre for track in self.tracks if track.genre})
        kinds = Counter(track.other for track in self.tracks if track.other)
        own = sorted(k for k, count in kinds.items() if count >= FEWEST_OTHER and k != NOT_MUSIC)
        rest = [OTHER] if set(kinds) - {*own, NOT_MUSIC} else []
        self.classes = [*self.genres, *own, *rest, NOT_MUSIC]
        self.synthetic = np.array([track.source == SYNTHETIC for track in self.tracks])
        self.groups = np.array([track.group for track in self.tracks])
        self.label = np.array([self._class(track) for track in self.tracks], np.int64)
        self._label_emotion()
        self.digest = self._digest()

    def __reduce__(self) -> tuple[type["Dataset"], tuple[Path]]:
        """Pickle the folder's name: another process opens it again, and nothing is copied."""
        return Dataset, (self.folder,)

    def _digest(self) -> str:
        labelled = [to_json(track) | {"path": None} for track in self.tracks]
        rows = np.stack([self.track_of, self.take_of]).tobytes()
        return hashlib.sha256(json.dumps(labelled, sort_keys=True).encode() + rows).hexdigest()

    def _class(self, track: Track) -> int:
        name = track.genre or track.other
        if name is None:
            return -1
        return self.classes.index(name if name in self.classes else OTHER)

    def _label_emotion(self) -> None:
        labels = [label for track in self.tracks for label in track.emotion.values()]
        self.origins = sorted({label.origin for label in labels})
        self.emotion = np.full((len(self.tracks), len(EMOTIONS)), np.nan, np.float32)
        self.reference = self.emotion.copy()
        self.origin = np.zeros((len(self.tracks), len(EMOTIONS)), np.int64)
        for i, track in enumerate(self.tracks):
            for column, emotion in enumerate(EMOTIONS):
                self.reference[i, column] = track.reference.get(emotion, np.nan)
                if label := track.emotion.get(emotion):
                    self.emotion[i, column] = label.value
                    self.origin[i, column] = self.origins.index(label.origin)

    def _open(self, folder: Path, tracks: list[Track]) -> None:
        self._shards: list[NDArray[np.float16]] = []
        rows: list[tuple[str, Take, int, int]] = []
        for path in sorted(folder.glob("shard-*.json")):
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

    @property
    def is_genre(self) -> Flags:
        """Whether a track is of one of the genres; bool [shape=(n_tracks,)]."""
        return np.asarray((self.label >= 0) & (self.label < len(self.genres)))

    @property
    def is_music(self) -> Flags:
        """Whether a track is music; bool [shape=(n_tracks,)]."""
        return np.asarray(self.label != self.classes.index(NOT_MUSIC))

    @property
    def learned(self) -> list[int]:
        """The emotions that can be learnt, as places in `EMOTIONS`: their labels differ."""
        labels = [column[~np.isnan(column)] for column in self.emotion.T]
        return [place for place, known in enumerate(labels) if len(known) and np.ptp(known) > 0]

    def rows(self, take: Take, tracks: Indices | None = None) -> Indices:
        """Return the rows of a take, of all tracks or of some, in order of track and time."""
        chosen = self.take_of == TAKES.index(take)
        if tracks is not None:
            chosen &= np.isin(self.track_of, tracks)
        return np.flatnonzero(chosen)

    def train_rows(self, tracks: Indices) -> Indices:
        """Return the rows of some tracks that networks learn from: all but those as heard."""
        trains = self.take_of != TAKES.index("heard")
        return np.flatnonzero(trains & np.isin(self.track_of, tracks))

    def spectrograms(self, rows: Indices) -> audio.Spectrograms:
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
