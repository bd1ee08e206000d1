import gc
import json
import shutil
import weakref

import numpy as np
import pytest
import torch

from training.data import splits
from training.data.corpus import CorpusError
from training.evaluation import evaluate as module
from training.evaluation.evaluate import (
    EVALUATION_FILE,
    TOGETHER,
    accuracy_by_seconds,
    evaluate,
    read_evaluation,
    run_digests,
)
from training.fit.run import STATE_FILE, RunMismatchError, load, run_folder


@pytest.fixture(scope="module")
def evaluation(runs):
    return read_evaluation(runs)


@pytest.fixture(scope="module")
def figures(evaluation):
    return evaluation.figures


@pytest.fixture
def copied_runs(runs, tmp_path):
    return shutil.copytree(runs, tmp_path / "runs")


without_folds = shutil.ignore_patterns("fold-*", "without-*", EVALUATION_FILE)


@pytest.fixture
def fixed_only(runs, tmp_path):
    """The runs of the fixed split, their student and its features."""
    shutil.copytree(runs, tmp_path, ignore=without_folds, dirs_exist_ok=True)
    return tmp_path


def test_in_the_cross_validation_every_recording_counts_once(figures):
    rows = {row.kind: row.clips for row in figures.folds.verdicts}
    assert rows == {"genres": 30, "genres, by phone": 30, "other music": 10, "no music": 20}
    assert {row.genre: row.clips for row in figures.folds.genre.per_genre} == {
        "house": 10,
        "jazz": 10,
        "metal": 10,
    }
    assert {row.artists for row in figures.folds.genre.per_genre} == {9}


def test_test_has_the_test_recordings_only(figures):
    assert {row.clips for row in figures.test.genre.per_genre} == {2}
    assert figures.test.emotion == []  # there are too few labels


def test_the_genres_are_recognised(figures):
    genre = figures.folds.genre
    assert genre.clip_accuracy.mean > 0.7
    assert genre.phone_accuracy.mean > 0.7
    assert genre.unknown_auroc.mean > 0.9
    assert genre.music_auroc.mean > 0.9
    assert genre.clip_accuracy.seeds == 2
    assert set(genre.accuracy_by_seconds) == {"3", "15"}


def test_macro_f1_is_the_mean_of_the_table(figures):
    mean = np.mean([row.f1 for row in figures.test.genre.per_genre])
    assert figures.test.genre.clip_macro_f1.value == pytest.approx(mean, abs=1e-3)


def test_the_confusion_matrix_counts_each_recording_once(figures):
    for measured in (figures.folds, figures.test):
        counts = np.array(measured.genre.confusion)
        assert counts.sum(axis=1).tolist() == [row.clips for row in measured.genre.per_genre]
        recall = counts.diagonal() / counts.sum(axis=1)
        expected = [row.recall for row in measured.genre.per_genre]
        np.testing.assert_allclose(recall, expected, atol=1e-4)


def test_percentiles_ascend_for_each_learned_emotion(evaluation):
    assert set(evaluation.percentiles) == {"energy"}
    for scores in evaluation.percentiles.values():
        assert len(scores) == 101
        assert scores == sorted(scores)
        assert 0 <= scores[0] < scores[-1] <= 1


def test_only_figures_on_test_have_a_value_of_the_exported_model(figures):
    assert figures.folds.genre.clip_accuracy.value is None
    assert figures.test.genre.clip_accuracy.value is not None
    assert all(row.spearman.value is None for row in figures.folds.emotion)


def test_emotions_are_measured_within_each_origin(figures):
    rows = {(row.emotion, row.origin): row.clips for row in figures.folds.emotion}
    assert rows == {
        ("energy", "spotify"): 18,
        ("energy", "votes"): 15,
        ("energy", "words"): 15,
    }
    for row in figures.folds.emotion:
        assert (row.coverage is None) == (row.absolute_error is None) == (row.origin != "spotify")
        assert row.spearman.mean > 0.4


def test_moods_need_both_of_their_scales(figures):
    assert figures.folds.mood == []


def test_the_shares_of_verdicts_sum_to_one(figures):
    for row in [*figures.folds.verdicts, *figures.test.verdicts]:
        assert sum(row.verdicts.values()) == pytest.approx(1, abs=1e-3)
        assert row.confident_accuracy is None or "genres" in row.kind


def test_the_rows_of_sources_are_the_accuracy_of_their_own_recordings(dataset, runs, evaluation):
    *rows, together = evaluation.sources
    assert [(row.source, row.clips) for row in rows] == [("north", 15), ("south", 15)]
    assert (together.source, together.clips) == (TOGETHER, 30)
    of_sources = np.mean([row.left_out.accuracy for row in rows])
    assert together.left_out.accuracy == pytest.approx(of_sources, abs=1e-4)
    for row, split in zip(rows, splits.leave_one_source_out(dataset), strict=True):
        network = load(dataset, run_folder(runs, split, 0))[0]
        tracks = split.test[dataset.is_genre[split.test]]
        right = []
        for track in tracks:
            rows = dataset.rows("raw", np.array([track]))
            genres = network(torch.from_numpy(dataset.spectrograms(rows)))[0]
            right.append(int(genres.mean(0).argmax()) == dataset.label[track])
        assert row.left_out.accuracy == pytest.approx(np.mean(right), abs=1e-4)
        assert row.in_training.accuracy > 0.6
        for each in (row.left_out, row.in_training):
            assert 0 <= each.calibration_error <= 1
            assert 0 < each.calibration_by_chance < 0.5
            assert 0 <= each.coverage <= 1
            assert 0 < each.macro_f1 <= 1


def test_excerpts_load_one_network_per_split_and_keep_none(dataset, runs, monkeypatch):
    alive, most = weakref.WeakSet(), []

    def counting_load(*arguments):
        gc.collect()
        loaded = load(*arguments)
        alive.add(loaded[0])
        most.append(len(alive))
        return loaded

    monkeypatch.setattr(module, "load", counting_load)
    monkeypatch.setattr(module, "EXCERPT_SECONDS", (3,))
    folds = splits.cross_validation(dataset)
    accuracy = accuracy_by_seconds(dataset, runs, folds, 0)
    assert list(accuracy) == ["3"]
    assert most == [1] * len(folds)


def test_the_evaluation_names_the_runs_that_were_measured(runs, evaluation, tmp_path):
    assert evaluation.runs == run_digests(runs)
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    assert len(run_digests(tmp_path)) == 2


@pytest.mark.parametrize("change", ["retrained", "not evaluated"])
def test_an_evaluation_of_other_runs_is_an_error(copied_runs, change):
    if change == "retrained":
        with (copied_runs / "fold-1/seed-1" / STATE_FILE).open("ab") as state:
            state.write(b"retrained")
    else:
        (copied_runs / EVALUATION_FILE).unlink()
    with pytest.raises(RunMismatchError, match="not evaluated as they are"):
        read_evaluation(copied_runs)


def test_without_cross_validation_its_figures_are_those_on_test(dataset, fixed_only):
    evaluation = evaluate(dataset, fixed_only)
    assert evaluation.figures.folds == evaluation.figures.test
    assert evaluation.sources == []
    assert read_evaluation(fixed_only) == evaluation


def test_an_incomplete_cross_validation_is_an_error(dataset, copied_runs):
    shutil.rmtree(copied_runs / "fold-2/seed-1")
    with pytest.raises(RunMismatchError, match="incomplete"):
        evaluate(dataset, copied_runs)


def test_runs_of_different_configurations_are_an_error(dataset, copied_runs):
    path = copied_runs / "fold-0/seed-1/config.json"
    config = json.loads(path.read_text())
    config["head"]["hidden"] += 1
    path.write_text(json.dumps(config))
    with pytest.raises(RunMismatchError, match="more than their seed"):
        evaluate(dataset, copied_runs)


def test_test_recordings_without_a_genre_are_an_error(dataset, runs, monkeypatch):
    monkeypatch.setattr(dataset, "label", np.full_like(dataset.label, -1))
    with pytest.raises(CorpusError, match="nothing to measure"):
        evaluate(dataset, runs)


def test_a_folder_without_runs_is_an_error(dataset, tmp_path):
    with pytest.raises(FileNotFoundError, match="no trained runs"):
        evaluate(dataset, tmp_path)
