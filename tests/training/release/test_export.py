import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from service import audio
from service.model import OUTPUTS, Model
from tools import signals
from training.fit.run import RunMismatchError, assemble
from training.fit.student_file import load_student
from training.release import export as module
from training.release.export import (
    ExportMismatchError,
    check,
    export,
    output_names,
    predict,
)


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
    for (name, theirs), ours in zip(
        vars(scores).items(), predict(network, spectrograms), strict=True
    ):
        assert theirs.size
        np.testing.assert_allclose(theirs, ours, atol=1e-4, err_msg=name)


def test_the_file_has_no_weights_of_targets_that_it_does_not_need(exported, network):
    shapes = [tuple(weight.dims) for weight in onnx.load(exported).graph.initializer]
    n_targets, n_features = network.student.to_targets.weight.shape
    assert (n_targets, n_features) not in shapes
    assert (n_features, n_targets) not in shapes


def test_a_student_of_an_earlier_version_gives_a_model_without_the_new_outputs(
    dataset, network, student
):
    earlier = replace(load_student(student), taught={}, projection=None)
    without = assemble(dataset, earlier, list(network.heads))
    assert output_names(without) == list(OUTPUTS)
    assert output_names(network) == [*OUTPUTS, "audio_features", "embedding"]
    spectrograms = dataset.spectrograms(np.arange(2))
    of_earlier = predict(without, spectrograms)
    assert len(of_earlier) == len(OUTPUTS)
    assert len(predict(network, spectrograms)) == len(output_names(network))


def test_a_batch_has_any_number_of_windows(exported, dataset):
    model = Model(exported)
    spectrograms = dataset.spectrograms(np.arange(5))
    together = model.score(spectrograms).genres
    for i in range(5):
        np.testing.assert_allclose(
            model.score(spectrograms[i : i + 1]).genres[0], together[i], atol=1e-5
        )


@pytest.mark.parametrize("n_frames", [audio.N_SHORT_FRAMES, 217, 320, audio.N_FRAMES])
def test_a_window_has_any_number_of_frames(exported, network, dataset, n_frames):
    model = Model(exported)
    assert model.shortest == audio.N_SHORT_SAMPLES
    spectrograms = np.ascontiguousarray(dataset.spectrograms(np.arange(2))[..., :n_frames])
    for (name, theirs), ours in zip(
        vars(model.score(spectrograms)).items(), predict(network, spectrograms), strict=True
    ):
        np.testing.assert_allclose(theirs, ours, atol=1e-4, err_msg=name)


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
