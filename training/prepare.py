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
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import starmap
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from service import audio
from training import augment, made
from training.cluster import on_cluster
from training.compiled import librosa
from training.corpus import EmotionLabel, Track, read_corpus
from training.danceability import danceability
from training.not_music import EspeakMissingError

Take = Literal["studio", "heard", "phone"]
TAKES: tuple[Take, ...] = get_args(Take)
Engine = Literal["processes", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
DANCEABILITY_ORIGIN = "beat-descriptors"  # see `training.danceability`

TRACKS_PER_SHARD = 32
SHUFFLE_SEED = 15

SILENCE_DB = 60.0  # below the loudest moment of a track
LONGEST_REST_SECONDS = 1.0
SILENCE_HOP = 512  # samples, 23 ms

FRONT_END_FILE = "front_end.json"
TRACKS_FILE = "tracks.json"


class PreparedWithAnotherFrontEndError(RuntimeError):
    """The folder holds spectrograms that this front-end would not make."""


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
    tracks += made.made_tracks({track.genre for track in tracks if track.genre})
    folder.mkdir(parents=True, exist_ok=True)
    check_front_end(folder)
    made_by = numbers() | {"signature": audio.signature().tolist()}
    (folder / FRONT_END_FILE).write_text(json.dumps(made_by))
    (folder / TRACKS_FILE).unlink(missing_ok=True)  # until all shards are there, nothing is
    plans = list(_plan(tracks, folder))
    missing = [plan for plan in plans if not _is_done(*plan)]
    _discard(folder, keep={shard for shard, _ in plans} - {shard for shard, _ in missing})
    done = _write_shards(missing, jobs, engine)
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


def check_front_end(folder: Path) -> None:
    """Raise `PreparedWithAnotherFrontEndError` if a folder's shards are not this front-end's."""
    path = folder / FRONT_END_FILE
    if not path.exists():
        return
    made_by = json.loads(path.read_text())
    skew = audio.skew(made_by["signature"])
    differs = {name: made_by[name] for name in numbers()} != numbers()
    if differs or not skew <= audio.SKEW_TOLERANCE:
        raise PreparedWithAnotherFrontEndError(
            f"{folder} was prepared with another front-end, {skew:.2g} dB away: prepare it anew."
        )


def numbers() -> dict[str, Any]:
    """Return the numbers of the front-end and of the removal of silences."""
    silence = {
        "silence_db": SILENCE_DB,
        "longest_rest_seconds": LONGEST_REST_SECONDS,
        "silence_hop": SILENCE_HOP,
    }
    return {"front_end": audio.front_end(), "silence": silence}


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
    if track.source == made.MADE:
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
        if track.source != made.MADE:
            self.danceability[track.id] = danceability(waveform)


def _write_shards(
    plans: list[tuple[Path, list[Track]]], jobs: int | None, engine: Engine = "processes"
) -> Iterator[list[str]]:
    """Write shards, here or in processes; yield what `_write_shard` returns."""
    if engine == "ray":
        yield from on_cluster(_write_shard, plans, jobs)
        return
    if jobs == 1:
        with threadpool_limits(1):
            yield from starmap(_write_shard, plans)
        return
    context = multiprocessing.get_context("spawn")
    processes = jobs or os.cpu_count()
    with ProcessPoolExecutor(
        processes, context, initializer=threadpool_limits, initargs=(1,)
    ) as pool:
        yield from pool.map(_write_shard, *zip(*plans, strict=True))


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


def track_waveform(track: Track) -> audio.Waveform:
    """Decode a track, or make it.

    Raises
    ------
    audio.AudioError
        If it cannot be decoded.
    EspeakMissingError
        If it is spoken by espeak-ng, which is not installed.
    """
    if track.source == made.MADE:
        return made.waveform(track)
    return audio.decode(track.path.read_bytes()).waveform


def take_spectrograms(track: Track, waveform: audio.Waveform, take: Take) -> audio.Spectrograms:
    """Return the spectrograms of one take of a track.

    Returns
    -------
    spectrograms : float32 [shape=(n_windows, audio.N_MELS, audio.N_FRAMES)], dB

    Raises
    ------
    audio.AudioError
        If what is not silent is too short.
    """
    if take == "studio":
        waveform = remove_silences(waveform)
    if take == "phone":
        waveform = augment.phone(waveform, made.generator(track))
    return audio.log_mel(audio.windows(waveform))


def remove_silences(waveform: audio.Waveform) -> audio.Waveform:
    """Cut out silence at both ends, and inside what is longer than `LONGEST_REST_SECONDS`.

    Parameters
    ----------
    waveform : float32 [shape=(n_samples,)]

    Returns
    -------
    waveform : float32 [shape=(n_kept,)]
        Empty if all of it is digital silence.
    """
    if not waveform.any():
        return waveform[:0]
    loudest = waveform / np.abs(waveform).max()  # librosa hears nothing below 1e-5 of full scale
    sounding = librosa.effects.split(loudest, top_db=SILENCE_DB, hop_length=SILENCE_HOP)
    rests = sounding[1:, 0] - sounding[:-1, 1]
    cuts = np.flatnonzero(rests > LONGEST_REST_SECONDS * audio.SAMPLE_RATE)
    starts = sounding[np.r_[0, cuts + 1], 0]
    ends = sounding[np.r_[cuts, len(sounding) - 1], 1]
    return np.concatenate([waveform[a:b] for a, b in zip(starts, ends, strict=True)])


def to_json(track: Track) -> dict[str, Any]:
    """Return a track as `tracks.json` keeps it."""
    return dataclasses.asdict(track) | {"path": str(track.path)}
