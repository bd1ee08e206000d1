"""A few seconds of the load of ``make torture``, and processes that stop under it."""

import asyncio
import os
import signal
import time

import pytest

from tools.server import Server
from tools.torture import load

pytestmark = pytest.mark.slow

CLIENTS, SECONDS = 256, 4.0
OPTIONS = ("--log-format", "json", "--shutdown-seconds", "30")
LEAST_RATE = 40.0  # requests a second at the least


@pytest.fixture
def starting():
    """Return a function that starts a service; all services are stopped at the end."""
    servers = []

    def start(*options):
        servers.append(Server(*OPTIONS, *options))
        servers[0].wait_until_ready()
        return servers[0]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()


def overload(server):
    return max(LEAST_RATE, 2 * asyncio.run(load.capacity(server, seconds=1)))


def test_every_request_is_answered_or_refused(starting):
    server = starting()
    result = asyncio.run(load.load(server, CLIENTS, SECONDS, overload(server)))
    assert server.stop() == 0
    statuses = result.statuses()
    assert statuses.keys() == {200, 503}
    assert min(statuses.values()) > 10
    assert result.wrong() == []
    answered = {each.id: each.status for each in result.sent}
    assert answered.items() <= load.logged(server).items()
    assert result.growth() < 1.3  # for some seconds; `make torture` is stricter


def test_stopping_loses_no_accepted_request(starting):
    server = starting()
    rate = overload(server)
    stopped = []

    def stop():
        stopped.append(time.monotonic())
        assert server.stop() == 0

    result = asyncio.run(load.load(server, CLIENTS, SECONDS, rate, stop))
    assert result.wrong() == []
    answered = {each.id: each.status for each in result.sent if each.status}
    accepted = load.logged(server)
    owed = {each.id: accepted[each.id] for each in result.sent if each.id in accepted}
    assert owed == answered
    assert any(each.begun < stopped[0] < each.ended for each in result.sent if each.status == 200)
    assert all(each.ended > stopped[0] for each in result.unanswered())


def test_a_killed_process_loses_no_more_than_it_held(starting):
    server = starting("--workers", "2")
    server.wait_until_started(2)
    rate, victim = overload(server), server.workers()[0]
    killed = []  # it was alive at the first check, and dead at the second

    def kill():
        killed.append(time.monotonic())
        os.kill(victim, signal.SIGKILL)
        killed.append(time.monotonic())

    result = asyncio.run(load.load(server, CLIENTS, SECONDS, rate, kill))
    assert result.wrong() == []
    alive, dead = killed
    assert all(each.begun < dead and alive < each.ended for each in result.unanswered())
    after = [each.status for each in result.sent if each.begun > dead]
    assert set(after) == {200, 503}
    server.wait_until_started(3)  # another process replaced it
    assert server.stop() == 0
    accepted = load.logged(server)
    answered = {each.id: each.status for each in result.sent if each.status}
    assert {name: accepted[name] for name in answered} == answered


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx-request-id: a\r\n\r\n{", "breaks off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: b\r\n\r\n{}", "another's"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: a\r\n\r\n{}", "no verdict"),
        (
            b"HTTP/1.1 503 No\r\ncontent-length: 44\r\nx-request-id: a\r\n\r\n"
            b'{"type":"urn:problem-type:fifteen:overloaded"}'[:46],
            "breaks off",
        ),
        (
            b"HTTP/1.1 503 No\r\ncontent-length: 46\r\nx-request-id: a\r\n\r\n"
            b'{"type":"urn:problem-type:fifteen:overloaded"}',
            "no Retry-After",
        ),
        (
            b"HTTP/1.1 500 No\r\ncontent-length: 2\r\nx-request-id: a\r\n\r\n{}",
            "{}",
        ),
    ],
)
def test_a_wrong_answer_is_detected(got, wrong):
    assert wrong in load.judge("a", got)[1]
