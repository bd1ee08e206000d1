"""Bombs through a real socket: the service soon answers or refuses each, with little memory."""

import httpx2 as httpx
import pytest

from service.schemas import PROBLEM_TYPES
from service.web import uploads
from tests.http import assert_problem
from tools.server import Server
from tools.torture import bombs

pytestmark = pytest.mark.slow

SCALE = 0.1  # an hour of silence, hundreds of streams
GROWN_MB = 150  # the largest body is 32 MiB; 15 minutes of 8 channels would be 5 GB
PARTS = 10_000


@pytest.fixture(scope="module")
def bounded():
    """Start a service that decodes one minute of a recording, to save time in the tests."""
    server = Server("--max-seconds", "60")
    server.wait_until_ready()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_a_bomb_costs_little(bounded, name):
    make, expected = bombs.BOMBS[name]
    cost = bombs.throw(bounded, make(SCALE))
    assert cost.kind in expected
    assert cost.seconds < bombs.SLOW_SECONDS
    assert cost.grown_mb < GROWN_MB


def form(parts):
    """Return a form of many parts, and its headers."""
    body = b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--\r\n"
    return {"content": body, "headers": {"Content-Type": "multipart/form-data; boundary=B"}}


FILE = b'Content-Disposition: form-data; name="%s"; filename="a"\r\n\r\nx'
FIELD = b'Content-Disposition: form-data; name="a"\r\n\r\nx'


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/v1/analyze", FIELD),
        ("/v1/analyze", FILE % b"file"),
        ("/v1/analyze", b"X: y\r\n\r\n"),
        ("/v1/analyze/batch", FILE % b"files"),
        ("/v1/analyze/batch", FIELD),
    ],
)
def test_a_form_of_ten_thousand_parts_is_refused(bounded, path, part):
    before = bounded.memory_mb()
    response = httpx.post(bounded.url + path, **form([part] * PARTS), timeout=30)
    assert_problem(response, 400, "malformed-multipart")
    assert response.elapsed.total_seconds() < 5
    assert bounded.most_memory_mb() - before < 20


def test_a_part_of_ten_thousand_headers_is_refused(bounded):
    part = b"".join(b"X-%d: y\r\n" % number for number in range(PARTS)) + FILE % b"file"
    response = httpx.post(f"{bounded.url}/v1/analyze", **form([part]), timeout=30)
    assert_problem(response, 400, "malformed-multipart")


def test_an_endless_body_costs_no_more_than_the_limit(bounded):
    """A client sends chunks far beyond the limit; the service drops those after its refusal."""
    limit = httpx.get(f"{bounded.url}/v1/limits").json()["max_upload_bytes"]
    before = bounded.memory_mb()
    sent = 0
    with bounded.connect() as connection:
        connection.sendall(
            b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        while sent < 4 * limit:
            connection.sendall(b"100000\r\n" + bytes(bombs.MIB) + b"\r\n")
            sent += bombs.MIB
        answer = bounded.answer(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert PROBLEM_TYPES.encode() + b"body-too-large" in answer
    assert bounded.most_memory_mb() - before < 2.5 * limit / bombs.MIB


def test_the_largest_batch_costs_no_more_than_its_body(bounded):
    before = bounded.memory_mb()
    count = uploads.MAX_BATCH_FILES
    files = [("files", bombs.tagged(bytes(bombs.MIB)))] * count
    response = httpx.post(f"{bounded.url}/v1/analyze/batch", files=files, timeout=60)
    assert [each["status"] for each in response.json()["results"]] == [200] * count
    assert bounded.most_memory_mb() - before < GROWN_MB


@pytest.mark.parametrize(("expected", "most"), [("silence", 1_000), ("not-audio", -1)])
def test_a_bomb_that_works_is_detected(bounded, monkeypatch, expected, most):
    monkeypatch.setattr(bombs, "BOMBS", {"one": (lambda scale: b"x", {expected})})
    monkeypatch.setattr(bombs, "MOST_GROWN_MB", most)
    (failed,) = bombs.torture(bounded, 1).failed
    assert "not-audio" in failed
