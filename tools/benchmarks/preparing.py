"""Measures how fast one processor turns a corpus into spectrograms."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from tools import signals
from training.data.corpus import read_corpus
from training.data.prepare import write_shard
from training.data.takes import take_spectrograms, track_waveform

GENRES = ("blues", "house")
SECONDS, RATE = 30, 44_100


@dataclass(frozen=True)
class Preparing:
    """Seconds of sound that one processor prepares in a second.

    Attributes
    ----------
    decoded : float
        Speed of decoding and one spectrogram.
    whole : float
        Speed of `training.data.prepare` as a whole: three takes, one of them through a phone's
        codec, and danceability.
    """

    decoded: float
    whole: float


def preparing(tracks, seconds=SECONDS):
    """Prepare a corpus of synthesised MP3 files, at least five of each of two genres."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        corpus = Path(folder)
        for genre in GENRES:
            for number in range(tracks):
                path = corpus / genre / f"album-{number}" / "track.mp3"
                path.parent.mkdir(parents=True)
                groove = signals.groove(seconds, RATE, bpm=100 + 5 * number, seed=number)
                path.write_bytes(signals.encode(groove, RATE, "mp3", channels=2))
        found = read_corpus(corpus, seed=0)
        _prepared(found[:1])  # the first call loads code
        sound = seconds * len(found)
        return Preparing(sound / _timed(_decoded, found), sound / _timed(_prepared, found))


def _decoded(tracks):
    for track in tracks:
        take_spectrograms(track, track_waveform(track), "raw")


def _prepared(tracks):
    with tempfile.TemporaryDirectory() as folder:
        assert write_shard(Path(folder) / "shard.npy", tracks) == []


def _timed(work, tracks):
    started = time.process_time()
    work(tracks)
    return time.process_time() - started
