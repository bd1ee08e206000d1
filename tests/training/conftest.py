"""A prepared folder made up in seconds: spectrograms of noise with a genre written into them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from service import audio
from tests import signals
from training.corpus import EmotionLabel, Track
from training.evaluate import evaluate
from training.prepare import FRONT_END_FILE, TRACKS_FILE, numbers, to_json
from training.prepared import Prepared
from training.train import Config, train

GENRES = ("house", "jazz", "metal")
SPLITS = ("train", "train", "train", "valid", "test", "test", "test", "test")


def made_up_tracks(folder):
    """Eight tracks of each genre, on all sides, with labels of two origins."""
    for number, split in enumerate(SPLITS):
        for code, genre in enumerate(GENRES):
            name = f"{genre}-{number}"
            label = EmotionLabel((code + 0.5) / 3, ("votes", "words")[number % 2])
            track = Track(name, folder / f"{name}.wav", name, split, genre, {"energy": label})
            other = {"valence": label, "danceability": replace(label, origin="measured")}
            yield replace(track, emotion=track.emotion | other)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Two windows a track; the band that is loud tells the genre."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    tracks = list(made_up_tracks(folder))
    spectrograms = rng.uniform(-80, -60, (2 * len(tracks), audio.N_MELS, audio.N_FRAMES))
    for row in range(len(spectrograms)):
        band = 90 * GENRES.index(tracks[row // 2].genre)
        spectrograms[row, band : band + 60] += 50
    np.save(folder / "shard-00000.npy", spectrograms.astype(np.float16))
    rows = [track.id for track in tracks for _ in range(2)]
    index = {"tracks": [track.id for track in tracks], "rows": rows, "refused": {}}
    (folder / "shard-00000.json").write_text(json.dumps(index))
    (folder / TRACKS_FILE).write_text(json.dumps([to_json(track) for track in tracks]))
    made_by = numbers() | {"signature": audio.signature().tolist()}
    (folder / FRONT_END_FILE).write_text(json.dumps(made_by))
    for number, track in enumerate(tracks):
        if track.split == "test":
            waveform = signals.groove(16, 22_050, 90 + number, number)
            track.path.write_bytes(signals.wav(waveform, 22_050))
    return Prepared(folder)


@pytest.fixture(scope="session")
def runs(prepared, tmp_path_factory):
    """Two trained and evaluated seeds."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        train(prepared, Config(epochs=2, batch_size=8, seed=seed), folder / f"seed-{seed}")
    evaluate(prepared, folder)
    return folder
