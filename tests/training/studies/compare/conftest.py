"""A small corpus that suffices for every row in the fast mode."""

import csv

import numpy as np
import pytest
import torch

from service import audio
from tools import signals
from training.data.corpus import EMOTION_MANIFEST, MANIFEST, SPOTIFY, SUBSETS
from training.data.teachers import AUDIO_FEATURE_COLUMNS, AUDIO_FEATURES
from training.studies.compare import mn04
from training.studies.compare.clips import read_clips
from training.studies.compare.elsewhere import WEIGHTS
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
        ranks = {"valence": number / 40, "energy": 1 - number / 40, "danceability": number / 50}
        rated = {f"{SPOTIFY}_{scale}": rank if of_genre else "" for scale, rank in ranks.items()}
        votes = {f"gems_{each}": 0.5 if each == feeling else 0.1 for each in FEELINGS}
        unasked = dict.fromkeys(votes, "")
        emotions.append({"clip_id": name} | rated | (votes if feeling else unasked))
    write(folder / MANIFEST, tracks)
    write(folder / EMOTION_MANIFEST, emotions)
    return folder


@pytest.fixture(scope="session")
def clips(corpus):
    return read_clips(corpus, FAST.recordings)


def random_weights(n_channels=2, n_tags=3):
    """Random weights of a narrow mn04."""
    torch.manual_seed(0)
    weights = {}

    def convolution(name, *shape):
        weights[f"{name}.0.weight"] = 0.5 * torch.randn(n_channels, *shape)
        for part in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{name}.1.{part}"] = torch.rand(n_channels) + 0.5

    def dense(name, n_in, n_out):
        weights[f"{name}.weight"] = torch.randn(n_out, n_in)
        weights[f"{name}.bias"] = torch.randn(n_out)

    convolution("features.0", 1, 3, 3)
    for number in range(1, mn04.N_BLOCKS + 1):
        block, layer = f"features.{number}.block", 0
        if number > 1:
            convolution(f"{block}.0", n_channels, 1, 1)
            layer = 1
        convolution(f"{block}.{layer}", 1, 5, 5)
        if number % 2:
            layer += 1
            dense(f"{block}.{layer}.conc_se_layers.0.fc1", n_channels, 1)
            dense(f"{block}.{layer}.conc_se_layers.0.fc2", 1, n_channels)
        convolution(f"{block}.{layer + 1}", n_channels, 1, 1)
    convolution(f"features.{mn04.N_BLOCKS + 1}", n_channels, 1, 1)
    dense("classifier.2", n_channels, 4)
    dense("classifier.5", 4, n_tags)
    return weights


@pytest.fixture(scope="session")
def teachers(clips, tmp_path_factory):
    """A folder of teachers: a narrow mn04, and outputs of VibeNet for every clip."""
    folder = tmp_path_factory.mktemp("teachers")
    torch.save(random_weights(), folder / WEIGHTS)
    rng = np.random.default_rng(0)
    outputs = {
        "clip_id": np.array([clip.id for clip in clips for _ in range(2)]),
        "start_seconds": np.tile([0.0, 7.5], len(clips)),
        AUDIO_FEATURES: rng.random((2 * len(clips), len(AUDIO_FEATURE_COLUMNS))),
    }
    np.savez(folder / "outputs.npz", **outputs)
    return folder


@pytest.fixture
def store(clips, tmp_path):
    """An empty store."""
    return Store(tmp_path / "features", clips)
