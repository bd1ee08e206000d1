"""Computes the spectrograms of a corpus once, for many trainings.

Each take of each track is cut into 15 s windows by the service's own rule. `training.data.dataset`
describes the folder. Shards contain tracks in an order that a fixed seed shuffles, so that each
shard is a fair sample of the corpus.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from service import audio
from training import parallel
from training.data.corpus import Track, corpus_digest, read_corpus, read_reference
from training.data.dataset import FRONT_END_FILE, TRACKS_FILE, check_front_end, preparation
from training.data.synthetic import SYNTHETIC, synthetic_tracks
from training.data.takes import TAKES, Take, take_spectrograms, track_waveform
from training.files import PARTIAL_SUFFIX, write_atomically
from training.parallel import Engine
from training.synthesis.speech import EspeakMissingError

TRACKS_PER_SHARD = 32
SHUFFLE_SEED = 15


def prepare(
    corpus: Path,
    folder: Path,
    jobs: int | None = None,
    seed: int = 0,
    engine: Engine = "processes",
) -> None:
    """Write the dataset folder of a corpus. Shards that are complete stay as they are.

    Parameters
    ----------
    corpus : Path
        As `read_corpus` takes it.
    folder : Path
        The dataset folder.
    jobs : int or None
        Number of processes; None for one per processor.
    seed : int
        Seed of the split of a corpus without a manifest.
    engine : str
        Processes of this machine, or of a Ray cluster; the shards are the same.

    Raises
    ------
    CorpusError
        If the corpus cannot be used.
    training.parallel.RayMissingError
        If the engine is Ray, and Ray is not installed.
    FrontEndMismatchError
        If the folder has shards of another front-end.
    """
    recordings = read_corpus(corpus.resolve(), seed)
    tracks = recordings + synthetic_tracks({t.genre for t in recordings if t.genre})
    folder.mkdir(parents=True, exist_ok=True)
    check_front_end(folder)
    identity = preparation() | {"signature": audio.signature().tolist()}
    write_atomically(folder / FRONT_END_FILE, json.dumps(identity))
    (folder / TRACKS_FILE).unlink(missing_ok=True)  # the folder is incomplete until the end
    shards = list(_plan(tracks, folder))
    missing = [shard for shard in shards if not _is_complete(*shard)]
    _discard(folder, keep={path for path, _ in shards} - {path for path, _ in missing})
    results = parallel.run(write_shard, missing, jobs, engine)
    for left_out in tqdm(results, total=len(missing), desc="shards", unit="shard"):
        for reason in left_out:
            tqdm.write(f"left out {reason!a}")
    content = {
        "corpus": corpus_digest(recordings),
        "reference": read_reference(corpus),
        "tracks": [track.to_dict() for track in tracks],
    }
    write_atomically(folder / TRACKS_FILE, json.dumps(content, indent=1))


def _discard(folder: Path, keep: set[Path]) -> None:
    """Remove shards of another corpus, each index before its shard, and partial files."""
    for partial_file in folder.glob(f"*{PARTIAL_SUFFIX}"):
        partial_file.unlink()
    for index in folder.glob("shard-*.json"):
        shard = index.with_suffix(".npy")
        if shard not in keep:
            index.unlink()
            shard.unlink(missing_ok=True)


def _plan(tracks: list[Track], folder: Path) -> Iterator[tuple[Path, list[Track]]]:
    """Yield the path and the tracks of each shard."""
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(tracks))
    for number, start in enumerate(range(0, len(tracks), TRACKS_PER_SHARD)):
        chosen = [tracks[i] for i in order[start : start + TRACKS_PER_SHARD]]
        yield folder / f"shard-{number:05d}.npy", chosen


def _is_complete(shard: Path, tracks: list[Track]) -> bool:
    index = shard.with_suffix(".json")
    return index.exists() and json.loads(index.read_text())["tracks"] == _stamps(tracks)


def _stamps(tracks: list[Track]) -> list[list[str | int]]:
    """Return id, file size and modification time of each track, which change with its file."""
    return [[track.id, *_file_stamp(track)] for track in tracks]


def _file_stamp(track: Track) -> tuple[int, int]:
    if track.source == SYNTHETIC:
        return (0, 0)
    stat = track.path.stat()
    return (stat.st_size, stat.st_mtime_ns)


@dataclass
class _Shard:
    """The content of a shard."""

    spectrograms: list[NDArray[np.float16]] = field(default_factory=list)
    rows: list[tuple[str, Take]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, track: Track) -> None:
        """Add the takes of a track, or the reason why it has none."""
        try:
            waveform = track_waveform(track)
            takes = {take: take_spectrograms(track, waveform, take) for take in TAKES}
        except (audio.AudioError, EspeakMissingError) as error:
            self.left_out[track.id] = str(error)
            return
        for take, spectrograms in takes.items():
            self.spectrograms.append(spectrograms.astype(np.float16))
            self.rows += [(track.id, take)] * len(spectrograms)


def write_shard(path: Path, tracks: list[Track]) -> list[str]:
    """Write one shard and its index; return the tracks that were left out, with the reason."""
    shard = _Shard()
    for track in tracks:
        shard.add(track)
    empty = np.empty((0, audio.N_MELS, audio.N_FRAMES), np.float16)
    values = np.concatenate([empty, *shard.spectrograms])
    write_atomically(path, partial(np.save, arr=values))
    index = {
        "tracks": _stamps(tracks),
        "rows": shard.rows,
        "refused": shard.left_out,
    }
    write_atomically(path.with_suffix(".json"), json.dumps(index))
    return [f"{track}: {reason}" for track, reason in shard.left_out.items()]
