import shutil

import numpy as np
import onnx
import pytest
import torch

from service import audio
from service.model import Model
from training import export as exporting
from training.export import ExportMismatchError, check, export
from training.model_card import DescriptionError
from training.train import AnotherRunError, load

DESCRIPTION = """
name = "tiny"
version = "7"
description = "A model of made-up spectrograms."
licence = "Apache-2.0"
network = "seed"
command = "none"
data = "Made up."
terms = "Made up."
split = "Made up."
limits = ["It knows nothing."]
"""


@pytest.fixture(scope="module")
def exported(prepared, runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny.toml").write_text(DESCRIPTION)
    return export(prepared, runs, folder / "tiny.toml", folder)


def test_the_service_serves_what_was_exported(exported, prepared):
    model = Model(exported)
    model.verify()
    assert (model.card.name, model.card.version) == ("tiny", "7")
    assert model.card.genres == prepared.genres
    assert model.card.front_end == audio.front_end()
    assert model.card.data.tracks == {"train": 9, "valid": 3, "test": 12}
    assert model.card.data.genres["jazz"] == {"train": 3, "valid": 1, "test": 4}


def test_any_number_of_windows_is_a_batch(exported, prepared):
    model = Model(exported)
    spectrograms = prepared.spectrograms(np.arange(5))
    together = model.score(spectrograms).genres
    for i in range(5):
        np.testing.assert_allclose(
            model.score(spectrograms[i : i + 1]).genres[0], together[i], atol=1e-5
        )


def test_the_card_is_printed_for_a_person(exported):
    page = exported.with_suffix(".md").read_text()
    assert "# tiny, version 7" in page
    assert "It knows nothing." in page
    assert exported.with_suffix(".png").exists()


def test_a_file_that_answers_otherwise_is_refused(exported, prepared, runs):
    network, _ = load(prepared, runs / "seed-0")
    with torch.no_grad():
        network.task_networks()[0].genre_head.bias.add_(torch.tensor([0.01, 0.0, 0.0]))
    with pytest.raises(ExportMismatchError, match="apart"):
        check(network, exported, prepared.spectrograms(np.arange(4)))


def test_nothing_is_written_where_the_check_fails(prepared, runs, tmp_path, monkeypatch):
    (tmp_path / "tiny.toml").write_text(DESCRIPTION)
    monkeypatch.setattr(exporting, "LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(ExportMismatchError):
        export(prepared, runs, tmp_path / "tiny.toml", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_what_was_not_measured_is_not_exported(prepared, runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    with (tmp_path / "runs/seed-1/state.pt").open("ab") as state:
        state.write(b"retrained")
    (tmp_path / "tiny.toml").write_text(DESCRIPTION)
    with pytest.raises(AnotherRunError, match="not measured as they are"):
        export(prepared, tmp_path / "runs", tmp_path / "tiny.toml", tmp_path)


@pytest.mark.parametrize(
    ("text", "says"), [("name = ", "Invalid value"), ('name = "x"', "does not say: version")]
)
def test_a_bad_description_is_named(prepared, runs, tmp_path, text, says):
    (tmp_path / "tiny.toml").write_text(text)
    with pytest.raises(DescriptionError, match=says):
        export(prepared, runs, tmp_path / "tiny.toml", tmp_path)


def test_nothing_of_the_exporting_machine_is_in_the_file(exported):
    text = exported.read_bytes()
    assert b".py" not in text
    assert onnx.load(exported).graph.node[0].doc_string == ""
