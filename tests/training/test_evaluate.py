import json
import shutil

import numpy as np
import pytest

from service.card import Figures
from training.corpus import CorpusError
from training.evaluate import _spearman, evaluate, run_folders, shipped_run
from training.train import AnotherRunError, Config, train


def test_figures_are_those_of_the_shipped_run_with_the_spread_of_all(prepared, runs):
    figures = Figures.model_validate_json((runs / "figures-test.json").read_text())
    assert figures.genre.clip_accuracy.seeds == 2
    assert {row.genre for row in figures.genre.per_genre} == set(prepared.genres)
    assert sum(row.clips for row in figures.genre.per_genre) == 12
    assert set(figures.genre.accuracy_by_seconds) == {"3", "5", "10", "15"}


def test_macro_f1_is_the_mean_of_the_table(runs):
    genre = Figures.model_validate_json((runs / "figures-test.json").read_text()).genre
    mean = np.mean([row.f1 for row in genre.per_genre])
    assert genre.clip_macro_f1.value == pytest.approx(mean, abs=1e-3)


def test_an_origin_with_few_clips_has_no_figures(runs):
    figures = Figures.model_validate_json((runs / "figures-test.json").read_text())
    assert [(row.emotion, row.origin, row.clips) for row in figures.emotion] == [
        ("danceability", "measured", 12)
    ]


def test_the_confusion_matrix_is_drawn(runs):
    assert (runs / "confusion-test.png").read_bytes().startswith(b"\x89PNG")


def test_the_lowest_loss_on_validation_ships(prepared, tmp_path):
    train(prepared, Config(epochs=1, batch_size=8, sharing="all"), tmp_path / "untrained")
    train(prepared, Config(epochs=12, batch_size=8, sharing="all"), tmp_path / "trained")
    assert shipped_run(tmp_path).name == "trained"


def test_seeds_of_different_trainings_are_refused(prepared, runs, tmp_path):
    shutil.copytree(runs / "seed-0", tmp_path / "seed-0")
    shutil.copytree(runs / "seed-1", tmp_path / "seed-1")
    config = json.loads((tmp_path / "seed-1/config.json").read_text())
    (tmp_path / "seed-1/config.json").write_text(json.dumps(config | {"epochs": 99}))
    with pytest.raises(AnotherRunError, match="more than their seed"):
        evaluate(prepared, tmp_path)


def test_nothing_to_measure_is_said(prepared, runs, monkeypatch):
    monkeypatch.setattr(prepared, "genre", np.full_like(prepared.genre, -1))
    with pytest.raises(CorpusError, match="nothing to measure"):
        evaluate(prepared, runs)


def test_answers_that_are_all_the_same_have_no_rank():
    labels = np.arange(10.0)
    assert _spearman(labels, np.full(10, 0.5)) == 0
    assert _spearman(labels, labels**3) == pytest.approx(1)


def test_an_empty_folder_has_no_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="no trained runs"):
        run_folders(tmp_path)
