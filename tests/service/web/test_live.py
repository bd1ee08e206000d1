"""Hostile and unlucky senders of live connections, on a real socket."""

import contextlib
import socket as sockets
import time

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed

from service.schemas import PROBLEM_TYPES
from service.web.auth import new_key
from service.web.sockets import MAX_FRAGMENTS, MAX_MESSAGE_BYTES
from tests.http import assert_analysis, post, read_metrics
from tests.live import kinds, live
from tools import signals
from tools.server import Server, serving
from tools.torture import mutate

RATE = 48_000
SECONDS = 1.5  # the read timeout of the service
CONTAINERS = ["wav", "mp3", "opus", "webm", "m4a", "fragmented-mp4", "adts"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hurried():
    """A service that waits `SECONDS` for its senders and holds two live connections."""
    server = Server("--upload-seconds", str(SECONDS), "--max-live", "2")
    server.wait_until_ready()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.fixture
def client(hurried):
    with httpx.Client(base_url=hurried.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def clips():
    groove = signals.groove(20, RATE)
    return {name: signals.encode(groove, RATE, name) for name in CONTAINERS}


def posted(client, data):
    """Return the answer of POST to the same bytes, as a live connection has it."""
    answer = client.post("/v1/analyze?timeline=true", files={"file": data}).json()
    answer.pop("timings", None)
    return answer


def answered(server, data, piece=8_192):
    """Return the last message to a recording, comparable with `posted`, and the close code."""
    with live(server) as peer:
        peer.start(timeline=True)
        with contextlib.suppress(ConnectionClosed):  # refused before it was complete
            peer.send(data, piece).end()
        last = peer.rest()[-1]
    if last.pop("message") == "final":
        last = last["analysis"]
        last.pop("timings")
    return last, peer.code


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_idle(client):
    """Return whether no live connection is open, and nothing is analysed for one."""
    metrics = read_metrics(client)
    places = ("fifteen_live_connections", "fifteen_recordings_running")
    return all(metrics[(name,)] == 0 for name in places)


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_final_answer_is_that_of_a_post(hurried, client, clips, name):
    answer, code = answered(hurried, clips[name])
    assert answer == posted(client, clips[name])
    assert code == 1_000


@pytest.mark.parametrize("number", range(12))
def test_a_damaged_recording_has_the_answer_or_problem_of_a_post(hurried, client, number):
    _, data = mutate.case(number)
    answer, code = answered(hurried, data)
    whole = posted(client, data)
    for problem in (answer, whole):
        problem.pop("instance", None)
    assert answer == whole
    assert code == 4_000 + whole["status"] if "status" in whole else 1_000


@pytest.mark.parametrize("name", ["webm", "fragmented-mp4", "opus"])
def test_a_fragment_that_lies(hurried, client, clips, name):
    data = clips[name]
    middle = len(data) // 2
    lie = data[:middle] + b"\xff" * 999 + data[middle + 999 : -5_000] + data[:2_000]
    answer, _ = answered(hurried, lie)
    whole = posted(client, lie)
    assert {**answer, "instance": None} == {**whole, "instance": None}


@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "slow"])
def test_a_sender_that_waits_is_refused(hurried, client, clips, drip):
    began = time.monotonic()
    with live(hurried) as peer:
        peer.start().send(clips["webm"][:20_000])
        with contextlib.suppress(ConnectionClosed):
            while drip and time.monotonic() < began + 20:
                peer.socket.send(drip)
                time.sleep(0.1)
        messages = peer.rest()
    assert messages[-1]["type"] == PROBLEM_TYPES + "upload-timeout"
    assert peer.code == 4_408
    assert time.monotonic() - began < 10
    until(lambda: is_idle(client))


def test_a_sender_that_pauses_is_answered_without_another_message(hurried, clips):
    with live(hurried) as peer:
        peer.start().send(clips["wav"][: 5 * 2 * RATE])
        assert peer.next()["message"] == "ready"
        began = time.monotonic()
        assert peer.next()["message"] == "running"
        assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("folder", ["tiny_models", "open_models"])
def test_models_with_and_without_short_windows(request, clips, folder):
    models = request.getfixturevalue(folder)
    with serving("--models", str(models), "--model", "tiny") as server, live(server) as peer:
        early, rest = clips["wav"][: 5 * 2 * RATE], clips["wav"][5 * 2 * RATE :]
        peer.start(timeline=True).send(early)
        assert peer.next()["message"] == "ready"
        assert 3 <= peer.next()["heard_seconds"] <= 5
        answer = peer.send(rest).end().rest()[-1]["analysis"]
        with httpx.Client(base_url=server.url, timeout=30) as client:
            assert {**answer, "timings": None} == {**posted(client, clips["wav"]), "timings": None}


def test_small_messages_arrive_in_order(hurried, client, clips):
    """Also those that wait for one another, and the text that follows them."""
    data = clips["adts"][:40_000]
    answer, code = answered(hurried, data, piece=7)
    assert answer == posted(client, data)
    assert code == 1_000


def test_a_sender_that_never_starts_is_refused(hurried):
    with live(hurried) as peer:
        assert peer.rest()[-1]["type"] == PROBLEM_TYPES + "upload-timeout"
    assert peer.code == 4_408


def test_a_drop_in_the_middle_frees_the_place(hurried, client, clips):
    for _ in range(5):  # more than there are places
        with live(hurried) as peer:
            peer.start().send(clips["webm"][:60_000])
            assert peer.next()["message"] == "ready"
            peer.socket.socket.setsockopt(  # a reset, without a goodbye
                sockets.SOL_SOCKET, sockets.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
            peer.socket.socket.close()
        until(lambda: is_idle(client))
    assert_analysis(post(client, clips["mp3"]))


def test_too_many_at_once(hurried, client):
    with live(hurried) as first, live(hurried) as second, live(hurried) as third:
        for peer in (first, second):
            assert peer.start().next()["message"] == "ready"
        refused = third.start().rest()
        assert refused[-1]["type"] == PROBLEM_TYPES + "overloaded"
        assert third.code == 4_503
    until(lambda: is_idle(client))


def test_a_flood_is_received_no_faster_than_it_is_decoded(hurried, client):
    """Half a gigabyte of samples, as fast as they go; others are served meanwhile."""
    piece = bytes(2**16)
    before = hurried.memory_mb()
    pcm = {"encoding": "f32le", "sample_rate": 192_000, "channels": 2}
    began = time.monotonic()
    sent, slowest = 0, 0.0
    with live(hurried) as peer:
        peer.start(rolling=True, pcm=pcm)
        while sent < 2**29 and time.monotonic() < began + 15:
            for _ in range(64):
                peer.socket.send(piece)
                sent += len(piece)
            asked = time.monotonic()
            assert client.get("/readyz").status_code == 200
            slowest = max(slowest, time.monotonic() - asked)
        assert sent > 2**24
        assert hurried.most_memory_mb() - before < 100
        assert slowest < 3
    until(lambda: is_idle(client))


def test_a_message_that_is_too_large(hurried):
    with live(hurried) as peer:
        peer.start()
        with contextlib.suppress(ConnectionClosed):
            peer.socket.send(bytes(MAX_MESSAGE_BYTES + 1))
        peer.rest()
    assert peer.code == 1_009


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda socket: socket.send(b"\xff\xfe", text=True), 1_007),
        (lambda socket: socket.send([b'{"message": ', b'"\xff"}'], text=True), 1_007),
        (lambda socket: socket.send([b"x"] * (MAX_FRAGMENTS + 2)), 1_009),
        (lambda socket: socket.send([b""] * 200_000), 1_009),
        (lambda socket: socket.send([""] * 200_000), 1_009),
    ],
    ids=["text", "fragments", "many", "empty", "empty-text"],
)
def test_a_malformed_message_ends_the_connection(hurried, client, send, code):
    before = hurried.memory_mb()
    with live(hurried) as peer:
        peer.start()
        with contextlib.suppress(ConnectionClosed):
            send(peer.socket)
        peer.rest()
    assert peer.code in (code, 1_006)  # the close frame is lost where the sender has not read it
    assert hurried.most_memory_mb() - before < 30
    assert "ERROR" not in hurried.log
    until(lambda: is_idle(client))


def test_a_message_may_have_fragments(hurried, client, clips):
    with live(hurried) as peer:
        peer.start(timeline=True)
        data = clips["webm"]
        peer.socket.send([data[at : at + 2_000] for at in range(0, len(data), 2_000)])
        answer = peer.end().rest()[-1]["analysis"]
    answer.pop("timings")
    assert answer == posted(client, data)


def test_a_peer_that_floods_with_pings_and_never_reads(hurried):
    before = hurried.memory_mb()
    with live(hurried) as peer:
        peer.start()
        raw = peer.socket.socket
        ping = b"\x89\xfd" + bytes(4) + bytes(125)
        raw.settimeout(2 * SECONDS)
        peer.socket.recv_events_thread  # noqa: B018  # the client's own thread reads
        with contextlib.suppress(OSError):
            for _ in range(20_000):
                raw.sendall(ping * 8)
    assert hurried.most_memory_mb() - before < 50


def test_a_wrong_key_and_a_key_in_the_address():
    key, digest = new_key()
    with serving(FIFTEEN_API_KEYS=f'{{"me": "{digest}"}}') as server:
        with live(server) as peer:
            assert peer.start(key="wrong").rest()[-1]["type"] == PROBLEM_TYPES + "unauthorized"
        assert peer.code == 4_401
        with live(server) as peer:
            assert peer.start(key=key).next()["message"] == "ready"
        with live(server, query=f"?key={key}") as peer:
            assert peer.start().rest()[-1]["type"] == PROBLEM_TYPES + "unauthorized"
        with httpx.Client(base_url=server.url) as client:
            headers = {"Authorization": f"Bearer {key}"}
            metrics = client.get("/metrics", headers=headers).text
        assert key not in metrics
    assert key not in server.log
    assert "WEBSOCKET '/v1/live' 401" in server.log


def test_shutdown_while_open(clips):
    server = Server()
    server.wait_until_ready()
    with live(server) as peer:
        peer.start().send(clips["webm"][:60_000])
        assert peer.next()["message"] == "ready"
        assert server.stop() == 0
        assert "final" not in kinds(peer.rest())
    assert peer.code == 1_012
    assert "Traceback" not in server.log


def test_workers_serve_live_connections(clips):
    with serving("--workers", "2") as server:
        server.wait_until_started(2)
        for _ in range(4):
            answer, code = answered(server, clips["webm"])
            assert (answer["audio"]["container"], code) == ("webm", 1_000)
