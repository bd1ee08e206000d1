import json
from dataclasses import replace

import numpy as np
import pytest

from tests.training.conftest import CONFIG
from training.data import splits
from training.data.corpus import CorpusError
from training.data.splits import Split
from training.fit import train as training
from training.fit.descriptor_cache import DescriptorCache
from training.fit.loop import TrainingDivergedError
from training.fit.run import STATE_FILE, load
from training.fit.train import train

QUICK = replace(CONFIG, mlp=replace(CONFIG.mlp, epochs=2))


@pytest.fixture
def described(dataset, runs):
    return DescriptorCache(dataset, CONFIG.mlp.copies, runs)


@pytest.fixture
def fixed_only(runs, dataset, monkeypatch):
    """Trains the fixed split alone; descriptors are those that are there."""
    monkeypatch.setattr(
        training, "DescriptorCache", lambda *_: DescriptorCache(dataset, CONFIG.mlp.copies, runs)
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


def test_a_run_is_reproducible_from_its_seed(dataset, fixed_only, tmp_path):
    for name in ("one", "two"):
        train(dataset, QUICK, tmp_path / name, seeds=2, **fixed_only)
    for seed in ("seed-0", "seed-1"):
        one, two = (histories(tmp_path / name / "fixed" / seed) for name in ("one", "two"))
        assert one == two
    assert histories(tmp_path / "one/fixed/seed-0") != one


def test_processes_train_the_same(dataset, fixed_only, tmp_path):
    train(dataset, QUICK, tmp_path / "one", seeds=1, **fixed_only)
    train(dataset, QUICK, tmp_path / "two", seeds=1, **fixed_only | {"jobs": 2})
    one, two = (histories(tmp_path / name / "fixed/seed-0") for name in ("one", "two"))
    assert one == two


def test_a_run_that_is_there_is_not_trained_again(dataset, fixed_only, tmp_path):
    state = tmp_path / "fixed/seed-0" / STATE_FILE
    train(dataset, QUICK, tmp_path, seeds=1, **fixed_only)
    written = state.stat().st_mtime_ns
    train(dataset, QUICK, tmp_path, seeds=1, **fixed_only)
    assert state.stat().st_mtime_ns == written
    train(dataset, replace(QUICK, balance=0.9), tmp_path, seeds=1, **fixed_only)
    assert state.stat().st_mtime_ns != written
    assert load(dataset, state.parent)[1].balance == 0.9


def test_another_member_leaves_those_that_are_there(dataset, fixed_only, tmp_path):
    train(dataset, QUICK, tmp_path, seeds=1, **fixed_only)
    members = tmp_path / "fixed/seed-0/members"
    before = {path.name: path.stat().st_mtime_ns for path in members.iterdir()}
    more = replace(QUICK, cnn=replace(QUICK.cnn, members=2))
    train(dataset, more, tmp_path, seeds=1, **fixed_only)
    after = {path.name: path.stat().st_mtime_ns for path in members.iterdir()}
    assert after.items() >= before.items()
    assert after.keys() - before.keys() == {"cnn-1.pt"}
    assert len(load(dataset, members.parent)[0].cnns) == 2


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_training_that_diverges_says_so(dataset, fixed_only, tmp_path):
    diverging = replace(QUICK, mlp=replace(QUICK.mlp, learning_rate=1e30))
    with pytest.raises(TrainingDivergedError, match="lower learning_rate"):
        train(dataset, diverging, tmp_path, seeds=1, **fixed_only)
    assert not list(tmp_path.rglob(STATE_FILE))


def test_one_genre_is_refused(dataset, fixed_only, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "genres", ["house"])
    with pytest.raises(CorpusError, match="not two genres"):
        train(dataset, QUICK, tmp_path, seeds=1, **fixed_only)


def test_a_genre_that_is_only_in_test_is_refused(dataset, fixed_only, tmp_path, monkeypatch):
    jazz = dataset.label == dataset.genres.index("jazz")
    alone = Split("fixed", np.flatnonzero(~jazz), np.flatnonzero(jazz))
    monkeypatch.setattr(splits, "fixed", lambda _: alone)
    with pytest.raises(CorpusError, match="All of jazz is in the test part of fixed"):
        train(dataset, QUICK, tmp_path, seeds=1, **fixed_only)
