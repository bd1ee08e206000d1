"""The whole path on a folder of one's own music: prepare, train, evaluate, export, answer."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.analysis import analyse
from service.model import Model
from tests import signals
from tests.training.test_export import DESCRIPTION

ROOT = Path(__file__).parents[2]
TEMPI = {"house": 124, "reggae": 76}


def training(*arguments):
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    for genre, bpm in TEMPI.items():
        for number in range(5):
            album = folder / genre / f"{genre} artist {number} - Album"
            album.mkdir(parents=True)
            for track in range(2):
                waveform = signals.groove(16, 22_050, bpm + number, 2 * number + track)
                (album / f"{track}.wav").write_bytes(signals.wav(waveform, 22_050))
    return folder


def test_a_folder_of_music_becomes_a_model_that_answers(corpus, tmp_path):
    prepared, runs, models = tmp_path / "prepared", tmp_path / "runs", tmp_path / "models"
    description = tmp_path / "tiny.toml"
    description.write_text(DESCRIPTION)
    train = ("train", prepared, runs, "--seeds", 1, "--epochs", 2, "--batch-size", 4)
    for step in (
        ("prepare", corpus, prepared, "--jobs", 2),
        train,
        ("evaluate", prepared, runs),
        ("export", prepared, runs, description, models),
    ):
        done = training(*step)
        assert done.returncode == 0, done.stderr
    assert "loaded and verified by the service" in done.stdout
    model = Model(models / "tiny.onnx")
    assert model.card.genres == list(TEMPI)
    assert model.card.emotions == []
    answer = analyse(signals.wav(signals.groove(16, 22_050), 22_050), model)
    assert {each.genre for each in answer.genres} == set(TEMPI)
    assert (answer.valence, answer.energy, answer.danceability) == (None, None, None)


def test_what_is_wrong_is_said_in_one_line(tmp_path):
    done = training("prepare", tmp_path, tmp_path / "prepared")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("training: ")
    assert "Traceback" not in done.stderr
