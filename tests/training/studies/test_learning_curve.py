import re

import numpy as np
import pytest

from service import audio
from tests.training.conftest import BAND
from training.data import splits
from training.data.teachers import read_targets
from training.studies import learning_curve
from training.studies.learning_curve import STATISTICS, STUDENT, read_inputs, share_of_groups


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


@pytest.fixture(scope="module")
def inputs(dataset, teachers, cache):
    return read_inputs(dataset, read_targets(teachers, dataset), cache)


def test_every_input_describes_the_same_windows(dataset, inputs):
    assert list(inputs.values) == [STATISTICS, "embedding", "vibenet logits", STUDENT]
    assert {len(values) for values in inputs.values.values()} == {len(inputs.rows)}
    mean = dataset.spectrograms(inputs.rows[:1])[0].mean(axis=1)
    assert inputs.values[STATISTICS][0, : len(mean)] == pytest.approx(mean, abs=1e-4)
    bands = [BAND.get(track.genre or track.other, 112) for track in dataset.tracks]
    expected = np.array(bands)[dataset.track_of[inputs.rows]] / audio.N_MELS
    assert inputs.heard == pytest.approx(np.tile(expected[:, None], 3), abs=1e-3)


def test_the_page_compares_inputs_shares_genres_and_emotions(
    dataset, inputs, tmp_path, monkeypatch
):
    monkeypatch.setattr(learning_curve, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(learning_curve, "SEEDS", 2)
    page = tmp_path / "curve.md"
    learning_curve.study(dataset, inputs, page, n_folds=2, jobs=1)
    text = page.read_text()
    by_input, by_genre, emotions, sources = (
        re.findall(r"^\| ([^|-]+?) \|", part, re.MULTILINE) for part in text.split("\n## ")[1:]
    )
    assert by_input == ["macro F1, one window", *inputs.values]
    assert [name.partition(" (")[0] for name in by_genre] == ["one window", *dataset.genres]
    assert emotions == ["input", *inputs.values, "a teacher's own values"]
    assert sources == ["input", "chance", *inputs.values]
    assert "nan" not in text
    (embedding,) = re.findall(
        r"^\| embedding .*\| (\S+) \|$", text.split("## By genre")[0], re.MULTILINE
    )
    assert float(embedding) > 0.9  # the teacher's output is the genre
