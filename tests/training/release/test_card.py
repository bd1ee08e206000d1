import json

import numpy as np
import pytest

from service import audio
from service.card import Figure
from service.model import Model
from tests.training.conftest import CONFIG, DESCRIPTION
from training.data import splits
from training.fit.run import run_folder
from training.release.card import DescriptionError, build_card, read_description
from training.release.markdown import _cell, markdown, markdown_measured


@pytest.fixture(scope="module")
def card(exported):
    return Model(exported).card


def test_the_card_says_what_it_was_trained_on(card):
    assert card.data.tracks == {"train": 25, "valid": 8, "test": 8}
    assert card.data.genres["jazz"] == {"train": 6, "valid": 2, "test": 2}
    assert card.data.windows == {"train": 50, "valid": 16, "test": 16}
    assert card.data.made == {"house": 4, "not_music": 10}


def test_the_card_says_how_it_was_trained(card):
    assert (card.network.members, card.network.seed) == (3, CONFIG.seed)
    assert card.network.config["mlp.epochs"] == CONFIG.mlp.epochs
    assert card.network.parameters > 2 * 800 * CONFIG.mlp.hidden
    assert card.emotions == ["energy", "danceability"]
    assert set(card.intervals) == set(card.emotions)
    assert card.front_end == audio.front_end()


def test_the_card_has_the_figures(card, runs):
    assert card.figures.model_dump() == json.loads((runs / "figures.json").read_text())


def test_the_reference_answer_is_all_of_the_answer(card):
    assert len(card.reference_answer) == len(card.genres) + len(card.emotions) + 2
    assert sum(card.reference_answer[: len(card.genres)]) == pytest.approx(1, abs=1e-4)


def test_origins_are_summed_up_each_once_and_by_their_clips(card):
    votes, words = [row for row in card.figures.folds.emotion if row.emotion == "energy"][:2]
    votes = votes.model_copy(update={"clips": 3 * words.clips})
    both = card.figures.folds.model_copy(update={"emotion": [votes, words]})
    ranks = (votes.spearman.mean + words.spearman.mean) / 2
    inside = (3 * votes.coverage.mean + words.coverage.mean) / 4
    assert f"| energy | 2 | {ranks:.3f} | {inside:.3f} |" in markdown_measured(both)


def test_the_card_is_printed_for_a_person(card):
    page = markdown(card, [("A caption", "tiny-a.png")], [])
    assert page.startswith("# tiny, version 7\n")
    for said in ("It knows nothing.", "Nobody's.", "![A caption](tiny-a.png)", "| 15 s windows |"):
        assert said in page
    assert "Across sources" not in page
    assert "None" not in page


def test_a_source_that_was_left_out_has_a_row(card):
    row = {"source": "north", "clips": 15, "with": 0.8, "without": 0.6667}
    assert "| north | 15 | 0.800 | 0.667 |" in markdown(card, [], [row])


def test_tables_have_as_many_cells_as_columns(card):
    for measured in (card.figures.folds, card.figures.test):
        for table in markdown_measured(measured).split("\n\n"):
            assert len({line.count(" | ") for line in table.splitlines() if "---" not in line}) <= 1


def test_a_figure_has_its_spread():
    figure = Figure(value=0.5, mean=0.6, spread=0.1, seeds=3)
    assert _cell(figure) == "0.500; 0.600 ± 0.100 (3)"
    assert _cell(figure.model_copy(update={"value": None})) == "0.600 ± 0.100 (3)"
    assert _cell(None) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [("name = ", "Invalid value"), ('[card]\nname = "x"', "does not say: version")],
)
def test_a_description_that_cannot_be_used_is_told_why(tmp_path, text, says):
    (tmp_path / "tiny.toml").write_text(text)
    with pytest.raises(DescriptionError, match=says):
        read_description(tmp_path / "tiny.toml")


@pytest.mark.parametrize(
    ("old", "new", "says"), [('"tiny"', '"My Model"', "name"), ('"7"', "7", "version")]
)
def test_a_description_that_is_no_card_s_is_told_why(dataset, runs, tmp_path, old, new, says):
    (tmp_path / "tiny.toml").write_text(DESCRIPTION.replace(old, new))
    run = run_folder(runs, splits.fixed(dataset), 0)
    with pytest.raises(DescriptionError, match=f"table card, {says}: "):
        build_card(dataset, runs, run, tmp_path / "tiny.toml", np.zeros(7))


def test_a_page_without_folds_does_not_speak_of_them(card):
    figures = card.figures.model_copy(update={"folds": card.figures.test})
    page = markdown(card.model_copy(update={"figures": figures}), [], [])
    assert "over folds" not in page
    assert "Measured on the fixed test recordings" in page
