import pytest

from service.mcp.meanings import LIMITS, UnknownTermError, explain
from service.schemas import Analysis, Features
from service.taxonomy import MODELS_OWN, Taxonomy
from service.verdict import VERDICTS


def test_every_word_of_an_answer_has_a_meaning(model):
    card = model.card
    for term in (*Analysis.model_fields, *Features.model_fields, *VERDICTS, *card.genres, LIMITS):
        assert len(explain(term.upper(), card, MODELS_OWN).meaning) > 10, term


def test_a_verdict_is_explained_with_the_thresholds_of_the_model(model):
    thresholds = model.card.thresholds
    changed = thresholds.model_copy(update={"margin": 0.123, "known": 0.456})
    card = model.card.model_copy(update={"thresholds": changed})
    assert "0.123" in explain("mixed", card, MODELS_OWN).meaning
    assert "0.456" in explain("unknown_genre", card, MODELS_OWN).meaning


def test_a_score_comes_with_its_figures(model):
    rows = [row for row in model.card.figures.folds.emotion if row.emotion == "valence"]
    figures = explain("valence", model.card, MODELS_OWN).figures
    assert figures["half_of_80_percent_interval"] == model.card.intervals["valence"]
    assert [row["origin"] for row in figures["by_origin_of_labels"]] == [row.origin for row in rows]


def test_a_renamed_genre_has_the_figures_of_the_genres_that_it_merges(model):
    taxonomy = Taxonomy({"house": "Electronic", "dubstep": "Electronic"})
    rows = explain("electronic", model.card, taxonomy).figures["recordings"]
    assert {row["genre"] for row in rows} == {"house", "dubstep"}
    with pytest.raises(UnknownTermError):
        explain("house", model.card, taxonomy)


def test_an_unknown_term_is_answered_with_those_that_are_known(model):
    with pytest.raises(UnknownTermError, match=r"'polka' is not known here.*valence.*jazz"):
        explain("polka", model.card, MODELS_OWN)
