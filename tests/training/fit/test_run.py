import json
import shutil

import numpy as np
import pytest
import torch

from tests.training.conftest import CONFIG, changed
from training.data import splits
from training.fit.run import (
    RunMismatchError,
    check_same_config,
    is_complete,
    load,
    trained_seeds,
)


def test_a_run_contains_its_configuration_and_histories(fixed_run):
    assert json.loads((fixed_run / "config.json").read_text()) == CONFIG.model_dump()
    histories = json.loads((fixed_run / "history.json").read_text())
    names = ("head 0", "head 1", "without north", "without south")
    lengths = {name: len(history) for name, history in histories.items()}
    assert lengths == dict.fromkeys(names, CONFIG.head.epochs)
    assert (fixed_run / "history.png").read_bytes().startswith(b"\x89PNG")


def test_a_loaded_run_can_predict(dataset, fixed_run):
    network, config, calibration = load(dataset, fixed_run)
    assert config == CONFIG
    assert network.temperature == calibration.temperature
    assert not network.training
    log_mel = torch.from_numpy(dataset.spectrograms(np.arange(3)))
    with torch.no_grad():
        again = load(dataset, fixed_run)[0](log_mel)[0]
        torch.testing.assert_close(network(log_mel)[0], again)


def test_a_run_is_complete_for_its_own_configuration_and_dataset(
    dataset, fixed_run, tmp_path, monkeypatch
):
    assert is_complete(dataset, fixed_run, CONFIG)
    assert not is_complete(dataset, fixed_run, changed(CONFIG, balance=0.9))
    assert not is_complete(dataset, tmp_path, CONFIG)
    monkeypatch.setattr(dataset, "digest", "another")
    assert not is_complete(dataset, fixed_run, CONFIG)


def test_a_run_of_another_dataset_is_an_error(dataset, fixed_run, monkeypatch):
    monkeypatch.setattr(dataset, "digest", "another")
    with pytest.raises(RunMismatchError, match="another corpus or split"):
        load(dataset, fixed_run)


def test_only_complete_runs_count_as_trained(dataset, runs, tmp_path):
    fixed = splits.fixed_split(dataset)
    assert trained_seeds(runs, fixed) == [0, 1]
    assert trained_seeds(tmp_path, fixed) == []
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    (tmp_path / "fixed/seed-0/state.pt").unlink()
    assert trained_seeds(tmp_path, fixed) == [1]


def test_runs_of_different_configurations_are_an_error(runs, tmp_path):
    check_same_config(runs)
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    config = tmp_path / "fixed/seed-1/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"balance": 0.9}))
    with pytest.raises(RunMismatchError, match="more than their seed"):
        check_same_config(tmp_path)
