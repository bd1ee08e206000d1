"""Tracks that nobody recorded: synthesised dance music, and sounds that are no music.

Dance music adds to training where a genre has few recordings, and is never validation or test.
Sounds that are no music are trained on, chosen by and measured with, each part with sounds of its
own.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from service import audio
from training.data.corpus import Subset, Track
from training.synthesis.dance import synthesise
from training.synthesis.sounds import KINDS, not_music

SYNTHETIC = "made"
NOT_MUSIC = "not_music"
DANCE_TRACKS = {"dubstep": 80, "house": 40}
SOUNDS = {"espeak": 60, "formant speech": 60}  # of each other kind SOUNDS_OTHERWISE
SOUNDS_OTHERWISE = 20
MUSIC_SECONDS, SOUND_SECONDS = 30.0, 16.0
PARTS: tuple[Subset, ...] = ("train", "train", "train", "valid", "test")


def synthetic_tracks(genres: set[str]) -> list[Track]:
    """Return what is made for a corpus with these genres; its `path` names it, and is no file."""
    return [*_dance(genres), *_sounds()]


def _dance(genres: set[str]) -> Iterator[Track]:
    for genre, count in DANCE_TRACKS.items():
        for number in range(count if genre in genres else 0):
            yield _track(genre, number, "train", genre=genre)


def _sounds() -> Iterator[Track]:
    for kind in KINDS:
        for number in range(SOUNDS.get(kind, SOUNDS_OTHERWISE)):
            yield _track(kind, number, PARTS[number % len(PARTS)], other=NOT_MUSIC)


def _track(
    kind: str, number: int, subset: Subset, genre: str | None = None, other: str | None = None
) -> Track:
    name = f"{SYNTHETIC}/{kind}/{number}"
    return Track(name, Path(name), name, subset, genre, other, source=SYNTHETIC)


def generator(track: Track) -> np.random.Generator:
    """Return the random numbers of a track: the same whenever it is prepared."""
    return np.random.default_rng(zlib.crc32(track.id.encode()))


def waveform(track: Track) -> audio.Waveform:
    """Make a track; float32 [shape=(n_samples,)].

    Raises
    ------
    EspeakMissingError
        If it is spoken by espeak-ng, which is not installed.
    """
    if track.genre:
        return synthesise(track.genre, MUSIC_SECONDS, generator(track))
    kind = track.path.parent.name
    return not_music(kind, SOUND_SECONDS, generator(track))
