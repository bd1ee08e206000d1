"""What stands in the engine's proxy, around a proxy that is made up."""

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from service.cluster import proxy
from service.cluster.proxy import Proxied
from service.web.middleware.headers import SECURITY
from tests.service.test_app import assert_problem
from tests.test_imports import errors_of

ID = "x-request-id"
LATE, AT_ONCE = "late", "at once"


class Engine:
    """Serve's proxy: it adds an id to each answer, and has none where a replica died."""

    def __init__(self, *deaths, answer=None):
        self.deaths, self.answer = list(deaths), answer
        self.asked = []

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        self.asked.append((scope["path"], request.headers[ID]))
        scope["path"] = "/changed"
        death = self.deaths.pop(0) if self.deaths else None
        if death == AT_ONCE:
            return
        body = await request.body()
        if death == LATE:
            return
        response = self.answer or PlainTextResponse(body, headers={ID: request.headers[ID]})
        response.headers.append(ID, request.headers[ID])
        await response(scope, receive, send)


def post(engine, **more):
    return TestClient(Proxied(engine)).post("/path", content=b"a recording", **more)


@pytest.mark.parametrize("deaths", [[], [AT_ONCE], [LATE], [LATE, AT_ONCE], [AT_ONCE, LATE]])
def test_who_died_is_replaced_by_another(deaths):
    engine = Engine(*deaths)
    response = post(engine)
    assert (response.status_code, response.text) == (200, "a recording")
    assert len(engine.asked) == 1 + len(deaths)
    assert len({*engine.asked}) == 1
    assert response.headers.get_list(ID) == [engine.asked[0][1]]


def test_not_for_ever():
    engine = Engine(*[LATE] * proxy.ATTEMPTS)
    response = post(engine, headers={ID: "mine"})
    assert "gone" in assert_problem(response, 503, "not-ready")["detail"]
    assert response.json()["instance"] == "/path"
    assert len(engine.asked) == proxy.ATTEMPTS
    assert response.headers["retry-after"] == "1"
    assert response.headers.get_list(ID) == ["mine"]
    assert response.headers.items() >= {k.lower(): v for k, v in SECURITY.items()}.items()


@pytest.mark.parametrize("most", [10, 11])
def test_a_body_that_is_too_long_to_keep_is_asked_once(monkeypatch, most):
    monkeypatch.setattr(proxy, "MOST_BYTES", most)
    assert post(Engine()).text == "a recording"
    engine = Engine(LATE)
    assert post(engine).status_code == (200 if most == 11 else 503)
    assert len(engine.asked) == (2 if most == 11 else 1)


@pytest.mark.parametrize(
    ("headers", "slug", "seconds"),
    [({"retry-after": "7"}, "overloaded", "7"), ({}, "not-ready", "1")],
)
def test_a_refusal_of_the_engine_is_a_problem(headers, slug, seconds):
    engine = Engine(answer=PlainTextResponse("dropped", 503, headers))
    response = post(engine)
    assert_problem(response, 503, slug)
    assert response.headers["retry-after"] == seconds
    assert len(engine.asked) == 1


def test_a_refusal_of_the_application_is_its_own():
    answer = PlainTextResponse("mine", 503, {ID: "a", "retry-after": "7"})
    response = post(Engine(answer=answer), headers={ID: "a"})
    assert (response.text, response.headers["retry-after"]) == ("mine", "7")
    assert response.headers.get_list(ID) == ["a"]


@pytest.mark.parametrize("given", ["a b", "é".encode(), "x" * 129])
def test_an_id_that_may_not_be_logged_is_not_passed_on(given):
    engine = Engine()
    assert post(engine, headers={ID: given}).headers[ID] == engine.asked[0][1] != given


def test_whoever_left_is_not_answered():
    sent = []

    async def scenario():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        async def engine(scope, receive, send):
            await receive()

        scope = {"type": "http", "path": "/", "method": "POST", "headers": []}
        await Proxied(engine)(scope, receive, send)

    anyio.run(scenario)
    assert sent == []


def test_a_proxy_need_not_wait_for_a_decoder():
    code = (
        "import sys, service.cluster.proxy\n"
        "assert not {'librosa', 'av', 'onnxruntime', 'ray'} & sys.modules.keys()\n"
    )
    assert errors_of(code) == ""


def test_it_is_what_the_engine_takes():
    (middleware,) = proxy.middlewares()
    assert middleware.cls is Proxied
