"""Compression, over a real socket: httpx would hide what is sent."""

import gzip
import json

import pytest
from starlette.datastructures import Headers

from service.web.auth import new_key
from service.web.middleware.compress import MIN_BYTES, _accepts_gzip
from service.web.routes.frontend import FOLDER
from tools.server import Server

GZIP = "Accept-Encoding: gzip, deflate, br"


def exchange(server, method, path, *headers, body=b""):
    """Send one request; return status, headers by lower-case name, and the body as sent."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with server.connect() as connection:
        connection.settimeout(20)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, sent = received.partition(b"\r\n\r\n")
    status, *rest = head.decode().split("\r\n")
    named = [line.split(": ", 1) for line in rest]
    return int(status.split()[1]), {name.lower(): value for name, value in named}, sent


@pytest.mark.parametrize(
    "path", ["/", "/js/main.js", "/messages/ru.txt", "/manifest.webmanifest", "/icons/icon.svg"]
)
def test_the_clients_files_are_compressed(process, path):
    plain = (FOLDER / (path.removeprefix("/") or "index.html")).read_bytes()
    status, headers, sent = exchange(process, "GET", path, GZIP)
    assert status == 200
    if len(plain) < MIN_BYTES:
        assert sent == plain
        return
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(sent))
    assert "Accept-Encoding" in headers["vary"]
    assert gzip.decompress(sent) == plain


def test_the_whole_client_is_less_than_half_of_its_size(process):
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    sent = [
        exchange(process, "GET", f"/{path.relative_to(FOLDER).as_posix()}", GZIP)[2]
        for path in files
    ]
    assert sum(map(len, sent)) < 0.45 * sum(path.stat().st_size for path in files)


def test_a_client_that_does_not_ask_gets_plain_bytes(process):
    status, headers, sent = exchange(process, "GET", "/style.css")
    assert status == 200
    assert "content-encoding" not in headers
    assert "Accept-Encoding" in headers["vary"]  # a cache must not give these bytes to all
    assert sent == (FOLDER / "style.css").read_bytes()


def test_pictures_and_small_answers_stay_as_they_are(process):
    for path in ("/icons/512.png", "/healthz"):
        _, headers, sent = exchange(process, "GET", path, GZIP)
        assert "content-encoding" not in headers
        assert headers["content-length"] == str(len(sent))


def test_a_file_of_several_chunks(process):
    """Starlette sends it in pieces, so its compressed length is not known before."""
    _, plain_headers, plain = exchange(process, "GET", "/docs/swagger-ui-bundle.js")
    _, headers, sent = exchange(process, "GET", "/docs/swagger-ui-bundle.js", GZIP)
    assert headers["content-encoding"] == "gzip"
    assert headers["transfer-encoding"] == "chunked"
    assert len(sent) < len(plain) / 2
    assert plain_headers["content-length"] == str(len(plain))


@pytest.mark.parametrize("path", ["/style.css", "/v1/limits"])
def test_head_has_the_headers_of_get(process, path):
    _, got, _ = exchange(process, "GET", path, GZIP)
    _, headers, sent = exchange(process, "HEAD", path, GZIP)
    assert sent == b""
    for name in ("content-encoding", "content-length", "vary", "etag"):
        assert headers.get(name) == got.get(name)


class TestValidators:
    @pytest.mark.parametrize("first", [GZIP, "Accept-Encoding: identity"])
    def test_a_tag_is_recognised_in_either_encoding(self, process, first):
        tag = exchange(process, "GET", "/style.css", first)[1]["etag"]
        assert tag.startswith('W/"') == (first == GZIP)
        for accepted in (GZIP, "Accept-Encoding: identity"):
            held = f"If-None-Match: {tag}"
            status, headers, sent = exchange(process, "GET", "/style.css", accepted, held)
            assert (status, sent) == (304, b"")
            assert "Accept-Encoding" in headers["vary"]
            assert "content-encoding" not in headers

    def test_an_answer_is_recognised(self, process, clips):
        request = ("POST", "/v1/analyze?timeline=true", "Content-Type: audio/mpeg", GZIP)
        _, headers, sent = exchange(process, *request, body=clips["mp3"])
        assert headers["content-encoding"] == "gzip"
        assert json.loads(gzip.decompress(sent))["genres"]
        assert headers["etag"].count("W/") == 1
        held = f"If-None-Match: {headers['etag']}"
        status, _, sent = exchange(process, *request, held, body=clips["mp3"])
        assert (status, sent) == (304, b"")

    def test_a_part_of_a_file_is_not_compressed(self, process):
        span = "Range: bytes=10-19"
        status, headers, sent = exchange(process, "GET", "/style.css", GZIP, span)
        assert status == 206
        assert "content-encoding" not in headers
        assert sent == (FOLDER / "style.css").read_bytes()[10:20]


def test_a_problem_is_compressed_too(process):
    kind = "Content-Type: audio/mpeg"
    _, headers, sent = exchange(process, "POST", "/v1/analyze", kind, GZIP, body=b"no sound" * 99)
    assert headers["content-type"] == "application/problem+json"
    body = gzip.decompress(sent) if "content-encoding" in headers else sent
    assert json.loads(body)["type"].endswith(":not-audio")


def test_metrics_count_compressed_responses(process):
    exchange(process, "GET", "/v1/models", GZIP)
    _, headers, sent = exchange(process, "GET", "/metrics", GZIP)
    assert headers["content-encoding"] == "gzip"
    assert b'route="/v1/models",status="200"' in gzip.decompress(sent)


@pytest.mark.slow
def test_no_response_contains_the_key():
    """What BREACH needs: a secret in a compressed body. There is none."""
    key, digest = new_key()
    server = Server(FIFTEEN_API_KEYS=json.dumps({"someone": digest}))
    try:
        server.wait_until_ready()
        for method, path in [
            ("GET", "/v1/limits"),
            ("GET", "/v1/models"),
            ("GET", "/v1/models/fifteen"),
            ("GET", f"/v1/models/{key}"),
            ("GET", "/openapi.json"),
            ("GET", "/metrics"),
            ("POST", "/v1/analyze"),
        ]:
            body = b"x" * 600 if method == "POST" else b""
            bearer = f"Authorization: Bearer {key}"
            _, headers, sent = exchange(server, method, path, bearer, GZIP, body=body)
            text = gzip.decompress(sent) if "content-encoding" in headers else sent
            assert text
            if key not in path:  # the client sent it there itself
                assert key.encode() not in text
            assert digest.encode() not in text
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("accepted", "allows"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip; q=1.0", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("gzipped", False),
        ("", False),
    ],
)
def test_the_weights_of_codings_are_read(accepted, allows):
    assert _accepts_gzip(Headers({"Accept-Encoding": accepted})) is allows
