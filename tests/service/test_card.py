import pytest
from pydantic import TypeAdapter, ValidationError

from service.card import Card, Percentiles

CORPUS = [number / 100 for number in range(101)]


def test_percentiles_are_optional(model):
    content = model.card.model_dump(exclude={"percentiles"})
    assert Card.model_validate(content).percentiles == {}


def test_percentiles_are_101_ascending_scores():
    assert TypeAdapter(Percentiles).validate_python(CORPUS) == CORPUS


@pytest.mark.parametrize(
    "scores", [CORPUS[:-1], [*CORPUS, 1], CORPUS[::-1], [*CORPUS[:-1], 1.1], []]
)
def test_other_percentiles_are_refused(scores):
    with pytest.raises(ValidationError):
        TypeAdapter(Percentiles).validate_python(scores)
