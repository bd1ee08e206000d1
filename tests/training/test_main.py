"""All steps on a small folder of music: prepare, train, evaluate, export, report."""

import sys

import pytest

from service.analysis import analyze
from service.card import EMOTIONS
from service.model import Model
from tests.training.conftest import CARD_TEXT
from tools import signals
from training.__main__ import main, parser
from training.release import pictures

TEMPI = {"house": 124, "reggae": 76}
RECIPE = (
    CARD_TEXT
    + "[training]\nfolds = 2\n"
    + "[training.head]\ncopies = 1\nepochs = 2\nbatch_size = 8\n"
)


@pytest.fixture
def training(monkeypatch, capfd):
    """Runs a command in this process; returns its status and its output."""

    monkeypatch.setattr(pictures, "PATCH_BANDS", 64)  # a coarse picture is drawn quickly
    monkeypatch.setattr(pictures, "PATCH_FRAMES", 150)

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
            (album / "cover.jpg").write_bytes(b"not a recording")
    return folder


@pytest.mark.slow
def test_a_folder_of_music_becomes_a_model_that_predicts(corpus, tmp_path, training, few_synthetic):
    dataset, runs, models = tmp_path / "dataset", tmp_path / "runs", tmp_path / "models"
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE)
    for step in (
        ("prepare", corpus, dataset, "--jobs", 1),
        ("train", recipe, dataset, runs, "--seeds", 1, "--jobs", 1),
        ("evaluate", dataset, runs),
        ("export", recipe, dataset, runs, models),
        ("report", models / "tiny.onnx", dataset, runs),
    ):
        status, printed, errors = training(*step)
        assert status == 0, errors
        if step[0] == "evaluate":
            assert "| macro F1, whole recording |" in printed
        if step[0] == "export":
            assert printed == f"{models / 'tiny.onnx'}\n"  # `make train` passes it to `report`
    assert (models / "tiny.md").exists()
    model = Model(models / "tiny.onnx")
    assert model.card.genres == list(TEMPI)
    assert model.card.emotions == list(EMOTIONS)  # of the shipped student
    assert model.card.figures.folds.genre.unknown_auroc is None
    assert model.card.thresholds.known == 0  # the corpus has no other music
    answer = analyze(signals.wav(signals.groove(16, 22_050), 22_050), model)
    assert {each.genre for each in answer.genres} == set(TEMPI)
    for emotion in EMOTIONS:
        assert 0 <= answer.emotion[emotion].low <= answer.emotion[emotion].high <= 1


@pytest.mark.parametrize(
    "step",
    [
        ("prepare", "empty", "dataset"),
        ("train", "bad.toml", "dataset", "runs"),
        ("train", "missing.toml", "dataset", "runs"),
        ("evaluate", "dataset", "runs"),
        ("report", "missing.onnx", "dataset", "runs"),
    ],
)
def test_an_error_is_one_line(tmp_path, training, step):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.toml").write_text("[training]\nlayers = 3\n")
    name, *paths = step
    status, printed, errors = training(name, *(tmp_path / path for path in paths))
    assert status == 1
    assert printed == ""
    assert errors.startswith("training: ")
    assert errors.count("\n") == 1


def test_the_help_describes_every_command():
    text = parser().format_help()
    for command in ("prepare", "distill", "train", "evaluate", "export", "report", "compare"):
        assert f"\n    {command} " in text
    assert "model of the first seed" in text  # no measurement chooses it
    assert "best" not in text
