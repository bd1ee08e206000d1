import json
from dataclasses import replace

import numpy as np
import pytest

from tests.training.conftest import CONFIG
from training import divisions
from training import train as training
from training.corpus import CorpusError
from training.described import Described
from training.divisions import Division
from training.fitting import TrainingDivergedError
from training.runs import STATE_FILE, load
from training.train import train

QUICK = replace(CONFIG, perceptron=replace(CONFIG.perceptron, epochs=2))


@pytest.fixture
def described(prepared, runs):
    return Described(prepared, CONFIG.perceptron.copies, runs)


@pytest.fixture
def fixed_only(runs, prepared, monkeypatch):
    """Trains the fixed split alone; descriptors are those that are there."""
    monkeypatch.setattr(
        training, "Described", lambda *_: Described(prepared, CONFIG.perceptron.copies, runs)
    )
    return {"everything": False, "jobs": 1}


def histories(run):
    return json.loads((run / "history.json").read_text())


def test_training_learns(runs):
    for history in histories(runs / "fixed/seed-0").values():
        losses = [epoch["valid_loss"] for epoch in history]
        assert min(losses) < 0.6 * losses[0]


def test_everything_is_trained_from_every_seed_and_sources_from_one(runs):
    trained = {path.parent.relative_to(runs).as_posix() for path in runs.glob(f"*/*/{STATE_FILE}")}
    both = {
        f"{name}/seed-{i}" for name in ("fixed", *(f"fold-{i}" for i in range(5))) for i in (0, 1)
    }
    assert trained == both | {"without-north/seed-0", "without-south/seed-0"}


def test_a_run_is_reproducible_from_its_seed(prepared, fixed_only, tmp_path):
    for name in ("one", "two"):
        train(prepared, QUICK, tmp_path / name, seeds=2, **fixed_only)
    for seed in ("seed-0", "seed-1"):
        one, two = (histories(tmp_path / name / "fixed" / seed) for name in ("one", "two"))
        assert one == two
    assert histories(tmp_path / "one/fixed/seed-0") != one


def test_processes_train_the_same(prepared, fixed_only, tmp_path):
    train(prepared, QUICK, tmp_path / "one", seeds=1, **fixed_only)
    train(prepared, QUICK, tmp_path / "two", seeds=1, **fixed_only | {"jobs": 2})
    one, two = (histories(tmp_path / name / "fixed/seed-0") for name in ("one", "two"))
    assert one == two


def test_a_run_that_is_there_is_not_trained_again(prepared, fixed_only, tmp_path):
    state = tmp_path / "fixed/seed-0" / STATE_FILE
    train(prepared, QUICK, tmp_path, seeds=1, **fixed_only)
    written = state.stat().st_mtime_ns
    train(prepared, QUICK, tmp_path, seeds=1, **fixed_only)
    assert state.stat().st_mtime_ns == written
    train(prepared, replace(QUICK, balance=0.9), tmp_path, seeds=1, **fixed_only)
    assert state.stat().st_mtime_ns != written
    assert load(prepared, state.parent)[1].balance == 0.9


def test_another_member_leaves_those_that_are_there(prepared, fixed_only, tmp_path):
    train(prepared, QUICK, tmp_path, seeds=1, **fixed_only)
    members = tmp_path / "fixed/seed-0/members"
    before = {path.name: path.stat().st_mtime_ns for path in members.iterdir()}
    more = replace(QUICK, convolutional=replace(QUICK.convolutional, members=2))
    train(prepared, more, tmp_path, seeds=1, **fixed_only)
    after = {path.name: path.stat().st_mtime_ns for path in members.iterdir()}
    assert after.items() >= before.items()
    assert after.keys() - before.keys() == {"convolutional-1.pt"}
    assert len(load(prepared, members.parent)[0].convolutionals) == 2


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_training_that_diverges_says_so(prepared, fixed_only, tmp_path):
    diverging = replace(QUICK, perceptron=replace(QUICK.perceptron, learning_rate=1e30))
    with pytest.raises(TrainingDivergedError, match="lower learning_rate"):
        train(prepared, diverging, tmp_path, seeds=1, **fixed_only)
    assert not list(tmp_path.rglob(STATE_FILE))


def test_one_genre_is_refused(prepared, fixed_only, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "genres", ["house"])
    with pytest.raises(CorpusError, match="not two genres"):
        train(prepared, QUICK, tmp_path, seeds=1, **fixed_only)


def test_a_genre_that_is_only_in_test_is_refused(prepared, fixed_only, tmp_path, monkeypatch):
    jazz = prepared.label == prepared.genres.index("jazz")
    alone = Division("fixed", np.flatnonzero(~jazz), np.flatnonzero(jazz))
    monkeypatch.setattr(divisions, "fixed", lambda _: alone)
    with pytest.raises(CorpusError, match="All of jazz is in the test part of fixed"):
        train(prepared, QUICK, tmp_path, seeds=1, **fixed_only)
