import json
import os

import numpy as np
import pytest
import torch

from tests.training.conftest import CONFIG, N_FOLDS, changed
from training.data import splits
from training.data.corpus import CorpusError
from training.data.splits import Split
from training.fit import train as module
from training.fit.loop import TrainingDivergedError
from training.fit.run import STATE_FILE, load
from training.fit.train import run_trainings, train

QUICK = changed(CONFIG, mlp={"epochs": 2}, cnn={"epochs": 1, "steps": 2})
FIXED_ONLY = {"fixed_only": True, "jobs": 1}


@pytest.fixture(autouse=True)
def one_cache(cache, monkeypatch):
    """The descriptors are already computed."""
    monkeypatch.setattr(module, "DescriptorCache", lambda *_: cache)


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
def test_a_run_is_reproducible_from_its_seed(dataset, tmp_path, jobs):
    train(dataset, QUICK, tmp_path / "one", seeds=2, **FIXED_ONLY)
    train(dataset, QUICK, tmp_path / "two", seeds=2, fixed_only=True, jobs=jobs)
    for seed in ("seed-0", "seed-1"):
        one, two = (histories(tmp_path / name / "fixed" / seed) for name in ("one", "two"))
        assert one == two
    assert histories(tmp_path / "one/fixed/seed-0") != one


def test_a_complete_run_is_not_trained_again(dataset, tmp_path):
    state = tmp_path / "fixed/seed-0" / STATE_FILE
    train(dataset, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    written = state.stat().st_mtime_ns
    train(dataset, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    assert state.stat().st_mtime_ns == written
    train(dataset, changed(QUICK, balance=0.9), tmp_path, seeds=1, **FIXED_ONLY)
    assert state.stat().st_mtime_ns != written
    assert load(dataset, state.parent)[1].balance == 0.9


def test_another_member_does_not_change_the_present_ones(dataset, tmp_path):
    train(dataset, QUICK, tmp_path, seeds=1, **FIXED_ONLY)
    members = tmp_path / "fixed/seed-0/members"
    before = {path.name: path.stat().st_mtime_ns for path in members.iterdir()}
    train(dataset, changed(QUICK, cnn={"members": 2}), tmp_path, seeds=1, **FIXED_ONLY)
    after = {path.name: path.stat().st_mtime_ns for path in members.iterdir()}
    assert after.items() >= before.items()
    assert after.keys() - before.keys() == {"cnn-1.pt"}
    assert len(load(dataset, members.parent)[0].cnns) == 2


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_training_that_diverges_is_an_error(dataset, tmp_path):
    diverging = changed(QUICK, mlp={"learning_rate": 1e30})
    with pytest.raises(TrainingDivergedError, match="lower learning_rate"):
        train(dataset, diverging, tmp_path, seeds=1, **FIXED_ONLY)
    assert not list(tmp_path.rglob(STATE_FILE))


def test_one_genre_is_an_error(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "genres", ["house"])
    with pytest.raises(CorpusError, match="fewer than two genres"):
        train(dataset, QUICK, tmp_path, seeds=1, **FIXED_ONLY)


def test_a_genre_that_is_only_in_test_is_an_error(dataset, tmp_path, monkeypatch):
    jazz = dataset.label == dataset.genres.index("jazz")
    split = Split("fixed", np.flatnonzero(~jazz), np.flatnonzero(jazz))
    monkeypatch.setattr(splits, "fixed_split", lambda _: split)
    with pytest.raises(CorpusError, match="All recordings of jazz are in the test part of fixed"):
        train(dataset, QUICK, tmp_path, seeds=1, **FIXED_ONLY)


def test_on_a_gpu_trainings_run_in_this_process(monkeypatch):
    """Several processes would train on the same GPU."""
    monkeypatch.setattr(module, "device", lambda: torch.device("cuda"))
    assert run_trainings(os.getpid, [()] * 3, 2, "test") == [os.getpid()] * 3
