import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from tests.training.conftest import CONFIG
from training import divisions
from training.runs import (
    AnotherRunError,
    Config,
    ConfigError,
    PerceptronConfig,
    check_alike,
    is_done,
    load,
    read_config,
    run_folder,
    seeds_of,
)


@pytest.fixture
def run(prepared, runs):
    return run_folder(runs, divisions.fixed(prepared), 0)


def config_file(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_what_a_configuration_leaves_out_is_as_it_is(tmp_path):
    path = config_file(
        tmp_path, "[training.perceptron]\nepochs = 3\ndropout = 0\n[card]\nname = 'x'\n"
    )
    assert read_config(path) == Config(perceptron=PerceptronConfig(epochs=3, dropout=0))
    assert read_config(config_file(tmp_path, "")) == Config()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[training", "mine.toml: "),
        ("training = 3", "must be tables"),
        ("[training]\nlayers = 3", "nothing named 'layers'"),
        ("[training.perceptron]\nepochs = 'many'", "epochs must be of type int"),
        ("[training.convolutional]\nepochs = 1.5", "epochs must be of type int"),
        ("[training.perceptron]\nepochs = true", "epochs must be of type int"),
        ("[training.perceptron]\nepochs = 0", "epochs must be from 1"),
        ("[training]\nparts = 1", "parts must be from 2"),
        ("[training]\nperceptron = 1", "must be tables"),
        ("[training.convolutional]\nmembers = 6", "more members of convolutional than parts"),
        ("[training.convolutional]\ncrop_frames = 452", "crop_frames must be from 16 to 451"),
        ("[training.perceptron]\ndropout = 2", "dropout must be from 0 to 1"),
        ("[training.convolutional]\nlearning_rate = nan", "learning_rate must be from"),
        ("[training]\nmixup_alpha = 0", "mixup_alpha must be from"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told_why(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        read_config(config_file(tmp_path, text))
    assert str(caught.value).endswith(".")


def test_the_shipped_configuration_can_be_read(request):
    assert read_config(request.config.rootpath / "training" / "fifteen.toml").seed == 0


def test_a_run_holds_what_it_is_reproducible_from(run):
    assert json.loads((run / "config.json").read_text()) == asdict(CONFIG)
    histories = json.loads((run / "history.json").read_text())
    assert {name: len(history) for name, history in histories.items()} == {
        "perceptron 0": CONFIG.perceptron.epochs,
        "convolutional 0": CONFIG.convolutional.epochs,
        "perceptron 1": CONFIG.perceptron.epochs,
    }
    assert (run / "history.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_read_back_ready_to_answer(prepared, run):
    network, config, calibration = load(prepared, run)
    assert config == CONFIG
    assert network.temperature == calibration.temperature
    assert not network.training
    log_mel = torch.from_numpy(prepared.spectrograms(np.arange(3)))
    with torch.no_grad():
        torch.testing.assert_close(network(log_mel)[0], load(prepared, run)[0](log_mel)[0])


def test_a_run_is_done_for_its_own_configuration_and_folder(prepared, run, tmp_path, monkeypatch):
    assert is_done(prepared, run, CONFIG)
    assert not is_done(prepared, run, replace(CONFIG, balance=0.9))
    assert not is_done(prepared, tmp_path, CONFIG)
    monkeypatch.setattr(prepared, "digest", "of another folder")
    assert not is_done(prepared, run, CONFIG)


def test_a_run_of_another_corpus_is_refused(prepared, run, monkeypatch):
    monkeypatch.setattr(prepared, "digest", "of another folder")
    with pytest.raises(AnotherRunError, match="another corpus or split"):
        load(prepared, run)


def test_seeds_are_those_that_were_trained_to_the_end(prepared, runs, tmp_path):
    fixed = divisions.fixed(prepared)
    assert seeds_of(runs, fixed) == [0, 1]
    assert seeds_of(tmp_path, fixed) == []
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    (tmp_path / "fixed/seed-0/state.pt").unlink()
    assert seeds_of(tmp_path, fixed) == [1]


def test_runs_of_different_trainings_are_refused(runs, tmp_path):
    check_alike(runs)
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    config = tmp_path / "fixed/seed-1/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"balance": 0.9}))
    with pytest.raises(AnotherRunError, match="more than their seed"):
        check_alike(tmp_path)
