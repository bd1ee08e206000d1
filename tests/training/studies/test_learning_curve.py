import re

import numpy as np

from tests.training.conftest import CONFIG, changed
from training.data import splits
from training.studies import learning_curve
from training.studies.learning_curve import share_of_groups

QUICK = changed(CONFIG, head={"epochs": 4})


def test_a_share_is_of_the_groups_of_each_class(dataset):
    tracks = splits.fixed_split(dataset).develop
    half = share_of_groups(dataset, tracks, 0.5, np.random.default_rng(0))
    assert set(half) < set(tracks)
    for label in range(len(dataset.genres)):
        of_class = {dataset.groups[i] for i in tracks if dataset.label[i] == label}
        chosen = {dataset.groups[i] for i in half if dataset.label[i] == label}
        assert len(chosen) == round(len(of_class) / 2)


def test_every_class_stays_and_a_share_of_one_is_everything(dataset):
    tracks = splits.fixed_split(dataset).develop
    rng = np.random.default_rng(0)
    few = share_of_groups(dataset, tracks, 1e-6, rng)
    assert set(dataset.label[few]) == set(dataset.label[tracks])
    assert set(share_of_groups(dataset, tracks, 1.0, rng)) == set(tracks)


def test_the_page_has_a_row_for_each_genre(dataset, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(learning_curve, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(learning_curve, "SEEDS", 2)
    monkeypatch.setattr(learning_curve, "FeatureCache", lambda *_: cache)
    page = tmp_path / "curve.md"
    learning_curve.study(dataset, QUICK, tmp_path, page, jobs=1)
    rows = re.findall(r"^\| (\S+) .*\|$", page.read_text(), re.MULTILINE)
    assert rows == ["one", "---", "accuracy", "macro", *dataset.genres]
    assert "nan" not in page.read_text()
