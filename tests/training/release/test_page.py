import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from service import audio
from training.data import splits
from training.fit.run import load, run_folder
from training.release.page import PATCH_BANDS, PATCH_FRAMES, attention, report


@pytest.fixture(scope="module")
def page(dataset, runs, exported):
    return report(dataset, runs, exported)


def test_the_page_is_beside_the_model(page, exported):
    assert page == exported.with_suffix(".md")
    assert page.read_text().startswith("# tiny, version 7\n")


def test_every_picture_that_the_page_shows_is_there(page):
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())
    assert len(pictures) == 3
    for name in pictures:
        assert (page.parent / name).read_bytes().startswith(b"\x89PNG")


def test_sources_and_folds_are_on_the_page(page):
    text = page.read_text()
    assert "| north | 15 |" in text
    assert "## Measured over folds grouped by artist" in text


def test_a_model_without_folds_has_a_page_too(dataset, runs, exported, tmp_path):
    for name in ("fixed", "described.npy", "described.json"):
        copy = shutil.copytree if (runs / name).is_dir() else shutil.copy
        copy(runs / name, tmp_path / name)
    (tmp_path / "sources.json").write_text("[]")
    model = Path(shutil.copy(exported, tmp_path))
    assert "Across sources" not in report(dataset, tmp_path, model).read_text()


def test_attention_is_where_the_genre_is_written(dataset, runs):
    network = load(dataset, run_folder(runs, splits.fixed(dataset), 0))[0]
    metal = next(i for i, t in enumerate(dataset.tracks) if t.id == "metal-0")
    window = dataset.spectrograms(dataset.rows("heard", np.array([metal]))[:1])
    matters, genre, probability = attention(network, window)
    assert matters.shape == (audio.N_MELS // PATCH_BANDS, audio.N_FRAMES // PATCH_FRAMES)
    assert dataset.genres[genre] == "metal"
    assert 0 < probability <= 1
    assert np.isfinite(matters).all()
