"""The whole path on a folder of one's own music: prepare, train, evaluate, export, report."""

import sys

import pytest

from service.analysis import analyze
from service.model import Model
from tests.training.conftest import DESCRIPTION
from tools import signals
from training.__main__ import main

TEMPI = {"house": 124, "reggae": 76}
CONFIG = (
    DESCRIPTION
    + "[training]\nparts = 2\n"
    + "[training.mlp]\ncopies = 1\nepochs = 2\nbatch_size = 8\n"
    + "[training.cnn]\nepochs = 1\nsteps = 2\nbatch_size = 8\nwidth = 2\n"
)


@pytest.fixture
def training(monkeypatch, capfd):
    """Runs a command in this process; returns its status and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
        capfd.readouterr()
        return main(), *capfd.readouterr()

    return run


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "music"
    for genre, bpm in TEMPI.items():
        for number in range(5):
            album = folder / genre / f"{genre} artist {number} - Album"
            album.mkdir(parents=True)
            waveform = signals.groove(5, 22_050, bpm + number, number)
            (album / "track.wav").write_bytes(signals.wav(waveform, 22_050))
    return folder


def test_a_folder_of_music_becomes_a_model_that_answers(corpus, tmp_path, training, few_synthetic):
    dataset, runs, models = tmp_path / "prepared", tmp_path / "runs", tmp_path / "models"
    config = tmp_path / "mine.toml"
    config.write_text(CONFIG)
    for step in (
        ("prepare", corpus, dataset, "--jobs", 1),
        ("train", config, dataset, runs, "--seeds", 1, "--jobs", 1),
        ("evaluate", dataset, runs),
        ("export", config, dataset, runs, models),
        ("report", models / "tiny.onnx", dataset, runs),
    ):
        status, printed, errors = training(*step)
        assert status == 0, errors
        if step[0] == "evaluate":
            assert "| macro F1, whole recording |" in printed
        if step[0] == "export":
            assert printed == f"{models / 'tiny.onnx'}\n"  # `make train` hands it to the next
    assert (models / "tiny.md").exists()
    model = Model(models / "tiny.onnx")
    assert model.card.genres == list(TEMPI)
    assert model.card.emotions == ["danceability"]
    assert model.card.figures.folds.genre.unknown_auroc is None
    assert model.card.thresholds.known == 0  # there is no other music to tell apart
    probabilities = analyze(signals.wav(signals.groove(16, 22_050), 22_050), model)
    assert {each.genre for each in probabilities.genres} == set(TEMPI)
    assert probabilities.danceability is not None
    assert (probabilities.valence, probabilities.energy) == (None, None)


@pytest.mark.parametrize(
    "step",
    [
        ("prepare", "empty", "prepared"),
        ("train", "bad.toml", "prepared", "runs"),
        ("train", "missing.toml", "prepared", "runs"),
        ("evaluate", "prepared", "runs"),
        ("report", "missing.onnx", "prepared", "runs"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, training, step):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.toml").write_text("[training]\nlayers = 3\n")
    name, *paths = step
    status, printed, errors = training(name, *(tmp_path / path for path in paths))
    assert status == 1
    assert printed == ""
    assert errors.startswith("training: ")
    assert errors.count("\n") == 1
