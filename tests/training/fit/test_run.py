import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from tests.training.conftest import CONFIG
from training.data import splits
from training.fit.config import Config, ConfigError, MlpConfig, read_config
from training.fit.run import RunMismatchError, check_alike, is_done, load, run_folder, seeds_of


@pytest.fixture
def run(dataset, runs):
    return run_folder(runs, splits.fixed(dataset), 0)


def config_file(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_what_a_configuration_leaves_out_is_as_it_is(tmp_path):
    path = config_file(tmp_path, "[training.mlp]\nepochs = 3\ndropout = 0\n[card]\nname = 'x'\n")
    assert read_config(path) == Config(mlp=MlpConfig(epochs=3, dropout=0))
    assert read_config(config_file(tmp_path, "")) == Config()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[training", "mine.toml: "),
        ("training = 3", "must be tables"),
        ("[training]\nlayers = 3", "nothing named 'layers'"),
        ("[training.mlp]\nepochs = 'many'", "epochs must be of type int"),
        ("[training.cnn]\nepochs = 1.5", "epochs must be of type int"),
        ("[training.mlp]\nepochs = true", "epochs must be of type int"),
        ("[training.mlp]\nepochs = 0", "epochs must be from 1"),
        ("[training]\nparts = 1", "parts must be from 2"),
        ("[training]\nmlp = 1", "must be tables"),
        ("[training.cnn]\nmembers = 6", "more members of cnn than parts"),
        ("[training.cnn]\ncrop_frames = 452", "crop_frames must be from 16 to 451"),
        ("[training.mlp]\ndropout = 2", "dropout must be from 0 to 1"),
        ("[training.cnn]\nlearning_rate = nan", "learning_rate must be from"),
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
        "mlp 0": CONFIG.mlp.epochs,
        "cnn 0": CONFIG.cnn.epochs,
        "mlp 1": CONFIG.mlp.epochs,
    }
    assert (run / "history.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_read_back_ready_to_answer(dataset, run):
    network, config, calibration = load(dataset, run)
    assert config == CONFIG
    assert network.temperature == calibration.temperature
    assert not network.training
    log_mel = torch.from_numpy(dataset.spectrograms(np.arange(3)))
    with torch.no_grad():
        torch.testing.assert_close(network(log_mel)[0], load(dataset, run)[0](log_mel)[0])


def test_a_run_is_done_for_its_own_configuration_and_folder(dataset, run, tmp_path, monkeypatch):
    assert is_done(dataset, run, CONFIG)
    assert not is_done(dataset, run, replace(CONFIG, balance=0.9))
    assert not is_done(dataset, tmp_path, CONFIG)
    monkeypatch.setattr(dataset, "digest", "of another folder")
    assert not is_done(dataset, run, CONFIG)


def test_a_run_of_another_corpus_is_refused(dataset, run, monkeypatch):
    monkeypatch.setattr(dataset, "digest", "of another folder")
    with pytest.raises(RunMismatchError, match="another corpus or split"):
        load(dataset, run)


def test_seeds_are_those_that_were_trained_to_the_end(dataset, runs, tmp_path):
    fixed = splits.fixed(dataset)
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
    with pytest.raises(RunMismatchError, match="more than their seed"):
        check_alike(tmp_path)
