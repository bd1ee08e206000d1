"""The clips of a corpus whose tempo or key is known, and what is measured on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from service import audio, music
from training import parallel
from training.data.corpus import MANIFEST, CorpusError, read_rows
from training.data.lazy_librosa import librosa
from training.synthesis.sounds import KINDS, not_music
from training.types import Floats, Indices

TRUTH = "tempo_key.csv"
SHORT_SECONDS = 8  # of the shorter parts that are fitted, too
SOUNDS_PER_KIND = 12
WITH_A_BEAT = ("knocks", "engine")  # not music, and yet they may repeat steadily
TEMPERLEY = np.array(
    [
        [0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400],
        [0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330],
    ]
)
"""Profiles of major and minor, from Music and Probability (2007): librosa's chroma needs some."""
LEFT_OUT = ("espeak",)  # needs a program that may not be installed


@dataclass(frozen=True)
class Heard:
    """What is measured on one part of a clip.

    Attributes
    ----------
    tempi : float64 [shape=(n_candidates,)], bpm
    tempo_features : float32 [shape=(n_candidates, n_features)]
    key_features : float64 [shape=(N_KEYS + 1, n_features)]
    """

    tempi: Floats
    tempo_features: np.ndarray
    key_features: Floats


@dataclass(frozen=True)
class Clip:
    """One clip, its truth and its parts.

    Attributes
    ----------
    bpm : float
        NaN if unknown.
    key : int
        0 to 11 for C major to B major, 12 to 23 for minor; -1 if unknown.
    relative_major : int
        Pitch class of the tonic of the key signature's major key; -1 if unknown.
    middle : Heard
        The middle 15 s: what figures are for.
    whole : Heard
        The parts that the service listens to.
    others : list of Heard
        Other parts, to fit on.
    librosa : tuple of float and int
        Tempo and key of the middle 15 s by librosa.
    """

    group: str
    genre: str
    bpm: float
    key: int
    relative_major: int
    middle: Heard
    whole: Heard
    others: list[Heard]
    librosa: tuple[float, int]


@dataclass(frozen=True)
class Sound:
    """A synthetic sound that is not music."""

    kind: str
    heard: Heard


def read_clips(corpus: Path, jobs: int | None) -> list[Clip]:
    """Read the truth of a corpus, and measure its clips.

    Raises
    ------
    CorpusError
        If `TRUTH` or the manifest is missing, or no clip is in both.
    """
    files = {row["clip_id"]: corpus / row["file"] for row in read_rows(corpus / MANIFEST)}
    rows = [row for row in read_rows(corpus / TRUTH) if row["clip_id"] in files]
    if not rows:
        raise CorpusError(f"{corpus} has no clips that {MANIFEST} and {TRUTH} both list.")
    tasks = [(files[row["clip_id"]], row) for row in rows]
    return list(tqdm(parallel.run(_clip, tasks, jobs), total=len(tasks), unit="clip"))


def sounds(jobs: int | None) -> list[Sound]:
    """Synthesise sounds that are not music, and measure them."""
    kinds = [kind for kind in KINDS if kind not in LEFT_OUT]
    tasks = [(kind, number) for kind in kinds for number in range(SOUNDS_PER_KIND)]
    return list(parallel.run(_sound, tasks, jobs))


def middle(waveform: audio.Waveform, seconds: float = audio.WINDOW_SECONDS) -> audio.Waveform:
    """Return the middle of a waveform, or all of a shorter one."""
    length = round(seconds * audio.SAMPLE_RATE)
    start = max(0, (len(waveform) - length) // 2)
    return waveform[start : start + length]


def hear(parts: list[audio.Waveform]) -> Heard:
    """Measure parts as one."""
    tempogram = music.tempogram(parts)
    places = music.candidates(tempogram)
    features = (
        music.tempo_features(tempogram, places) if len(places) else np.zeros((0, 0), np.float32)
    )
    return Heard(music.bpm_of(places), features, music.key_features(music.chroma(parts)))


def _clip(path: Path, row: dict[str, str]) -> Clip:
    waveform = audio.decode(path.read_bytes()).waveform
    heard = middle(waveform)
    short = round(SHORT_SECONDS * audio.SAMPLE_RATE)
    others = [
        waveform[: audio.N_SAMPLES],
        waveform[-audio.N_SAMPLES :],
        waveform[:short],
        waveform[-short:],
    ]
    return Clip(
        group=row["artist_group"],
        genre=row["genre"],
        bpm=float(row["tempo"] or "nan"),
        key=int(row["key"] or -1),
        relative_major=int(row["key_tom_relmajor"] or -1),
        middle=hear([heard]),
        whole=hear(music.parts(waveform)),
        others=[hear([part]) for part in others],
        librosa=_by_librosa(heard),
    )


def _by_librosa(waveform: audio.Waveform) -> tuple[float, int]:
    """Return tempo and key by librosa's parts."""
    bpm, _ = librosa.beat.beat_track(y=waveform, sr=audio.SAMPLE_RATE)
    levels = librosa.feature.chroma_cqt(y=waveform, sr=audio.SAMPLE_RATE).sum(axis=1)
    rolled = [np.roll(levels, -tonic) for tonic in range(len(levels))]
    scores = [np.corrcoef(each, profile)[0, 1] for profile in TEMPERLEY for each in rolled]
    return float(np.ravel(bpm)[0]), int(np.argmax(scores))


def _sound(kind: str, number: int) -> Sound:
    rng = np.random.default_rng([KINDS.index(kind), number])
    return Sound(kind, hear([not_music(kind, audio.WINDOW_SECONDS, rng)]))


def halves(clips: Iterable[Clip], rng: np.random.Generator) -> Indices:
    """Divide clips into two halves, all of an artist in one; 0 or 1 [shape=(n_clips,)]."""
    groups = [clip.group for clip in clips]
    names = sorted(set(groups))
    first = set(rng.permutation(names)[: len(names) // 2].tolist())
    return np.array([int(group not in first) for group in groups])
