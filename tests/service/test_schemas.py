import pytest
from pydantic import ValidationError

from service import schemas
from service.schemas import Analysis, Problem
from service.verdict import reason

ANSWERS = [
    value
    for value in vars(schemas).values()
    if isinstance(value, type) and issubclass(value, schemas.Answer)
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
def test_every_member_has_a_description_or_an_example(answer):
    properties = answer.model_json_schema().get("properties", {})
    for name, member in properties.items():
        explained = {"description", "examples", "$ref", "const", "items"} & member.keys()
        assert explained, f"{answer.__name__}.{name}"


def test_the_example_is_a_valid_answer():
    example = Analysis.model_validate(schemas.ANALYSIS)
    probabilities = [genre.probability for genre in example.genres]
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    assert probabilities == sorted(probabilities, reverse=True)
    assert example.genre == example.genres[0].genre
    assert example.reason == reason(example.verdict, [genre.genre for genre in example.genres])
    assert example.model_dump() == schemas.ANALYSIS


def test_an_emotion_that_the_model_does_not_predict_is_null():
    answer = Analysis.model_validate({**schemas.ANALYSIS, "valence": None})
    assert '"valence":null' in answer.model_dump_json()


@pytest.mark.parametrize("name", ["energy", "music", "known"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_shares_are_between_0_and_1(name, value):
    with pytest.raises(ValidationError):
        Analysis.model_validate({**schemas.ANALYSIS, name: value})


@pytest.mark.parametrize("verdict", ["Confident", "unknown", None])
def test_a_verdict_is_one_of_the_five(verdict):
    with pytest.raises(ValidationError):
        Analysis.model_validate({**schemas.ANALYSIS, "verdict": verdict})


def test_a_problem_has_the_members_of_rfc_9457():
    assert set(Problem.model_fields) >= {"type", "title", "status", "detail", "instance"}
