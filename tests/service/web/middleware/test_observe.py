import json
import logging
import re

import httpx2 as httpx
import pytest

from tests.http import post
from tools.server import Server

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class TestRequestId:
    @pytest.mark.parametrize("given", ["abc", "a" * 128, "00-4bf9:2/x.y=+_-"])
    def test_a_valid_id_is_used(self, client, given):
        response = client.get("/healthz", headers={"x-request-id": given})
        assert response.headers["x-request-id"] == given

    @pytest.mark.parametrize("given", [None, "", "a" * 129, "a b", "a\tb", "\u00e9", "a;b"])
    def test_otherwise_an_id_is_generated(self, client, given):
        headers = {} if given is None else {"x-request-id": given.encode()}
        response = client.get("/healthz", headers=headers)
        assert UUID.fullmatch(response.headers["x-request-id"])

    def test_an_error_has_an_id(self, client):
        assert UUID.fullmatch(client.get("/nowhere").headers["x-request-id"])


class TestLog:
    @pytest.fixture
    def lines(self, caplog):
        caplog.set_level(logging.INFO, "service.access")
        return lambda: [
            vars(record) for record in caplog.records if record.name == "service.access"
        ]

    def test_an_answer(self, client, clips, lines):
        response = post(client, clips["mp3"])
        (line,) = lines()
        assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/analyze", 200)
        assert line["verdict"] == response.json()["verdict"]
        assert line["request_id"] == response.headers["x-request-id"]
        assert line["client"] == "testclient"
        assert line["milliseconds"] > 0

    def test_a_refusal(self, client, lines):
        post(client, b"not audio")
        (line,) = lines()
        assert (line["status"], line["problem"]) == (422, "urn:problem-type:fifteen:not-audio")

    def test_the_log_has_nothing_of_the_upload_or_the_query(self, client, lines):
        files = {"file": ("secret-name.mp3", b"secret content")}
        client.post("/v1/analyze?model=secret", files=files)
        (line,) = lines()
        assert "secret" not in repr(line)


def test_log_lines_can_be_json():
    server = Server("--log-format", "json")
    httpx.get(f"{server.url}/healthz", headers={"x-request-id": "abc"})
    server.stop()
    lines = [json.loads(line) for line in server.log.splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "abc"]
    assert line["level"] == "INFO"
    assert (line["path"], line["status"], line["method"]) == ("/healthz", 200, "GET")
    assert all({"time", "level", "logger", "message"} <= each.keys() for each in lines)
