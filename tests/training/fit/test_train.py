import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.conftest import CONFIG, N_FOLDS, changed
from training.data import splits
from training.data.corpus import CorpusError
from training.data.splits import Split
from training.fit import train as module
from training.fit.loop import TrainingDivergedError
from training.fit.run import STATE_FILE, STUDENT_FILE, RunMismatchError, load
from training.fit.student_file import load_student, save_student
from training.fit.train import run_trainings, train

QUICK = changed(CONFIG, head={"epochs": 2})
FIXED_ONLY = {"fixed_only": True, "jobs": 1}


@pytest.fixture(autouse=True)
def one_cache(cache, monkeypatch):
    """The features are already computed."""
    monkeypatch.setattr(module, "FeatureCache", lambda *_: cache)


def histories(run):
    return json.loads((run / "history.json").read_text())


def test_the_losses_fall(runs):
    for history in histories(runs / "fixed/seed-0").values():
        losses = [epoch["valid_loss"] for epoch in history]
        assert min(losses) < 0.8 * losses[0]


def test_every_split_has_every_seed_and_sources_have_one(runs):
    trained = {path.parent.relative_to(runs).as_posix() for path in runs.glob(f"*/*/{STATE_FILE}")}
    names = ("fixed", *(f"fold-{i}" for i in range(N_FOLDS)))
    both = {f"{name}/seed-{seed}" for name in names for seed in (0, 1)}
    assert trained == both | {"without-north/seed-0", "without-south/seed-0"}


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_is_reproducible_from_its_seed(dataset, student, tmp_path, jobs):
    train(dataset, student, QUICK, tmp_path / "one", seeds=2, **FIXED_ONLY)
    train(dataset, student, QUICK, tmp_path / "two", seeds=2, fixed_only=True, jobs=jobs)
    for seed in ("seed-0", "seed-1"):
        one, two = (histories(tmp_path / name / "fixed" / seed) for name in ("one", "two"))
        heads = {name for name in two if name.startswith("head")}
        assert len(heads) == QUICK.folds  # another process does not know the small sources
        assert {name: one[name] for name in heads} == {name: two[name] for name in heads}
    assert histories(tmp_path / "one/fixed/seed-0") != one


def test_a_complete_run_is_not_trained_again(dataset, student, tmp_path):
    state = tmp_path / "fixed/seed-0" / STATE_FILE
    train(dataset, student, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    written = state.stat().st_mtime_ns
    train(dataset, student, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    assert state.stat().st_mtime_ns == written
    train(dataset, student, changed(QUICK, balance=0.9), tmp_path, seeds=1, **FIXED_ONLY)
    assert state.stat().st_mtime_ns != written
    assert load(dataset, state.parent)[1].balance == 0.9


def test_an_interrupted_run_trains_only_the_missing_heads(dataset, student, tmp_path):
    train(dataset, student, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    run = tmp_path / "fixed/seed-0"
    before = {path.name: path.stat().st_mtime_ns for path in (run / "members").iterdir()}
    assert len(before) == QUICK.folds + 2  # two sources
    (run / STATE_FILE).unlink()
    (run / "members/head 0.pt").unlink()
    train(dataset, student, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    after = {path.name: path.stat().st_mtime_ns for path in (run / "members").iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"head 0.pt"}


def test_another_student_is_another_run(dataset, student, tmp_path):
    train(dataset, student, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    state = tmp_path / "fixed/seed-0" / STATE_FILE
    written = state.stat().st_mtime_ns
    trained = load_student(student)
    changed_student = replace(trained, kinds=dict(reversed(trained.kinds.items())))
    save_student(changed_student, tmp_path / "other.pt")
    train(dataset, tmp_path / "other.pt", QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    assert state.stat().st_mtime_ns != written
    save_student(trained, tmp_path / STUDENT_FILE)
    with pytest.raises(RunMismatchError, match="another student"):
        load(dataset, state.parent)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_training_that_diverges_is_an_error(dataset, student, tmp_path):
    diverging = changed(QUICK, head={"learning_rate": 1e30})
    with pytest.raises(TrainingDivergedError, match="lower learning_rate"):
        train(dataset, student, diverging, tmp_path, seeds=1, **FIXED_ONLY)
    assert not list(tmp_path.rglob(STATE_FILE))


def test_one_genre_is_an_error(dataset, student, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "genres", ["house"])
    with pytest.raises(CorpusError, match="fewer than two genres"):
        train(dataset, student, QUICK, tmp_path, seeds=1, **FIXED_ONLY)


def test_a_genre_that_is_only_in_test_is_an_error(dataset, student, tmp_path, monkeypatch):
    jazz = dataset.label == dataset.genres.index("jazz")
    split = Split("fixed", np.flatnonzero(~jazz), np.flatnonzero(jazz))
    monkeypatch.setattr(splits, "fixed_split", lambda _: split)
    with pytest.raises(CorpusError, match="All recordings of jazz are in the test part of fixed"):
        train(dataset, student, QUICK, tmp_path, seeds=1, **FIXED_ONLY)


def test_on_a_gpu_trainings_run_in_this_process(monkeypatch):
    """Several processes would train on the same GPU."""
    monkeypatch.setattr(module, "device", lambda: torch.device("cuda"))
    assert run_trainings(os.getpid, [()] * 3, 2, "test") == [os.getpid()] * 3
