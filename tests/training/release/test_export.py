import shutil

import numpy as np
import onnx
import pytest
import torch

from service import audio
from service.model import Model
from tools import signals
from training.fit.run import RunMismatchError
from training.release import export as module
from training.release.export import ExportMismatchError, check, export, predict


def test_the_service_serves_the_exported_model(exported, dataset):
    model = Model(exported)
    model.verify()
    assert exported.name == "tiny.onnx"
    assert (model.card.name, model.card.version) == ("tiny", "7")
    assert model.card.genres == dataset.genres


def test_the_file_has_the_outputs_of_the_network_for_any_sound(exported, network):
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


def test_a_batch_has_any_number_of_windows(exported, dataset):
    model = Model(exported)
    spectrograms = dataset.spectrograms(np.arange(5))
    together = model.score(spectrograms).genres
    for i in range(5):
        np.testing.assert_allclose(
            model.score(spectrograms[i : i + 1]).genres[0], together[i], atol=1e-5
        )


def test_a_file_with_other_outputs_is_an_error(exported, dataset, network):
    with torch.no_grad():
        for member in network.heads:
            member.class_head.bias[0] -= 100
    with pytest.raises(ExportMismatchError, match="differ by"):
        check(network, exported, dataset.spectrograms(np.arange(4)))


def test_nothing_is_written_if_the_check_fails(
    dataset, runs, recipe, exported, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "to_onnx", lambda _: onnx.load(exported))
    monkeypatch.setattr(module, "MAX_DIFFERENCE", -1.0)
    with pytest.raises(ExportMismatchError):
        export(dataset, runs, recipe, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_runs_that_are_not_evaluated_are_not_exported(dataset, runs, recipe, tmp_path):
    shutil.copytree(runs / "fixed", tmp_path / "fixed")
    with pytest.raises(RunMismatchError, match="not evaluated as they are"):
        export(dataset, tmp_path, recipe, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_the_file_contains_nothing_of_the_exporting_machine(exported):
    text = exported.read_bytes()
    assert b".py" not in text
    assert onnx.load(exported).graph.node[0].doc_string == ""
