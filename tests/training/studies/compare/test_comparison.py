"""The command in its fast mode: every row, on synthetic sounds."""

import re
from pathlib import Path

import pytest

from training import __main__ as command
from training.studies.compare import comparison, results
from training.studies.compare.backbone import BACKBONES
from training.studies.compare.page import CONCLUSIONS, PAGE
from training.studies.compare.rows import ROWS

pytestmark = pytest.mark.timeout(900)  # half a minute where nothing else runs


def arguments_for(corpus, work, teachers):
    paths = [str(corpus), str(work), "--teachers", str(teachers)]
    return ["training", "compare", *paths, "--fast", "--jobs", "1"]


@pytest.fixture(scope="module")
def work(corpus, teachers, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", arguments_for(corpus, work, teachers))
        assert command.main() == 0
    return work


@pytest.mark.parametrize("row", ROWS, ids=lambda row: results.path_of(row, Path()).stem)
def test_every_row_runs(work, row):
    result = results.read(row, work)
    assert result.reason == ""
    assert result.accuracy or result.spearman or result.elbow


def test_the_page_is_in_the_working_folder_when_it_is_fast(work):
    text = (work / PAGE).read_text()
    assert CONCLUSIONS in text
    assert not re.search(r"\bnan\b", text)
    assert "not measured" not in text


def test_a_second_run_computes_nothing(work, corpus, teachers, monkeypatch):
    monkeypatch.setattr(comparison, "measure", None)
    monkeypatch.setattr("training.studies.compare.store.write_features", None)
    monkeypatch.setattr("training.studies.compare.backbone.write_embeddings", None)
    monkeypatch.setattr("training.studies.compare.elsewhere.write_heard", None)
    monkeypatch.setattr("sys.argv", arguments_for(corpus, work, teachers))
    assert command.main() == 0


def test_every_window_is_embedded(work):
    for name in BACKBONES:
        folders = list((work / "features").glob(f"{name.replace(' ', '-')}-*"))
        assert any(any(folder.iterdir()) for folder in folders)
