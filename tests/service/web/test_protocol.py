"""Connections on real sockets: slow clients, malformed HTTP, absolute targets."""

import socket
import time
from functools import partial

import httpx2 as httpx
import pytest
from uvicorn.protocols.utils import ClientDisconnected

from service.schemas import PROBLEM_TYPES, Problem
from service.web.errors import MEDIA_TYPE
from service.web.headers import SECURITY
from service.web.protocol import Socket
from service.web.sockets import MAX_MESSAGE_BYTES
from tests.http import assert_analysis, assert_problem, post
from tests.live import live
from tools.server import Server, Threaded

SECONDS = 1.0
SLACK = 3.0  # for a busy machine
UPLOAD = (
    b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/mpeg\r\n"
    b"Content-Length: 200000\r\n\r\n"
)
REFUSED = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"


@pytest.fixture(scope="module")
def hurried():
    """A service that waits `SECONDS` for its clients, and holds two bodies at a time."""
    server = Server("--upload-seconds", str(SECONDS), "--max-uploads", "2")
    server.wait_until_ready()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


def held(connection, drip):
    """Send bytes now and then until the connection ends; return its duration and the response."""
    connection.settimeout(0.1)
    started, got = time.monotonic(), b""
    while (seconds := time.monotonic() - started) < 20:
        try:
            if drip:
                connection.sendall(drip)
            chunk = connection.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return seconds, got
        if not chunk:
            return seconds, got
        got += chunk
    pytest.fail(f"still open after {seconds} s: {got!r}")


@pytest.mark.parametrize(
    ("begins", "drip", "waits", "answer"),
    [
        (b"", b"", 1, b""),
        (b"", b"G", 1, b""),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /", b"a", 1, b"HTTP/1.1 200 "),
        (REFUSED, b"x", 1, b"HTTP/1.1 405 "),
        (UPLOAD, b"x", 2, b"HTTP/1.1 408 "),  # for the body, and then for the rest of it
        (UPLOAD, b"", 2, b"HTTP/1.1 408 "),
    ],
    ids=["nothing", "head", "second-head", "refused-body", "body", "no-body"],
)
@pytest.mark.slow
def test_a_slow_client_is_disconnected_after_the_timeout(hurried, begins, drip, waits, answer):
    with hurried.connect() as connection:
        connection.sendall(begins)
        seconds, got = held(connection, drip)
    assert got.startswith(answer)
    assert waits * SECONDS * 0.5 <= seconds < waits * SECONDS + SLACK  # on a busy machine


@pytest.mark.slow
def test_slow_uploads_free_their_places(hurried, clips):
    slow = [hurried.connect() for _ in range(2)]
    for connection in slow:
        connection.sendall(UPLOAD + b"ID3")
    with httpx.Client(base_url=hurried.url) as client:
        deadline = time.monotonic() + 10
        while post(client, clips["mp3"]).status_code != 503:  # until both bodies are counted
            assert time.monotonic() < deadline
        assert_problem(post(client, clips["mp3"]), 503, "overloaded")
        for connection in slow:
            assert hurried.answer(connection).startswith(b"HTTP/1.1 408 ")
            connection.close()
        assert_analysis(post(client, clips["mp3"]))


def ask_on(connection):
    """Send requests without reading a response."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.slow
def test_a_client_that_reads_no_response_is_disconnected(hurried):
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(SECONDS + SLACK)
        connection.connect(("127.0.0.1", hurried.port))
        with pytest.raises(ConnectionError):
            ask_on(connection)
    assert httpx.get(f"{hurried.url}/readyz").status_code == 200


@pytest.mark.slow
def test_an_active_connection_stays_open(hurried):
    """The timeout is for the client; the work of the service has its own limits."""
    with httpx.Client(base_url=hurried.url) as client:
        for _ in range(5):  # on one connection, for longer than the timeout
            assert client.get("/healthz").status_code == 200
            time.sleep(SECONDS / 3)


@pytest.mark.parametrize("ends", [socket.socket.close, lambda one: one.shutdown(socket.SHUT_WR)])
@pytest.mark.parametrize("sent", [b"ID3", b"ID3" + bytes(199_997)], ids=["part", "whole"])
def test_a_client_that_disconnects_frees_its_place(hurried, clips, sent, ends):
    """A half-closed connection counts as disconnected, as in uvicorn."""
    left = [hurried.connect() for _ in range(4)]  # two more than the limit
    for connection in left:
        connection.sendall(UPLOAD + sent)
        ends(connection)
    with httpx.Client(base_url=hurried.url) as client:
        deadline = time.monotonic() + SECONDS * 0.9  # before the timeout
        while (response := post(client, clips["mp3"])).status_code == 503:
            assert time.monotonic() < deadline
    assert_analysis(response)
    for connection in left:
        connection.close()


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6",
        b"Content-Length: 6\r\nContent-Length: 5",
        b"Content-Length: +6",
        b"Content-Length: 0x6",
        b"Content-Length: -1",
        b"Content-Length : 6",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, identity",
    ],
)
def test_an_ambiguous_body_length_is_refused(hurried, lengths):
    """Against request smuggling: the bytes after such a head are not read as a request."""
    with hurried.connect() as connection:
        connection.sendall(
            b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n\r\n"
            b"0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        _, got = held(connection, b"")
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1") == 1


HEAD = b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/x\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",  # TLS, as https:// would begin
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000,
        HEAD + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Content-Length: six\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nRIFF\r\nno length\r\n",
    ],
)
def test_malformed_http_is_answered_by_a_problem(hurried, sent):
    with hurried.connect() as connection:
        connection.sendall(sent)
        _, got = held(connection, b"")
    head, _, body = got.partition(b"\r\n\r\n")
    status, *lines = head.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    assert status == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == MEDIA_TYPE
    assert headers["connection"] == "close"
    assert headers["x-request-id"]
    assert headers.items() >= {name.lower(): value for name, value in SECURITY.items()}.items()
    problem = Problem.model_validate_json(body)
    assert (problem.status, problem.type) == (400, PROBLEM_TYPES + "malformed-http")


UPGRADE = b"GET /v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        UPGRADE + VERSION,
        UPGRADE + VERSION + KEY[:-8] + b"\r\n",
        UPGRADE + VERSION + KEY + KEY,
        UPGRADE + KEY,
        UPGRADE + KEY + VERSION.replace(b"13", b"8"),
        UPGRADE.replace(b"GET", b"POST") + VERSION + KEY,
        UPGRADE + VERSION + KEY + b"Cookie: " + b"c" * 9_000 + b"\r\n",
        UPGRADE + VERSION + KEY + b"X: y\r\n" * 200,
        UPGRADE.replace(b" HTTP", b"?" + b"q" * 9_000 + b" HTTP") + VERSION + KEY,
    ],
    ids=["no-key", "short-key", "keys", "no-version", "old", "post", "long", "many", "target"],
)
def test_a_malformed_handshake_is_answered_by_a_problem_and_ends(hurried, sent):
    with hurried.connect() as connection:
        connection.sendall(sent + b"\r\n")
        seconds, got = held(connection, b"")
    assert seconds < SECONDS + SLACK
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"content-type: {MEDIA_TYPE}".encode() in head
    problem = Problem.model_validate_json(body)
    assert (problem.status, problem.type) == (400, PROBLEM_TYPES + "malformed-http")
    assert problem.detail.startswith("Failed to open a WebSocket connection: ")


def test_a_request_to_the_address_of_the_socket_is_told_of_it(hurried):
    problem = assert_problem(httpx.get(f"{hurried.url}/v1/live"), 404, "not-found")
    assert "WebSocket" in problem["detail"]


def test_http_that_breaks_after_the_answer_only_ends_the_connection(hurried):
    """The fixture looks for tracebacks: a second response must not be attempted."""
    with hurried.connect() as connection:
        connection.sendall(
            b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nRIFF\r\n"
        )
        got = hurried.answer(connection)
        connection.sendall(b"no length\r\n")
        _, more = held(connection, b"")
    assert got.startswith(b"HTTP/1.1 405 ")
    assert more == b""


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://any.example/healthz", b"200"),
        (b"HTTP://any.example:8000/healthz?a=b", b"200"),
        (b"https://any.example/v1/limits", b"200"),
        (b"http://any.example", b"200"),  # the client's page
        (b"http://any.example?a=b", b"200"),
        (b"http://[::1]:8000/healthz", b"200"),
        (b"http://any.example/nowhere", b"404"),
        (b"ftp://any.example/healthz", b"404"),
        (b"http:/healthz", b"404"),
    ],
)
def test_a_target_may_be_absolute(hurried, target, status):
    answer = hurried.ask(b"GET " + target + b" HTTP/1.1\r\nHost: other.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status + b" ")
    assert b"any.example" not in answer.partition(b"\r\n\r\n")[0]


def test_a_recording_may_be_sent_to_an_absolute_target(hurried, clips):
    data = clips["mp3"]
    head = b"POST http://x/v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/mpeg\r\n"
    answer = hurried.ask(head + b"Content-Length: %d\r\n\r\n" % len(data) + data)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("kind", ["websocket.send", "websocket.close"])
def test_an_answer_to_a_socket_that_the_server_has_closed_finds_its_sender_gone(kind):
    """uvicorn closes it after a frame that breaks the protocol, such as one that is too large."""
    found = []

    async def app(scope, receive, send):
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        try:
            await send({"type": kind, "text": "late"})
        except (OSError, RuntimeError) as error:
            found.append(error)

    server = Threaded(app, ws=partial(Socket, seconds=SECONDS))
    with live(server) as peer:
        peer.socket.send(bytes(MAX_MESSAGE_BYTES + 1))
        peer.rest()
    server.stop()
    assert peer.code == 1009
    assert [type(error) for error in found] == [ClientDisconnected]
