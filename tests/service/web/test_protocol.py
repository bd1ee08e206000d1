"""What a connection may cost, on real sockets: nobody holds one by being slow."""

import socket
import time

import httpx2 as httpx
import pytest

from tests.service.test_app import assert_analysis, assert_problem, post
from tools.server import Server

SECONDS = 1.0
SLACK = 3.0  # of a busy machine
UPLOAD = (
    b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/mpeg\r\n"
    b"Content-Length: 200000\r\n\r\n"
)
REFUSED = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"


@pytest.fixture(scope="module")
def hurried():
    """A service that waits `SECONDS` for its senders, and has two places for their bodies."""
    server = Server("--upload-seconds", str(SECONDS), "--max-uploads", "2")
    server.wait_until_ready()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


def held(connection, drip):
    """Send a byte now and then; return how long that goes well, and what was answered."""
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
        (UPLOAD, b"x", 2, b"HTTP/1.1 408 "),  # the body, and then what is left of it
        (UPLOAD, b"", 2, b"HTTP/1.1 408 "),
    ],
    ids=["nothing", "head", "second-head", "refused-body", "body", "no-body"],
)
def test_a_slow_sender_is_waited_for_so_long(hurried, begins, drip, waits, answer):
    with hurried.connect() as connection:
        connection.sendall(begins)
        seconds, got = held(connection, drip)
    assert got.startswith(answer)
    assert waits * SECONDS * 0.9 <= seconds < waits * SECONDS + SLACK


def test_slow_uploads_free_their_places(hurried, clips):
    slow = [hurried.connect() for _ in range(2)]
    for connection in slow:
        connection.sendall(UPLOAD + b"ID3")
    with httpx.Client(base_url=hurried.url) as client:
        deadline = time.monotonic() + 10
        while post(client, clips["mp3"]).status_code != 503:  # until both have their places
            assert time.monotonic() < deadline
        assert_problem(post(client, clips["mp3"]), 503, "overloaded")
        for connection in slow:
            assert hurried.answer(connection).startswith(b"HTTP/1.1 408 ")
            connection.close()
        assert_analysis(post(client, clips["mp3"]))


def ask_on(connection):
    """Ask again and again, and take no answer."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_sender_who_takes_no_answer_is_cut(hurried):
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(SECONDS + SLACK)
        connection.connect(("127.0.0.1", hurried.port))
        with pytest.raises(ConnectionError):
            ask_on(connection)
    assert httpx.get(f"{hurried.url}/readyz").status_code == 200


def test_who_is_at_work_is_not_cut(hurried):
    """The clock is the sender's: what the service does has its own bounds."""
    with httpx.Client(base_url=hurried.url) as client:
        for _ in range(5):  # on one connection, for longer than a sender is waited for
            assert client.get("/healthz").status_code == 200
            time.sleep(SECONDS / 3)


@pytest.mark.parametrize("ends", [socket.socket.close, lambda one: one.shutdown(socket.SHUT_WR)])
@pytest.mark.parametrize("sent", [b"ID3", b"ID3" + bytes(199_997)], ids=["part", "whole"])
def test_whoever_leaves_frees_the_place(hurried, clips, sent, ends):
    """Half a connection is none: who sends no more is taken to have left, as uvicorn does."""
    left = [hurried.connect() for _ in range(4)]  # two more than there are places
    for connection in left:
        connection.sendall(UPLOAD + sent)
        ends(connection)
    with httpx.Client(base_url=hurried.url) as client:
        deadline = time.monotonic() + SECONDS * 0.9  # sooner than by the clock
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
def test_a_body_has_one_length(hurried, lengths):
    """No request is smuggled: the bytes after such a head are not read as one."""
    with hurried.connect() as connection:
        connection.sendall(
            b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n\r\n"
            b"0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        _, got = held(connection, b"")
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1") == 1
