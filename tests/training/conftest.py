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
from training.data.corpus import Proxy, Track, corpus_digest
from training.data.dataset import FRONT_END_FILE, TRACKS_FILE, Dataset, preparation
from training.data.synthetic import NOT_MUSIC, SYNTHETIC
from training.data.takes import TAKES
from training.data.teachers import AUDIO_FEATURE_COLUMNS, AUDIO_FEATURES, read_targets
from training.evaluation import evaluate as evaluation
from training.fit import distill as distillation
from training.fit import finish
from training.fit.config import Config, with_defaults
from training.fit.feature_cache import FeatureCache
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
    student={
        "epochs": 10,
        "batch_size": 16,
        "width": 4,
        "features": 24,
        "dropout": 0.0,
        "learning_rate": 1e-2,
        "crop_frames": 32,
    },
    head={
        "copies": 1,
        "epochs": 15,
        "batch_size": 16,
        "hidden": 32,
        "dropout": 0.2,
        "learning_rate": 1e-2,
    },
)


def example_tracks(folder):
    """Ten tracks of each genre, five of each of two kinds of other music, and synthetic ones.

    Two groups have two tracks each. There are two sources, with one group in both. Some tracks have
    a true energy; all have a proxy of it, of one of two origins.
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
                emotion={"energy": round((code + number / 10) / 3, 4)} if number % 3 else {},
                proxies={"energy": Proxy(round(code / 4, 4), ("votes", "words")[number % 2])},
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
    index = {"tracks": [], "rows": rows, "refused": {}}
    (folder / "shard-00000.json").write_text(json.dumps(index))
    recordings = [track for track in tracks if track.source != SYNTHETIC]
    content = {
        "corpus": corpus_digest(recordings),
        "reference": {},
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
def teachers(dataset, tmp_path_factory):
    """The outputs of one teacher: the place of the loud band, and seven audio-features."""
    tracks = [track for track in dataset.tracks if track.source != SYNTHETIC]
    bands = np.array([BAND.get(track.genre or track.other, 112) for track in tracks])
    features = np.tile(bands[:, None] / audio.N_MELS, (1, len(AUDIO_FEATURE_COLUMNS)))
    folder = tmp_path_factory.mktemp("teachers")
    np.savez(
        folder / "teacher.npz",
        clip_id=np.array([track.id for track in tracks]),
        start_seconds=np.zeros(len(tracks), np.float32),
        embedding=(bands[:, None] == np.unique(bands)).astype(np.float16),
        **{AUDIO_FEATURES: features.astype(np.float32)},
    )
    return folder


@pytest.fixture(scope="session")
def student(dataset, teachers, shared):
    """The file of a student of `teachers`."""
    path = shared / "student" / distillation.STUDENT_FILE
    with FileLock(shared / "student.lock"), pytest.MonkeyPatch.context() as patch:
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            patch.setattr(finish, "MIN_TRUE_VALUES", 5)
            targets = read_targets(teachers, dataset)
            distillation.distill(dataset, targets, CONFIG.student, path.parent)
    return path


@pytest.fixture(scope="session")
def runs(dataset, student, shared):
    """Two trained and evaluated seeds of the fixed split and of the cross-validation."""
    folder = shared / "runs"
    with FileLock(shared / "runs.lock"):
        if not (folder / evaluation.EVALUATION_FILE).exists():
            train(dataset, student, CONFIG, folder, seeds=2, fixed_only=False, jobs=1)
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
def cache(dataset, student, tmp_path_factory):
    """The features for `CONFIG`."""
    return FeatureCache(dataset, student, CONFIG.head.copies, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def fold(dataset):
    return next(splits.member_folds(dataset, splits.fixed_split(dataset).develop, 2, 0))


@pytest.fixture
def few_synthetic(monkeypatch):
    """One short synthetic track of house and five tones, instead of hundreds."""
    monkeypatch.setattr(synthetic, "MUSIC_SECONDS", 4.0)
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
