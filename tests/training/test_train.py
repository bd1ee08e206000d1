import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from tests.training.conftest import CONFIG
from training import divisions
from training import train as training
from training.corpus import CorpusError
from training.described import Described
from training.divisions import Division
from training.networks import Member
from training.runs import STATE_FILE, TrainingDivergedError, load, shape
from training.train import SMALLEST_CLASS, _draw_shares, _origin_shares, _Targets, train

QUICK = replace(CONFIG, epochs=2)


@pytest.fixture
def described(prepared, runs):
    return Described(prepared, CONFIG.copies, runs)


@pytest.fixture
def fixed_only(runs, prepared, monkeypatch):
    """Trains the fixed split alone; descriptors are those that are there."""
    monkeypatch.setattr(training, "Described", lambda *_: Described(prepared, CONFIG.copies, runs))
    return {"everything": False, "jobs": 1}


def histories(run):
    return json.loads((run / "history.json").read_text())


def test_training_learns(runs):
    for history in histories(runs / "fixed/seed-0"):
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
    train(prepared, replace(QUICK, epochs=1), tmp_path, seeds=1, **fixed_only)
    assert state.stat().st_mtime_ns != written
    assert load(prepared, state.parent)[1].epochs == 1


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_training_that_diverges_says_so(prepared, fixed_only, tmp_path):
    with pytest.raises(TrainingDivergedError, match="lower learning_rate"):
        train(prepared, replace(QUICK, learning_rate=1e30), tmp_path, seeds=1, **fixed_only)
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


def member(prepared):
    torch.manual_seed(0)
    return Member(shape(prepared, CONFIG)).eval()


def batch(prepared, described, take="heard"):
    rows = prepared.rows(take)[:20]
    return torch.from_numpy(described.values[rows]), prepared.track_of[rows]


def test_a_label_that_is_not_there_costs_nothing(prepared, described):
    network, (inputs, tracks) = member(prepared), batch(prepared, described)
    targets = _Targets(prepared, np.arange(len(prepared.tracks)), 1.0)
    unlabelled = next(i for i, t in enumerate(prepared.tracks) if t.id == "unlabelled")
    loss = targets.loss(network, inputs, tracks)
    more = torch.cat([inputs, inputs[:1]])
    with_unlabelled = targets.loss(network, more, np.r_[tracks, unlabelled])
    torch.testing.assert_close(loss, with_unlabelled)


def test_blending_with_oneself_changes_nothing(prepared, described):
    network, (inputs, tracks) = member(prepared), batch(prepared, described)
    targets = _Targets(prepared, np.arange(len(prepared.tracks)), 1.0)
    share = torch.full((len(tracks),), 0.7)
    blended = targets.loss(network, inputs, tracks, share, tracks)
    torch.testing.assert_close(blended, targets.loss(network, inputs, tracks))


def test_an_emotion_without_labels_among_the_training_is_left_out(prepared, described):
    network, (inputs, tracks) = member(prepared), batch(prepared, described)
    made = np.flatnonzero(prepared.made)
    loss = _Targets(prepared, made, 1.0).loss(network, inputs, tracks)
    classes_alone = _Targets(prepared, np.arange(len(prepared.tracks)), 0.0)
    torch.testing.assert_close(loss, classes_alone.loss(network, inputs, tracks))


def test_rare_classes_are_drawn_more_often():
    labels = np.array([0] * 90 + [1] * 10 + [-1] * 5)
    for balance, ratio in ((0, 1), (0.5, 3), (1, 9)):
        shares = _draw_shares(labels, balance)
        assert shares.sum() == pytest.approx(1)
        assert shares[90] / shares[0] == pytest.approx(ratio)


def test_a_class_of_one_is_not_drawn_all_the_time():
    shares = _draw_shares(np.array([0] * 50 + [1]), 1.0)
    assert shares[-1] / shares[0] == pytest.approx(50 / SMALLEST_CLASS)


def test_origins_share_the_labels_of_an_emotion(prepared):
    shares = _origin_shares(prepared, np.arange(len(prepared.tracks)))
    assert shares.shape == (len(prepared.origins), len(EMOTIONS))
    assert shares.sum(0).tolist() == [0, 1, 1]
    assert shares[prepared.origins.index("votes"), EMOTIONS.index("energy")] == 0.5
