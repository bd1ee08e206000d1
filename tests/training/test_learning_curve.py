import re
from dataclasses import replace

import numpy as np

from tests.training.conftest import CONFIG
from training import divisions, learning_curve
from training.learning_curve import share_of_groups

QUICK = replace(CONFIG, perceptron=replace(CONFIG.perceptron, epochs=4))


def test_a_share_is_of_the_groups_of_each_class(prepared):
    tracks = divisions.fixed(prepared).learn
    half = share_of_groups(prepared, tracks, 0.5, np.random.default_rng(0))
    assert set(half) < set(tracks)
    for label in range(len(prepared.genres)):
        of_class = {prepared.groups[i] for i in tracks if prepared.label[i] == label}
        kept = {prepared.groups[i] for i in half if prepared.label[i] == label}
        assert len(kept) == round(len(of_class) / 2)


def test_no_class_is_lost_and_a_whole_share_is_everything(prepared):
    tracks = divisions.fixed(prepared).learn
    rng = np.random.default_rng(0)
    few = share_of_groups(prepared, tracks, 1e-6, rng)
    assert set(prepared.label[few]) == set(prepared.label[tracks])
    assert set(share_of_groups(prepared, tracks, 1.0, rng)) == set(tracks)


def test_the_page_has_a_row_for_each_genre(prepared, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(learning_curve, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(learning_curve, "SEEDS", 2)
    page = tmp_path / "curve.md"
    learning_curve.learning_curve(prepared, QUICK, runs, page, jobs=1)
    rows = re.findall(r"^\| (\S+) .*\|$", page.read_text(), re.MULTILINE)
    assert rows == ["one", "---", "accuracy", "macro", *prepared.genres]
    assert "nan" not in page.read_text()
