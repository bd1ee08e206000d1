import shutil

import numpy as np
import onnx
import pytest
import torch

from service import audio
from service.model import Model
from tools import signals
from training.data import splits
from training.fit.run import STATE_FILE, RunMismatchError, load, run_folder
from training.release import export as exporting
from training.release.export import ExportMismatchError, check, export, predict


@pytest.fixture
def network(dataset, runs):
    return load(dataset, run_folder(runs, splits.fixed(dataset), 0))[0]


def test_the_service_serves_what_was_exported(exported, dataset):
    model = Model(exported)
    model.verify()
    assert exported.name == "tiny.onnx"
    assert (model.card.name, model.card.version) == ("tiny", "7")
    assert model.card.genres == dataset.genres


def test_the_file_answers_as_the_network_to_any_sound(exported, network):
    rng = np.random.default_rng(0)
    odd = [
        np.zeros(audio.N_SAMPLES, np.float32),
        rng.normal(0, 0.1, audio.N_SAMPLES).astype(np.float32),
        signals.groove(15, audio.SAMPLE_RATE),
        signals.sine(15),
    ]
    spectrograms = audio.log_mel(np.stack(odd))
    check(network, exported, spectrograms)
    scores = Model(exported).score(spectrograms)
    genres, emotion, music, known = predict(network, spectrograms)
    np.testing.assert_allclose(scores.genres, genres, atol=1e-4)
    np.testing.assert_allclose(scores.emotion, emotion, atol=1e-4)
    np.testing.assert_allclose(scores.music, music, atol=1e-4)
    np.testing.assert_allclose(scores.known, known, atol=1e-4)


def test_any_number_of_windows_is_a_batch(exported, dataset):
    model = Model(exported)
    spectrograms = dataset.spectrograms(np.arange(5))
    together = model.score(spectrograms).genres
    for i in range(5):
        np.testing.assert_allclose(
            model.score(spectrograms[i : i + 1]).genres[0], together[i], atol=1e-5
        )


def test_a_file_that_answers_otherwise_is_refused(exported, dataset, network):
    with torch.no_grad():
        for member in network.mlps:
            member.class_head.bias[0] -= 100
    with pytest.raises(ExportMismatchError, match="apart"):
        check(network, exported, dataset.spectrograms(np.arange(4)))


def test_nothing_is_written_where_the_check_fails(
    dataset, runs, description, exported, tmp_path, monkeypatch
):
    monkeypatch.setattr(exporting, "to_onnx", lambda _: onnx.load(exported))
    monkeypatch.setattr(exporting, "LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(ExportMismatchError):
        export(dataset, runs, description, tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("change", ["retrained", "not evaluated"])
def test_what_was_not_measured_is_not_exported(dataset, runs, description, tmp_path, change):
    shutil.copytree(runs, tmp_path / "runs")
    if change == "retrained":
        with (tmp_path / "runs/fold-1/seed-1" / STATE_FILE).open("ab") as state:
            state.write(b"retrained")
    else:
        (tmp_path / "runs" / exporting.MEASURED_FILE).unlink()
    with pytest.raises(RunMismatchError, match="not measured as they are"):
        export(dataset, tmp_path / "runs", description, tmp_path)


def test_nothing_of_the_exporting_machine_is_in_the_file(exported):
    text = exported.read_bytes()
    assert b".py" not in text
    assert onnx.load(exported).graph.node[0].doc_string == ""
