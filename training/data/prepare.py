"""Turns a corpus into spectrograms on disk, in shards, once for many trainings.

Each track is cut into 15 s windows, by the same rule as in the service, of three *takes*:

* ``studio``: as in the nine-genre work that Fifteen descends from, silences longer than a second
  are removed and inner rests stay. Only trains.
* ``heard``: as the service hears it, silences left in. Only measures.
* ``phone``: as a phone would have recorded it (`augment.phone`). Trains on one side of a split and
  measures on the other.

A prepared folder holds

* ``front_end.json``: the numbers and the signature of what made it;
* ``tracks.json``: the tracks and their labels. It is written last: without it, a folder is not
  prepared to its end;
* ``shard-00000.npy``: float16 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB;
* ``shard-00000.json``: which rows are which track's and take's, what its danceability was
  measured to be, the size and time of each file, and which tracks could not be used and why. It
  is written after its shard: one without it is made again.

Shards hold tracks in an order shuffled by a fixed seed, so each is a fair sample of the corpus.
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from service import audio
from training import parallel
from training.data import synthetic
from training.data.corpus import EmotionLabel, Track, read_corpus
from training.data.danceability import danceability
from training.data.takes import (
    FRONT_END_FILE,
    TAKES,
    Take,
    check_front_end,
    numbers,
    take_spectrograms,
    track_waveform,
)
from training.parallel import Engine
from training.synthesis.speech import EspeakMissingError

DANCEABILITY_ORIGIN = "beat-descriptors"  # see `training.data.danceability`

TRACKS_PER_SHARD = 32
SHUFFLE_SEED = 15


TRACKS_FILE = "tracks.json"


def prepare(
    corpus: Path,
    folder: Path,
    jobs: int | None = None,
    seed: int = 0,
    engine: Engine = "processes",
) -> None:
    """Write the spectrograms of a corpus; shards that are there already stay.

    Parameters
    ----------
    corpus : Path
        As `read_corpus` takes it.
    folder : Path
        Where the shards go.
    jobs : int or None
        Number of processes; None for one a processor.
    seed : int
        Of the split of a corpus that brings none.
    engine : str
        Processes of this machine, or of all that are a Ray cluster; the shards are the same.

    Raises
    ------
    CorpusError
        If the corpus cannot be used.
    training.cluster.RayMissingError
        If the engine is not installed.
    PreparedWithAnotherFrontEndError
        If the folder holds shards of another front-end.
    """
    tracks = read_corpus(corpus.resolve(), seed)
    tracks += synthetic.synthetic_tracks({track.genre for track in tracks if track.genre})
    folder.mkdir(parents=True, exist_ok=True)
    check_front_end(folder)
    made_by = numbers() | {"signature": audio.signature().tolist()}
    (folder / FRONT_END_FILE).write_text(json.dumps(made_by))
    (folder / TRACKS_FILE).unlink(missing_ok=True)  # until all shards are there, nothing is
    plans = list(_plan(tracks, folder))
    missing = [plan for plan in plans if not _is_done(*plan)]
    _discard(folder, keep={shard for shard, _ in plans} - {shard for shard, _ in missing})
    done = parallel.run(_write_shard, missing, jobs, engine)
    for refused in tqdm(done, total=len(missing), desc="shards", unit="shard"):
        for reason in refused:
            tqdm.write(f"left out {reason!a}")
    partial = folder / "tracks.partial"
    partial.write_text(
        json.dumps([to_json(track) for track in _measured(tracks, folder)], indent=1)
    )
    partial.replace(folder / TRACKS_FILE)


def _discard(folder: Path, keep: set[Path]) -> None:
    """Remove shards of another corpus, each index first."""
    for index in folder.glob("shard-*.json"):
        shard = index.with_suffix(".npy")
        if shard not in keep:
            index.unlink()
            shard.unlink(missing_ok=True)


def _plan(tracks: list[Track], folder: Path) -> Iterator[tuple[Path, list[Track]]]:
    """Yield each shard's path and tracks."""
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(tracks))
    for number, start in enumerate(range(0, len(tracks), TRACKS_PER_SHARD)):
        chosen = [tracks[i] for i in order[start : start + TRACKS_PER_SHARD]]
        yield folder / f"shard-{number:05d}.npy", chosen


def _is_done(shard: Path, tracks: list[Track]) -> bool:
    index = shard.with_suffix(".json")
    return index.exists() and json.loads(index.read_text())["tracks"] == _stamps(tracks)


def _stamps(tracks: list[Track]) -> list[list[str | int]]:
    """Return what tells a track's file from another of its name: id, size, time of change."""
    return [[track.id, *_file_stamp(track)] for track in tracks]


def _file_stamp(track: Track) -> tuple[int, int]:
    if track.source == synthetic.SYNTHETIC:
        return (0, 0)
    stat = track.path.stat()
    return (stat.st_size, stat.st_mtime_ns)


def _measured(tracks: list[Track], folder: Path) -> Iterator[Track]:
    """Yield tracks with their danceability as it was measured, in place of any other."""
    values: dict[str, float] = {}
    for index in folder.glob("shard-*.json"):
        values |= json.loads(index.read_text())["danceability"]
    for track in tracks:
        label = EmotionLabel(values.get(track.id, 0.0), DANCEABILITY_ORIGIN)
        others = {name: kept for name, kept in track.emotion.items() if name != "danceability"}
        known = {"danceability": label} if track.id in values else {}
        yield replace(track, emotion=others | known)


@dataclass
class _Shard:
    """What a shard gathers."""

    spectrograms: list[NDArray[np.float16]] = field(default_factory=list)
    rows: list[tuple[str, Take]] = field(default_factory=list)
    danceability: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, track: Track) -> None:
        """Add the takes of a track, or the reason why it has none."""
        try:
            waveform = track_waveform(track)
            takes = {take: take_spectrograms(track, waveform, take) for take in TAKES}
        except (audio.AudioError, EspeakMissingError) as error:
            self.refused[track.id] = str(error)
            return
        for take, spectrograms in takes.items():
            self.spectrograms.append(spectrograms.astype(np.float16))
            self.rows += [(track.id, take)] * len(spectrograms)
        if track.source != synthetic.SYNTHETIC:
            self.danceability[track.id] = danceability(waveform)


def _write_shard(shard: Path, tracks: list[Track]) -> list[str]:
    """Write one shard and its index; return the tracks that could not be used, with the reason."""
    gathered = _Shard()
    for track in tracks:
        gathered.add(track)
    empty = np.empty((0, audio.N_MELS, audio.N_FRAMES), np.float16)
    np.save(shard, np.concatenate([empty, *gathered.spectrograms]))
    index = {
        "tracks": _stamps(tracks),
        "rows": gathered.rows,
        "danceability": gathered.danceability,
        "refused": gathered.refused,
    }
    partial = shard.with_suffix(".partial")
    partial.write_text(json.dumps(index))
    partial.replace(shard.with_suffix(".json"))
    return [f"{track}: {reason}" for track, reason in gathered.refused.items()]


def to_json(track: Track) -> dict[str, Any]:
    """Return a track as `tracks.json` keeps it."""
    return dataclasses.asdict(track) | {"path": str(track.path)}
