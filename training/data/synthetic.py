"""Synthetic tracks: dance music, and sounds that are not music.

Dance music supplements the training data of genres with few recordings; it is never in valid or
test. Each subset has non-musical sounds of its own.
"""

from collections.abc import Iterator
from pathlib import Path

from service import audio
from training.data.corpus import Subset, Track, random_stream
from training.synthesis.dance import synthesise
from training.synthesis.sounds import KINDS, not_music

SYNTHETIC = "synthetic"
NOT_MUSIC = "not_music"
DANCE_TRACKS = {"dubstep": 80, "house": 40}
SOUND_TRACKS = {"espeak": 60, "formant speech": 60}
TRACKS_PER_KIND = 20  # of all kinds that are not in `SOUND_TRACKS`
MUSIC_SECONDS, SOUND_SECONDS = 30.0, 16.0
SUBSET_CYCLE: tuple[Subset, ...] = ("train", "train", "train", "valid", "test")


def synthetic_tracks(genres: set[str]) -> list[Track]:
    """Return the synthetic tracks for a corpus with these genres.

    Their `path` is a name, not a file.
    """
    return [*_dance(genres), *_sounds()]


def _dance(genres: set[str]) -> Iterator[Track]:
    for genre, count in DANCE_TRACKS.items():
        for number in range(count if genre in genres else 0):
            yield _track(genre, number, "train", genre=genre)


def _sounds() -> Iterator[Track]:
    for kind in KINDS:
        for number in range(SOUND_TRACKS.get(kind, TRACKS_PER_KIND)):
            yield _track(kind, number, SUBSET_CYCLE[number % len(SUBSET_CYCLE)], other=NOT_MUSIC)


def _track(
    kind: str, number: int, subset: Subset, genre: str | None = None, other: str | None = None
) -> Track:
    name = f"{SYNTHETIC}/{kind}/{number}"
    return Track(name, Path(name), name, subset, genre, other, source=SYNTHETIC)


def waveform(track: Track) -> audio.Waveform:
    """Synthesise a track; float32 [shape=(n_samples,)].

    Raises
    ------
    EspeakMissingError
        If the track needs espeak-ng, and espeak-ng is not installed.
    """
    rng = random_stream(track, "sound")
    if track.genre:
        return synthesise(track.genre, MUSIC_SECONDS, rng)
    return not_music(track.path.parent.name, SOUND_SECONDS, rng)
