import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from service.card import Figures
from training.data.corpus import CorpusError
from training.evaluation.evaluate import (
    FIGURES_FILE,
    MEASURED_FILE,
    PERCENTILES_FILE,
    SOURCES_FILE,
    evaluate,
    stamps,
)
from training.evaluation.metrics import _mood, _spearman, calibration_error, figure_of_file
from training.fit.run import RunMismatchError


@pytest.fixture(scope="module")
def figures(runs):
    return Figures.model_validate_json((runs / FIGURES_FILE).read_text())


def test_the_calibration_error_is_that_by_hand():
    probability = np.array([0.95, 0.99, 0.55, 0.58, 1.0])
    right = np.array([True, False, True, True, True])
    top = abs(0.95 + 0.99 + 1.0 - 2)  # in the last of fifteen bins, from 14/15
    middle = abs(0.55 + 0.58 - 2)  # in the ninth, from 8/15 to 9/15
    assert calibration_error(probability, right) == pytest.approx((top + middle) / 5)


def test_who_is_right_as_often_as_said_has_no_calibration_error():
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0
    half = np.full(4, 0.5)
    assert calibration_error(half, np.array([True, False, True, False])) == pytest.approx(0)


def test_over_the_folds_every_recording_counts_once(figures):
    rows = {row.kind: row.clips for row in figures.folds.verdicts}
    assert rows == {"genres": 30, "genres, by phone": 30, "other music": 10, "no music": 20}
    assert {row.genre: row.clips for row in figures.folds.genre.per_genre} == {
        "house": 10,
        "jazz": 10,
        "metal": 10,
    }
    assert {row.artists for row in figures.folds.genre.per_genre} == {9}


def test_on_test_its_recordings_count(figures):
    assert {row.clips for row in figures.test.genre.per_genre} == {2}
    assert figures.test.emotion == []  # six labels are too few


def test_the_made_up_genres_are_recognised(figures):
    genre = figures.folds.genre
    assert genre.clip_accuracy.mean > 0.7
    assert genre.phone_accuracy.mean > 0.7
    assert genre.unknown_auroc.mean > 0.9
    assert genre.music_auroc.mean > 0.9
    assert genre.clip_accuracy.seeds == 2
    assert set(genre.accuracy_by_seconds) == {"3", "5", "10", "15"}


def test_macro_f1_is_the_mean_of_the_table(figures):
    mean = np.mean([row.f1 for row in figures.test.genre.per_genre])
    assert figures.test.genre.clip_macro_f1.value == pytest.approx(mean, abs=1e-3)


def test_percentiles_are_those_of_held_out_scores(dataset, runs):
    scores = json.loads((runs / PERCENTILES_FILE).read_text())
    assert set(scores) == {"energy", "danceability"}
    for each in scores.values():
        assert len(each) == 101
        assert each == sorted(each)
        assert 0 <= each[0] < each[-1] <= 1


def test_only_figures_on_test_are_of_the_model_in_the_file(figures):
    assert figures.folds.genre.clip_accuracy.value is None
    assert figures.test.genre.clip_accuracy.value is not None
    assert all(row.spearman.value is None for row in figures.folds.emotion)


def test_emotion_is_measured_within_each_origin(figures):
    rows = {(row.emotion, row.origin): row.clips for row in figures.folds.emotion}
    assert rows == {
        ("energy", "votes"): 15,
        ("energy", "words"): 15,
        ("danceability", "measured"): 30,
        ("energy", "spotify"): 30,
    }
    for row in figures.folds.emotion:
        assert (row.coverage is None) == (row.origin == "spotify")
        assert row.spearman.mean > 0.4


def test_moods_are_compared_with_those_of_their_labels():
    high, low, none = 0.9, 0.1, np.nan
    labels = [[high, high, none]] * 6 + [[low, low, none]] * 4 + [[none, high, none]] * 5
    said = [[high, high, low]] * 7 + [[high, low, low]] * 8
    corpus = SimpleNamespace(
        origins=["words"], origin=np.zeros((15, 3), int), emotion=np.array(labels)
    )
    clips = SimpleNamespace(track=np.arange(15), phone=np.zeros(15, bool), emotion=np.array(said))
    (row,) = _mood(corpus, [SimpleNamespace(clips=clips)], figure_of_file)
    assert (row.origin, row.clips, row.accuracy.value, row.commonest) == ("words", 10, 0.6, 0.6)
    clips.phone[:] = True
    assert list(_mood(corpus, [SimpleNamespace(clips=clips)], figure_of_file)) == []


def test_no_mood_is_measured_without_both_its_scales(figures):
    assert figures.folds.mood == []


def test_shares_of_verdicts_sum_to_one(figures):
    for row in [*figures.folds.verdicts, *figures.test.verdicts]:
        assert sum(row.verdicts.values()) == pytest.approx(1, abs=1e-3)
        assert row.confident_accuracy is None or "genres" in row.kind


def test_sources_are_compared_with_and_without(runs):
    rows = json.loads((runs / SOURCES_FILE).read_text())
    assert [(row["source"], row["clips"]) for row in rows] == [("north", 15), ("south", 15)]
    assert all(0 <= row[side] <= 1 for row in rows for side in ("with", "without"))


def test_a_figure_is_the_mean_and_spread_over_seeds():
    figure = figure_of_file([0.5, 0.7])
    assert (figure.value, figure.mean, figure.seeds) == (0.5, 0.6, 2)
    assert figure.spread == pytest.approx(np.std([0.5, 0.7], ddof=1), abs=1e-4)
    assert figure_of_file([0.5]).spread is None


def test_what_was_measured_is_stamped(runs, tmp_path):
    assert (runs / MEASURED_FILE).read_text() == stamps(runs)
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    assert len(json.loads(stamps(tmp_path))) == 2


def test_without_the_folds_those_on_test_stand_for_them(dataset, runs, tmp_path):
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    for path in runs.glob("described.*"):
        shutil.copy(path, tmp_path)
    figures = evaluate(dataset, tmp_path)
    assert figures.folds == figures.test
    assert json.loads((tmp_path / SOURCES_FILE).read_text()) == []


def test_folds_that_are_not_complete_are_refused(dataset, runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs/fold-3/seed-1")
    with pytest.raises(RunMismatchError, match="not trained to their end"):
        evaluate(dataset, tmp_path / "runs")


def test_seeds_of_different_trainings_are_refused(dataset, runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    config = tmp_path / "runs/fold-0/seed-1/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"hidden": 99}))
    with pytest.raises(RunMismatchError, match="more than their seed"):
        evaluate(dataset, tmp_path / "runs")


def test_nothing_to_measure_is_said(dataset, runs, monkeypatch):
    monkeypatch.setattr(dataset, "label", np.full_like(dataset.label, -1))
    with pytest.raises(CorpusError, match="nothing to measure"):
        evaluate(dataset, runs)


def test_an_empty_folder_has_no_runs(dataset, tmp_path):
    with pytest.raises(FileNotFoundError, match="no trained runs"):
        evaluate(dataset, tmp_path)


def test_answers_that_are_all_the_same_have_no_rank():
    labels = np.arange(10.0)
    assert _spearman(labels, np.full(10, 0.5)) == 0
    assert _spearman(labels, labels**3) == pytest.approx(1)
