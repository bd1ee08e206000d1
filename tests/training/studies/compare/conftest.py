"""A small corpus that suffices for every row in the fast mode."""

import csv

import numpy as np
import pytest

from service import audio
from tools import signals
from training.data.corpus import EMOTION_MANIFEST, MANIFEST, SUBSETS
from training.studies.compare.clips import read_clips
from training.studies.compare.labels import PUNK, VOCAL_JAZZ
from training.studies.compare.sample import FAST
from training.studies.compare.store import Store

SECONDS = 4
FEELINGS = ("calmness", "power")
SIDES = ("train", "train", "train", "valid", "test")


def sound(kind, number):
    """A sound that depends on the kind: beats, chords or noise."""
    rng = np.random.default_rng(number)
    beats = signals.groove(SECONDS, audio.SAMPLE_RATE, 96 + 2 * number, number)
    if kind in {"jazz", "folk"}:
        notes = rng.choice((220, 262, 330, 392, 440), 3, replace=False)
        return sum(signals.sine(SECONDS, hz) for hz in notes) / 8 + 0.1 * beats
    if kind in {"pop-punk", "pop"}:
        return (0.3 * rng.normal(size=len(beats)) + 0.5 * beats).clip(-1, 1).astype(np.float32)
    return beats


def recordings():
    """Kind, genre or not, side, subgenre and dominant feeling of each recording."""
    for genre, names in (("jazz", VOCAL_JAZZ), ("pop-punk", PUNK)):
        for side in SUBSETS:
            for subgenre in names:
                yield genre, True, side, subgenre, ""
    for side in SIDES:
        yield "house", True, side, "", ""
    for kind, feeling in zip(("folk", "pop"), FEELINGS, strict=True):
        for side in SIDES:
            yield kind, False, side, "", feeling


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    tracks, emotions = [], []
    for number, (kind, of_genre, side, subgenre, feeling) in enumerate(recordings()):
        name = f"{kind}-{number}"
        wav = signals.wav(sound(kind, number), audio.SAMPLE_RATE)
        (folder / f"{name}.wav").write_bytes(wav)
        tracks.append({
            "clip_id": name, "file": f"{name}.wav", "artist_group": name, "split": side,
            "genre": kind if of_genre else "", "other": "" if of_genre else kind,
            "source": "made", "subgenre": subgenre,
        })  # fmt: skip
        rated = {
            f"{scale}{end}": value if of_genre else ""
            for scale, rank in (("valence", number / 40), ("energy", 1 - number / 40))
            for end, value in (("", rank), ("_origin", "words"))
        }
        votes = {f"gems_{each}": 0.5 if each == feeling else 0.1 for each in FEELINGS}
        unasked = dict.fromkeys(votes, "")
        emotions.append(
            {"clip_id": name, "danceability": "", "danceability_origin": ""}
            | rated | (votes if feeling else unasked)
        )  # fmt: skip
    write(folder / MANIFEST, tracks)
    write(folder / EMOTION_MANIFEST, emotions)
    return folder


@pytest.fixture(scope="session")
def clips(corpus):
    return read_clips(corpus, FAST.recordings)


@pytest.fixture
def store(clips, tmp_path):
    """An empty store."""
    return Store(tmp_path / "features", clips)
