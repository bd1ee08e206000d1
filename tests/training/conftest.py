"""A prepared folder made up in seconds: spectrograms of noise with a genre written into them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from service import audio
from tools import signals
from training.data import splits, synthetic
from training.data.corpus import EmotionLabel, Track
from training.data.dataset import Dataset
from training.data.prepare import TRACKS_FILE, to_json
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.data.takes import FRONT_END_FILE, TAKES, numbers
from training.evaluation.evaluate import evaluate
from training.fit.config import CnnConfig, Config, MlpConfig
from training.fit.train import train
from training.release.export import export

GENRES = ("house", "jazz", "metal")
SUBSETS = ("train",) * 6 + ("valid", "valid", "test", "test")
BAND = {"house": 0, "jazz": 16, "metal": 32, "folk": 48, "polka": 64, NOT_MUSIC: 96}
CONFIG = Config(
    parts=2,
    mlp=MlpConfig(copies=1, epochs=40, batch_size=16, hidden=32, dropout=0.2, learning_rate=1e-2),
    cnn=CnnConfig(
        epochs=3, steps=12, batch_size=8, width=2, dropout=0.0, learning_rate=2e-2, crop_frames=32
    ),
)


def label(value, origin):
    return EmotionLabel(round(float(value), 4), origin)


def made_up_tracks(folder):
    """Ten tracks of each genre, five each of two kinds of other music, and made ones.

    Two groups have two tracks each; there are two sources, with one group in both; emotion labels
    are of two origins, beside the danceability that is measured.
    """
    for number, split in enumerate(SUBSETS):
        for code, genre in enumerate(GENRES):
            emotion = {
                "energy": label((code + number / 10) / 3, ("votes", "words")[number % 2]),
                "danceability": label(code / 3 + number / 40, "measured"),
            }
            name, group = f"{genre}-{number}", f"{genre}-{4 if number == 5 else number}"
            track = Track(name, folder / f"{name}.wav", group, split, genre, emotion=emotion)
            yield _from(track, ("north", "south")[number % 2], {"energy": code / 3})
    for kind in ("folk", "polka"):
        for number in range(5):
            name = f"{kind}-{number}"
            track = Track(name, folder / f"{name}.wav", name, SUBSETS[2 * number], other=kind)
            yield _from(track, "north", {})
    yield Track("unlabelled", folder / "unlabelled.wav", "unlabelled", "train")
    for number, split in enumerate(SUBSETS):
        name = f"{SYNTHETIC}/tones/{number}"
        yield Track(name, Path(name), name, split, other=NOT_MUSIC, source=SYNTHETIC)
    for number in range(4):
        name = f"{SYNTHETIC}/house/{number}"
        yield Track(name, Path(name), name, "train", "house", source=SYNTHETIC)


def _from(track, source, reference):
    return Track(**(track.__dict__ | {"source": source, "reference": reference}))


def spectrogram(track, rng):
    """Noise; the band that is loud tells the class."""
    levels = rng.uniform(-80, -60, (audio.N_MELS, audio.N_FRAMES))
    band = BAND.get(track.genre or track.other, 112)
    levels[band : band + 16] += 50
    return levels - levels.max()


def write(folder, tracks, rng):
    """Write a prepared folder: two windows of each take."""
    rows = [(track.id, take) for track in tracks for take in TAKES for _ in range(2)]
    by_id = {track.id: track for track in tracks}
    windows = np.stack([spectrogram(by_id[id_], rng) for id_, _ in rows])
    np.save(folder / "shard-00000.npy", windows.astype(np.float16))
    index = {"tracks": [], "rows": rows, "danceability": {}, "refused": {}}
    (folder / "shard-00000.json").write_text(json.dumps(index))
    (folder / TRACKS_FILE).write_text(json.dumps([to_json(track) for track in tracks]))
    made_by = numbers() | {"signature": audio.signature().tolist()}
    (folder / FRONT_END_FILE).write_text(json.dumps(made_by))


@pytest.fixture(scope="session", autouse=True)
def small():
    """One thread, since networks are so small; sources of ten recordings are left out in turn."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "MIN_SOURCE_TRACKS", 10)
        yield


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    tracks = list(made_up_tracks(folder))
    write(folder, tracks, np.random.default_rng(0))
    for number, track in enumerate(tracks):
        if track.genre and track.source != SYNTHETIC:
            waveform = signals.groove(4, audio.SAMPLE_RATE, 90 + number, number)
            track.path.write_bytes(signals.wav(waveform, audio.SAMPLE_RATE))
    return Dataset(folder)


@pytest.fixture(scope="session")
def runs(dataset, tmp_path_factory):
    """Two trained and evaluated seeds of the fixed split and of every fold."""
    folder = tmp_path_factory.mktemp("runs")
    train(dataset, CONFIG, folder, seeds=2, everything=True, jobs=1)
    evaluate(dataset, folder)
    return folder


@pytest.fixture
def few_synthetic(monkeypatch):
    """One synthesised track of house and five tones, in place of hundreds."""
    monkeypatch.setattr(synthetic, "DANCE_TRACKS", {"house": 1})
    monkeypatch.setattr(synthetic, "SOUNDS", {"tones": 5})
    monkeypatch.setattr(synthetic, "SOUNDS_OTHERWISE", 0)


DESCRIPTION = """
[card]
name = "tiny"
version = "7"
description = "A model of made-up spectrograms."
licence = "Apache-2.0"
command = "none"
data = "Made up."
terms = "Nobody's."
split = "Made up, too."
limits = ["It knows nothing."]
"""


@pytest.fixture(scope="session")
def description(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(DESCRIPTION)
    return path


@pytest.fixture(scope="session")
def exported(dataset, runs, description, tmp_path_factory):
    """The model file of the first seed."""
    return export(dataset, runs, description, tmp_path_factory.mktemp("models"))
