import re
import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from service.card import Figure as CardFigure
from service.model import Model
from training.evaluation.evaluate import EVALUATION_FILE, evaluate, read_evaluation
from training.fit.run import RunMismatchError
from training.release import pictures
from training.release.page import card_page, figure_cell, measured_tables, report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def card(exported):
    return Model(exported).card


@pytest.fixture(scope="module")
def page(dataset, runs, exported):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "PATCH_BANDS", 32)  # a coarse picture is drawn quickly
        return report(dataset, runs, exported)


def test_the_page_is_beside_the_model(page, exported):
    assert page == exported.with_suffix(".md")
    assert page.read_text().startswith("# tiny, version 7\n")


def test_every_picture_of_the_page_exists(page):
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())
    assert len(pictures) == 3
    for name in pictures:
        assert (page.parent / name).read_bytes().startswith(b"\x89PNG")


def test_sources_and_folds_are_on_the_page(page):
    text = page.read_text()
    assert "| north | 15 |" in text
    assert "## Measured over folds grouped by artist" in text


def test_a_model_without_cross_validation_has_a_page(
    dataset, runs, exported, tmp_path, monkeypatch
):
    monkeypatch.setattr(pictures, "attention", lambda *_: Figure())  # `page` draws it
    ignored = shutil.ignore_patterns("fold-*", "without-*", EVALUATION_FILE)
    shutil.copytree(runs, tmp_path, ignore=ignored, dirs_exist_ok=True)
    model = Path(shutil.copy(exported, tmp_path))
    with pytest.raises(RunMismatchError):
        report(dataset, tmp_path, model)
    evaluate(dataset, tmp_path)
    assert "Across sources" not in report(dataset, tmp_path, model).read_text()


@pytest.fixture(scope="module")
def evaluation(runs):
    return read_evaluation(runs)


@pytest.fixture(scope="module")
def no_folds(evaluation):
    """An evaluation without a cross-validation."""
    return evaluation.model_copy(update={"sources": [], "medians": {}})


def test_the_page_has_the_text_of_the_card(card, no_folds):
    page = card_page(card, [("A caption", "tiny-a.png")], no_folds)
    for text in ("It is a test.", "None.", "![A caption](tiny-a.png)", "| 15 s windows |"):
        assert text in page
    assert "Across sources" not in page
    assert "Emotions by genre" not in page
    assert re.search(r"\bnan\b", page) is None


def test_a_source_and_a_genre_have_a_row(card, evaluation):
    page = card_page(card, [], evaluation)
    north = evaluation.sources[0]
    accuracies = (north.in_training.accuracy, north.left_out.accuracy)
    assert "| north | 15 | {:.3f} | {:.3f} |".format(*accuracies) in page
    assert f"| house | {evaluation.medians['house']['energy']:.2f} |" in page


def test_embedding_and_fidelity_have_tables(card, evaluation):
    page = card_page(card, [], evaluation)
    row = card.figures.neighbours[0]
    assert f"| embedding | all | {row.clips} | {row.nearest_genre:.3f} |" in page
    taught = card.figures.features[0]
    assert f"| {taught.feature} | {taught.clips} | {taught.spearman:.3f} |" in page
    figures = card.figures.model_copy(update={"neighbours": [], "features": []})
    earlier = card_page(card.model_copy(update={"figures": figures}), [], evaluation)
    assert "Embedding" not in earlier
    assert "Fidelity" not in earlier


def test_a_page_without_cross_validation_does_not_mention_it(card, no_folds):
    figures = card.figures.model_copy(update={"folds": card.figures.test})
    page = card_page(card.model_copy(update={"figures": figures}), [], no_folds)
    assert "over folds" not in page
    assert "Measured on the fixed test recordings" in page


def test_every_row_of_a_table_has_all_columns(card):
    for measured in (card.figures.folds, card.figures.test):
        tables = measured_tables(measured).split("\n\n")
        assert len(tables) == 5  # no label has both valence and energy, so there is no mood
        for table in tables:
            lines = table.splitlines()
            assert len(lines) >= 2
            assert len({line.count("|") for line in lines}) == 1


def test_a_figure_is_printed_with_its_spread():
    figure = CardFigure(value=0.5, mean=0.6, spread=0.1, seeds=3)
    assert figure_cell(figure) == "0.500; 0.600 ± 0.100 (3)"
    assert figure_cell(figure.model_copy(update={"value": None})) == "0.600 ± 0.100 (3)"
    assert figure_cell(None) == ""
