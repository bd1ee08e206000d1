import json

import numpy as np
import pytest
import torch

from service.card import EMOTIONS
from training.corpus import CorpusError
from training.train import (
    AnotherRunError,
    Config,
    Epoch,
    TrainingDivergedError,
    _Loss,
    _network,
    _train_tasks,
    _valid_loss,
    best_epoch,
    load,
    train,
)

CONFIG = Config(epochs=2, batch_size=8)


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "seed-0"
    return folder, train(prepared, CONFIG, folder)


def test_a_run_is_read_back_as_it_was(prepared, run):
    folder, model = run
    again, config = load(prepared, folder)
    assert config == CONFIG
    log_mel = torch.from_numpy(prepared.spectrograms(np.arange(3)))
    with torch.no_grad():
        for ours, theirs in zip(model(log_mel), again(log_mel), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_a_run_is_reproducible_from_its_seed(prepared, run, tmp_path):
    folder, _ = run
    train(prepared, CONFIG, tmp_path)
    histories = [json.loads((f / "history.json").read_text()) for f in (folder, tmp_path)]
    for tasks, history in histories[0].items():
        for ours, theirs in zip(history, histories[1][tasks], strict=True):
            assert ours == pytest.approx(theirs, rel=1e-3)


def test_training_learns(prepared):
    _, history = _train_tasks(prepared, ("genre",), Config(epochs=8, batch_size=8))
    chance = np.log(3)
    assert best_epoch(history).valid_loss < 0.75 * chance


def test_the_loss_on_validation_is_blind_to_batches(prepared):
    network = _network(prepared, EMOTIONS)
    loss = _Loss(prepared, network)
    rows = prepared.rows("test")[:7]
    network.eval()
    with torch.no_grad():
        one_by_one = [torch.stack(loss.sums(rows[i : i + 1])) for i in range(len(rows))]
    sums, counts = torch.stack(one_by_one).sum(0)
    assert _valid_loss(loss, rows) == pytest.approx(float((sums / counts).sum()), rel=1e-4)


def test_a_run_of_another_split_is_refused(prepared, run, monkeypatch):
    monkeypatch.setattr(prepared, "digest", "of another folder")
    with pytest.raises(AnotherRunError, match="another corpus or split"):
        load(prepared, run[0])


def test_labels_that_are_all_the_same_are_refused(prepared, monkeypatch):
    monkeypatch.setattr(prepared, "emotion", np.full_like(prepared.emotion, 0.5))
    with pytest.raises(CorpusError, match="same label throughout"):
        _train_tasks(prepared, ("energy",), CONFIG)


def test_an_epoch_without_a_number_is_never_the_best():
    history = [Epoch(1, 0.9, float("nan")), Epoch(2, 0.5, 0.4)]
    assert best_epoch(history).epoch == 2
    with pytest.raises(TrainingDivergedError):
        best_epoch(history[:1])


def test_the_best_epoch_is_the_first_of_the_lowest_on_validation():
    history = [Epoch(1, 0.9, 0.8), Epoch(2, 0.5, 0.4), Epoch(3, 0.1, 0.4)]
    assert best_epoch(history).epoch == 2
