import pytest
from starlette.requests import Request

from service.schemas import ANALYSIS, Analysis
from service.settings import Settings
from service.taxonomy import MODELS_OWN, Taxonomy
from service.web.cache import AnswerCache, client_has, tag_of

TAG = 'W/"abc"'
ANSWER = Analysis.model_validate(ANALYSIS)


def asking(*values):
    headers = [(b"if-none-match", value.encode()) for value in values]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("values", [[TAG], ['"abc"'], ['"x", W/"abc"'], ['"x"', '"abc" , "y"']])
def test_a_matching_tag_is_found(values):
    assert client_has(asking(*values), TAG)


@pytest.mark.parametrize("values", [[], [""], ["*"], ["abc"], ['W/"ab"'], [",,"]])
def test_another_tag_does_not_match(values):
    assert not client_has(asking(*values), TAG)


def test_a_tag_depends_on_everything_that_changes_the_answer(model):
    def tag(
        upload=b"a", timeline=False, embedding=False, head=None, taxonomy=MODELS_OWN, **settings
    ):
        options = {"timeline": timeline, "embedding": embedding, "head": head}
        return tag_of(upload, model, Settings(**settings), taxonomy, **options)

    assert tag() == tag()
    assert tag().startswith('W/"')
    others = [
        tag(b"b"),
        tag(timeline=True),
        tag(embedding=True),
        tag(timeline=True, embedding=True),
        tag(head="sha256:1"),
        tag(head="sha256:2"),
        tag(taxonomy=Taxonomy({"house": "House"})),
        tag(max_seconds=30),
    ]
    assert len({tag(), *others}) == 1 + len(others)


def test_a_tag_depends_on_the_model(model, monkeypatch):
    before = tag_of(b"a", model, Settings(), MODELS_OWN, timeline=False)
    monkeypatch.setattr(model, "digest", "sha256:0")
    assert tag_of(b"a", model, Settings(), MODELS_OWN, timeline=False) != before


def test_the_least_recently_used_answer_is_dropped():
    cache = AnswerCache(2)
    for tag in "abc":
        cache.put(tag, ANSWER)
        cache.get("a")
    assert [cache.get(tag) is ANSWER for tag in "abc"] == [True, False, True]


def test_the_cache_is_off_with_no_entries():
    cache = AnswerCache(0)
    cache.put("a", ANSWER)
    assert cache.get("a") is None
