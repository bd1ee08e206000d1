"""Hostile requests, as bytes on a real socket."""

import re
import shutil
import subprocess
import time

import httpx2 as httpx
import pytest

from service.web.auth import new_key
from service.web.errors import MEDIA_TYPE
from tests.http import assert_analysis, assert_problem, post
from tools.server import Server

INSIDE = b"import "  # in every source file, and in no response
MIB = 2**20


def exchange(server, request):
    """Send bytes; return the response that arrives before the timeout or the end."""
    with server.connect() as connection:
        connection.settimeout(2)
        got = b""
        try:
            connection.sendall(request)
            while chunk := connection.recv(65_536):
                got += chunk
        except (TimeoutError, ConnectionError):
            pass
        return got


def get(target, headers=b""):
    return b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n"


@pytest.mark.parametrize(
    "target",
    [
        b"/../service/app.py",
        b"/%2e%2e/service/app.py",
        b"/%2e%2e%2fservice%2fapp.py",
        b"/%252e%252e/service/app.py",
        b"/js/..%2f..%2f..%2fservice%2fapp.py",
        b"/js/../../../service/app.py",
        b"/..%5c..%5cservice%5capp.py",
        b"/.%00./service/app.py",
        b"/index.html%00.py",
        b"//etc/passwd",
        b"/%2fetc%2fpasswd",
        b"/docs/../../../../../../etc/passwd",
        b"/docs/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        b"/docs//etc/passwd",
        b"/docs/%00",
        b"/%c0%ae%c0%ae/service/app.py",
        b"/....//service/app.py",
        b"http://evil.example/../service/app.py",
        b"file:///etc/passwd",
        b"/" + b"a" * 30_000,
        b"/" + b"../" * 5_000,
    ],
    ids=lambda target: target[:40].decode(),
)
def test_nothing_but_the_clients_files_is_served(process, target):
    answer = exchange(process, get(target))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert MEDIA_TYPE.encode() in head
    assert INSIDE not in body
    assert b"root:" not in body


@pytest.mark.parametrize("target", [b"/", b"/v1/limits", b"/nowhere", b"/docs", b"/openapi.json"])
@pytest.mark.parametrize(
    "named",
    [
        b"Host: evil.example",
        b"Host: evil.example:99999",
        b"Host: x\r\nX-Forwarded-Host: evil.example",
        b"Host: x\r\nForwarded: host=evil.example",
        b"Host: x\r\nX-Original-URL: /evil.example\r\nX-Rewrite-URL: /evil.example",
    ],
)
def test_no_response_depends_on_the_host_header(process, target, named):
    request = b"GET " + target + b" HTTP/1.1\r\nConnection: close\r\n%s\r\n\r\n"
    answer = exchange(process, request % named)
    assert b"evil.example" not in answer
    expected = b"404" if target == b"/nowhere" else b"200"
    assert answer.startswith(b"HTTP/1.1 " + expected)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
        b"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        get(b"/healthz", b"X: " + b"y" * MIB + b"\r\n"),
        get(b"/healthz", b"X: y\r\n" * 200_000),
        get(b"/" + b"a" * MIB),
    ],
    ids=["no-host", "hosts", "nul", "bytes", "nul-header", "spaces", "huge", "flood", "long"],
)
def test_malformed_requests_are_refused_and_disconnected(process, request_):
    before = process.memory_mb()
    answer = exchange(process, request_)
    assert re.match(
        rb"HTTP/1\.1 40[04] |$", answer
    )  # a response may be lost when the connection is cut
    assert process.most_memory_mb() - before < 30
    assert httpx.get(f"{process.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("line", "more", "status"),
    [
        (b"TRACE /", b"", b"405"),
        (b"CONNECT x:443", b"", b"404"),
        (b"OPTIONS /", b"", b"405"),
        (b"GET /healthz", b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"200"),
    ],
    ids=["trace", "connect", "options", "upgrade"],
)
def test_no_method_reveals_request_headers(process, line, more, status):
    head = b" HTTP/1.1\r\nHost: x\r\nCookie: secret\r\nConnection: close\r\n"
    answer = exchange(process, line + head + more + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"secret" not in answer


def test_ten_thousand_parameters(process):
    started, before = time.monotonic(), process.memory_mb()
    answer = exchange(process, get(b"/v1/limits?" + b"&".join([b"a=1"] * 10_000)))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - started < 5
    assert process.most_memory_mb() - before < 20


@pytest.mark.parametrize(
    "filename", [b"a\0b.mp3", b"../../x", b"\xff\xfe", b"long" * 1_000, b"%00"]
)
def test_a_filename_is_returned_and_not_logged(process, clips, filename):
    part = b'Content-Disposition: form-data; name="files"; filename="' + filename + b'"'
    body = b"--B\r\n" + part + b"\r\n\r\n" + clips["mp3"] + b"\r\n--B--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    response = httpx.post(f"{process.url}/v1/analyze/batch", content=body, headers=headers)
    assert response.status_code == 200
    (result,) = response.json()["results"]
    assert result["status"] == 200
    assert filename.decode("latin-1") not in process.log


def test_a_malformed_form_has_one_line_in_the_log(process):
    """The parser would add its own, for each part of each request."""
    before = process.log.count("WARNING")
    for body in (b"--B\nx", b"--B\r\nbad=header: x\r\n\r\nx\r\n--B--", b"--B\r\n: x\r\n\r\nx"):
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        response = httpx.post(f"{process.url}/v1/analyze", content=body, headers=headers)
        assert_problem(response, 400, "malformed-multipart")
    assert process.log.count("WARNING") == before


@pytest.mark.slow
def test_a_key_is_never_logged(clips):
    key, digest = new_key()
    wrong, _ = new_key()
    keys = f'{{"me": "{digest}"}}'
    server = Server("--log-format", "json", "--rate-per-key", "5/hour", FIFTEEN_API_KEYS=keys)
    server.wait_until_ready()
    with httpx.Client(base_url=server.url) as client:
        for sent in (key, wrong):
            for header in (f"Bearer {sent}", f"Basic {sent}", sent, f"Bearer {sent} {sent}"):
                client.get("/v1/limits", headers={"Authorization": header})
            client.get(f"/v1/limits?key={sent}&access_token={sent}")
            client.get("/v1/limits", headers={"Cookie": sent, "X-API-Key": sent})
            assert post(client, b"x").status_code == 401
        headers = {"Authorization": f"Bearer {key}"}
        statuses = [client.get("/v1/limits", headers=headers).status_code for _ in range(6)]
        assert {200, 429} <= set(statuses)
        exchange(server, b"GET / HTTP/1.1\r\nAuthorization: Bearer " + key.encode() + b"\r\n\r\n")
    assert server.stop() == 0
    assert '"status": 401' in server.log
    assert '"key": "me"' in server.log  # the log has the owner's name
    for secret in (key, wrong, digest):
        assert secret not in server.log


FULL_DISK = ("prlimit", "--fsize=0")  # no byte can be written to a file
READ_ONLY = ("unshare", "--map-root-user", "--mount", "sh", "-c",
             'mount -o remount,ro,bind / && exec "$@"', "sh")  # fmt: skip


@pytest.mark.parametrize("under", [FULL_DISK, READ_ONLY], ids=["full", "read-only"])
@pytest.mark.slow
def test_the_service_writes_nothing(clips, tmp_path, under):
    if not shutil.which(under[0]) or subprocess.run([*under, "true"], check=False).returncode:
        pytest.skip(f"{under[0]} is not possible here: the service was not run so")
    folder = tmp_path / "closed"
    folder.mkdir()
    server = Server(under=under, TMPDIR=str(folder))
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url, timeout=60) as client:
            large = clips["flac"] + bytes(20 * MIB)
            assert_analysis(post(client, clips["mp3"]))
            assert_analysis(post(client, large))
            files = [("files", large[: 5 * MIB])] * 4
            answer = client.post("/v1/analyze/batch", files=files).json()
            assert [each["status"] for each in answer["results"]] == [200] * 4
            assert client.get("/metrics").status_code == 200
            assert client.get("/").status_code == 200
    finally:
        assert server.stop() == 0
    assert "Traceback" not in server.log
    assert not list(folder.iterdir())
