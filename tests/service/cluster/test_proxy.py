"""The middleware of Ray's proxies, around a stand-in for the engine."""

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from service.cluster import proxy
from service.cluster.proxy import RetryingProxy
from service.web.headers import SECURITY
from tests.http import assert_problem

ID = "x-request-id"
LATE, AT_ONCE = "late", "at once"


class Engine:
    """A stand-in for Serve's proxy. It adds an id to each response; a dead replica sends none."""

    def __init__(self, *deaths, answer=None):
        self.deaths, self.answer = list(deaths), answer
        self.requests = []

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        self.requests.append((scope["path"], request.headers[ID]))
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
    return TestClient(RetryingProxy(engine, 1_000)).post("/path", content=b"a recording", **more)


@pytest.mark.parametrize("deaths", [[], [AT_ONCE], [LATE], [LATE, AT_ONCE], [AT_ONCE, LATE]])
def test_a_request_whose_replica_died_is_retried(deaths):
    engine = Engine(*deaths)
    response = post(engine)
    assert (response.status_code, response.text) == (200, "a recording")
    assert len(engine.requests) == 1 + len(deaths)
    assert len({*engine.requests}) == 1
    assert response.headers.get_list(ID) == [engine.requests[0][1]]


def test_retries_are_limited():
    engine = Engine(*[LATE] * proxy.ATTEMPTS)
    response = post(engine, headers={ID: "mine"})
    assert "stopped" in assert_problem(response, 503, "not-ready")["detail"]
    assert response.json()["instance"] == "/path"
    assert len(engine.requests) == proxy.ATTEMPTS
    assert response.headers["retry-after"] == "1"
    assert response.headers.get_list(ID) == ["mine"]
    assert response.headers.items() >= {k.lower(): v for k, v in SECURITY.items()}.items()


@pytest.mark.parametrize(("max_bytes", "retried"), [(10, False), (11, True)])
def test_a_body_up_to_the_limit_is_stored_for_a_retry(monkeypatch, max_bytes, retried):
    monkeypatch.setenv("FIFTEEN_MAX_UPLOAD_BYTES", str(max_bytes))
    (middleware,) = proxy.middlewares()
    engine = Engine(LATE)
    client = TestClient(middleware.cls(engine, *middleware.args, **middleware.kwargs))
    assert client.post("/path", content=b"a recording").status_code == (200 if retried else 503)
    assert len(engine.requests) == (2 if retried else 1)
    assert client.post("/path", content=b"a recording").text == "a recording"


@pytest.mark.parametrize(
    ("headers", "slug", "seconds"),
    [({"retry-after": "7"}, "overloaded", "7"), ({}, "not-ready", "1")],
)
def test_a_refusal_by_the_engine_becomes_a_problem(headers, slug, seconds):
    engine = Engine(answer=PlainTextResponse("dropped", 503, headers))
    response = post(engine)
    assert_problem(response, 503, slug)
    assert response.headers["retry-after"] == seconds
    assert len(engine.requests) == 1


def test_a_refusal_by_the_application_is_passed_on():
    answer = PlainTextResponse("mine", 503, {ID: "a", "retry-after": "7"})
    response = post(Engine(answer=answer), headers={ID: "a"})
    assert (response.text, response.headers["retry-after"]) == ("mine", "7")
    assert response.headers.get_list(ID) == ["a"]


@pytest.mark.parametrize("given", ["a b", "é".encode(), "x" * 129])
def test_an_id_that_must_not_be_logged_is_replaced(given):
    engine = Engine()
    assert post(engine, headers={ID: given}).headers[ID] == engine.requests[0][1] != given


def test_a_client_that_disconnected_gets_no_response():
    sent = []

    async def scenario():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        async def engine(scope, receive, send):
            await receive()

        scope = {"type": "http", "path": "/", "method": "POST", "headers": []}
        await RetryingProxy(engine, 1_000)(scope, receive, send)

    anyio.run(scenario)
    assert sent == []
