"""A dataset without audio: spectrograms of noise, in which a loud band identifies the genre."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from service import audio
from tools import signals
from training.data import splits, synthetic
from training.data.corpus import EmotionLabel, Track, corpus_digest
from training.data.dataset import FRONT_END_FILE, TRACKS_FILE, Dataset, preparation
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.data.takes import TAKES
from training.evaluation import evaluate as evaluation
from training.fit.config import Config, with_defaults
from training.fit.descriptor_cache import DescriptorCache
from training.fit.run import load, run_folder
from training.fit.train import train
from training.release.export import export

GENRES = ("house", "jazz", "metal")
SUBSETS = ("train",) * 6 + ("valid", "valid", "test", "test")
BAND = {"house": 0, "jazz": 16, "metal": 32, "folk": 48, "polka": 64, NOT_MUSIC: 96}
BAND_WIDTH = 16  # mel bands
N_FOLDS = 3


def changed(config, **changes):
    """A copy of a configuration; a nested table is changed, not replaced."""
    nested = {
        name: getattr(config, name).model_copy(update=value)
        for name, value in changes.items()
        if isinstance(value, dict)
    }
    return config.model_copy(update=changes | nested)


CONFIG = changed(
    Config.model_validate(with_defaults({})),
    folds=2,
    mlp={
        "copies": 1,
        "epochs": 20,
        "batch_size": 16,
        "hidden": 32,
        "dropout": 0.2,
        "learning_rate": 1e-2,
    },
    cnn={
        "epochs": 2,
        "steps": 12,
        "batch_size": 8,
        "width": 2,
        "dropout": 0.0,
        "learning_rate": 2e-2,
        "crop_frames": 32,
    },
)


def label(value, origin):
    return EmotionLabel(round(float(value), 4), origin)


def example_tracks(folder):
    """Ten tracks of each genre, five of each of two kinds of other music, and synthetic ones.

    Two groups have two tracks each. There are two sources, with one group in both. Emotion labels
    have two origins, beside measured danceability.
    """
    for number, subset in enumerate(SUBSETS):
        for code, genre in enumerate(GENRES):
            name, group = f"{genre}-{number}", f"{genre}-{4 if number == 5 else number}"
            yield Track(
                name,
                folder / f"{name}.wav",
                group,
                subset,
                genre,
                source=("north", "south")[number % 2],
                emotion={
                    "energy": label((code + number / 10) / 3, ("votes", "words")[number % 2]),
                    "danceability": label(code / 3 + number / 40, "measured"),
                },
                reference={"energy": code / 3},
            )
    for kind in ("folk", "polka"):
        for number in range(5):
            name = f"{kind}-{number}"
            path = folder / f"{name}.wav"
            yield Track(name, path, name, SUBSETS[2 * number], other=kind, source="north")
    yield Track("unlabelled", folder / "unlabelled.wav", "unlabelled", "train")
    for number, subset in enumerate(SUBSETS):
        name = f"{SYNTHETIC}/tones/{number}"
        yield Track(name, Path(name), name, subset, other=NOT_MUSIC, source=SYNTHETIC)
    for number in range(4):
        name = f"{SYNTHETIC}/house/{number}"
        yield Track(name, Path(name), name, "train", "house", source=SYNTHETIC)


def spectrogram(track, rng):
    """Noise with a loud band that identifies the class."""
    levels = rng.uniform(-80, -60, (audio.N_MELS, audio.N_FRAMES))
    band = BAND.get(track.genre or track.other, 112)
    levels[band : band + BAND_WIDTH] += 50
    return levels - levels.max()


def write_dataset(folder, tracks, rng):
    """Write a dataset folder with two windows of each take."""
    rows = [(track.id, take) for track in tracks for take in TAKES for _ in range(2)]
    by_id = {track.id: track for track in tracks}
    windows = np.stack([spectrogram(by_id[id_], rng) for id_, _ in rows])
    np.save(folder / "shard-00000.npy", windows.astype(np.float16))
    index = {"tracks": [], "rows": rows, "danceability": {}, "refused": {}}
    (folder / "shard-00000.json").write_text(json.dumps(index))
    recordings = [track for track in tracks if track.source != SYNTHETIC]
    content = {
        "corpus": corpus_digest(recordings),
        "tracks": [track.to_dict() for track in tracks],
    }
    (folder / TRACKS_FILE).write_text(json.dumps(content))
    identity = preparation() | {"signature": audio.signature().tolist()}
    (folder / FRONT_END_FILE).write_text(json.dumps(identity))


@pytest.fixture(scope="session", autouse=True)
def small():
    """One thread, three folds, and sources of ten tracks, since networks and data are small."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "FOLDS", N_FOLDS)
        patch.setattr(splits, "MIN_SOURCE_TRACKS", 10)
        patch.setattr(evaluation, "EXCERPT_SECONDS", (3, 15))
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """A folder of all test processes of this session, for results that take long."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    tracks = list(example_tracks(folder))
    write_dataset(folder, tracks, np.random.default_rng(0))
    for number, track in enumerate(tracks):
        if track.genre and track.source != SYNTHETIC:
            waveform = signals.groove(4, audio.SAMPLE_RATE, 90 + number, number)
            track.path.write_bytes(signals.wav(waveform, audio.SAMPLE_RATE))
    return Dataset(folder)


@pytest.fixture(scope="session")
def runs(dataset, shared):
    """Two trained and evaluated seeds of the fixed split and of the cross-validation."""
    folder = shared / "runs"
    with FileLock(shared / "runs.lock"):
        if not (folder / evaluation.EVALUATION_FILE).exists():
            train(dataset, CONFIG, folder, seeds=2, fixed_only=False, jobs=1)
            evaluation.evaluate(dataset, folder)
    return folder


@pytest.fixture(scope="session")
def fixed_run(dataset, runs):
    """The run of the fixed split and the first seed."""
    return run_folder(runs, splits.fixed_split(dataset), 0)


@pytest.fixture
def network(dataset, fixed_run):
    return load(dataset, fixed_run)[0]


@pytest.fixture(scope="session")
def cache(dataset, tmp_path_factory):
    """The descriptors for `CONFIG`."""
    return DescriptorCache(dataset, CONFIG.mlp.copies, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def fold(dataset):
    return next(splits.member_folds(dataset, splits.fixed_split(dataset).develop, 2, 0))


@pytest.fixture
def few_synthetic(monkeypatch):
    """One short synthetic track of house and five tones, instead of hundreds."""
    monkeypatch.setattr(synthetic, "MUSIC_SECONDS", 4.0)
    monkeypatch.setattr(synthetic, "SOUND_SECONDS", 4.0)
    monkeypatch.setattr(synthetic, "DANCE_TRACKS", {"house": 1})
    monkeypatch.setattr(synthetic, "SOUND_TRACKS", {"tones": 5})
    monkeypatch.setattr(synthetic, "TRACKS_PER_KIND", 0)


CARD_TEXT = """
[card]
name = "tiny"
version = "7"
description = "A model of synthetic spectrograms."
licence = "Apache-2.0"
command = "none"
data = "Synthetic."
terms = "None."
split = "By group."
limits = ["It is a test."]
"""


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(CARD_TEXT)
    return path


@pytest.fixture(scope="session")
def exported(dataset, runs, recipe, shared):
    """The model file of the first seed."""
    path = shared / "models/tiny.onnx"
    with FileLock(shared / "export.lock"):
        return path if path.exists() else export(dataset, runs, recipe, path.parent)
