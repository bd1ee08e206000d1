"""Tests overload: the service answers or refuses each accepted request, and loses none.

A request counts as *accepted* once a process of the service has read its head. It is then in that
process's log, with its id and status, and the service owes an answer. Before that, the service may
close the connection without a byte, as it does when it stops, and the sender may retry.
"""

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from service.schemas import PROBLEM_TYPES
from tools import client, signals
from tools.torture.outcome import Outcome

REFUSAL = f"{PROBLEM_TYPES}overloaded"
PATIENCE_SECONDS = 60  # timeout of a sender
MOST_GROWN = 1.1


@dataclass(frozen=True)
class Sent:
    """A request and its outcome.

    Attributes
    ----------
    id : str
    begun, ended : float
        By the monotonic clock.
    status : int or None
        None where no byte of an answer arrived.
    wrong : str or None
        The fault of the answer; None if it has none.
    """

    id: str
    begun: float
    ended: float
    status: int | None
    wrong: str | None


@dataclass
class Load:
    """The requests of a load, and the memory of the process during it.

    Attributes
    ----------
    sent : list of Sent
    memory_mb : list of (float, float)
        Seconds since the beginning, and the memory.
    """

    sent: list[Sent] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)

    def statuses(self):
        """Return the number of requests by their status."""
        return Counter(each.status for each in self.sent)

    def unanswered(self):
        """Return the requests without a byte of an answer."""
        return [each for each in self.sent if each.status is None]

    def wrong(self):
        """Return the faults of the answers, each with its request's id."""
        return [f"{each.id}: {each.wrong}" for each in self.sent if each.wrong]

    def growth(self):
        """Return the median memory at the end divided by the median memory at the start."""
        end = self.memory_mb[-1][0]
        early = [mb for seconds, mb in self.memory_mb if 0.1 < seconds / end < 0.4]
        late = [mb for seconds, mb in self.memory_mb if seconds / end > 0.7]
        return median(late) / median(early)


def clip():
    """Return the recording that every sender sends."""
    return signals.wav(signals.groove(4, 22_050), 22_050)


async def ask(port, body):
    """Post a recording on a new connection."""
    name, begun = f"load-{uuid.uuid4()}", time.monotonic()
    head = (
        "POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nConnection: close\r\n"
        f"X-Request-ID: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        received = await client.exchange("127.0.0.1", port, head.encode() + body, PATIENCE_SECONDS)
    except TimeoutError:
        return Sent(name, begun, time.monotonic(), None, f"no answer in {PATIENCE_SECONDS} s")
    status, wrong = judge(name, received)
    return Sent(name, begun, time.monotonic(), status, wrong)


def judge(name, received):
    """Return an answer's status, and a description of its fault if it has one."""
    answer = client.parse(received)
    status = answer.status
    if status is None:
        return None, None
    if not answer.whole:
        return status, f"it breaks off: {received!r}"
    if f"x-request-id: {name}".encode() not in answer.head:
        return status, "it is another's"
    content = json.loads(answer.body)
    if status == 200:
        return status, None if "verdict" in content else "it has no verdict"
    if status == 503 and content["type"] == REFUSAL:
        when = re.search(rb"retry-after: [1-9]", answer.head)
        return status, None if when else "it has no Retry-After"
    return status, answer.body.decode()


async def load(server, clients, seconds, rate, meanwhile=None):
    """Send requests from clients at a rate; each client waits for its answer and its turn.

    Parameters
    ----------
    server : Server
    clients : int
    seconds : float
    rate : float
        Requests a second, of all clients together.
    meanwhile : callable or None
        Called halfway.
    """
    result, body, begun = Load(), clip(), time.monotonic()

    async def sender(place):
        turn = begun + place / rate
        while turn < begun + seconds:
            await asyncio.sleep(turn - time.monotonic())
            result.sent.append(await ask(server.port, body))
            turn = max(turn + clients / rate, time.monotonic())

    async def watch():
        while server.process.poll() is None:
            result.memory_mb.append((time.monotonic() - begun, server.resident_mb()))
            await asyncio.sleep(0.2)

    watcher = asyncio.create_task(watch())
    async with asyncio.TaskGroup() as group:
        for place in range(clients):
            group.create_task(sender(place))
        if meanwhile:
            await asyncio.sleep(seconds / 2)
            await asyncio.to_thread(meanwhile)
    watcher.cancel()
    return result


async def capacity(server, clients=4, seconds=2.0):
    """Return the requests a second that a server answers to clients too few for a refusal."""
    result = await load(server, clients, seconds, 1e9)
    return result.statuses()[200] / (max(each.ended for each in result.sent) - result.sent[0].begun)


def logged(server):
    """Return the status of every accepted request of a load, by its id.

    The server must have stopped. Its log must be in JSON.
    """
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    names = Counter(line["request_id"] for line in lines if "request_id" in line)
    assert max(names.values()) == 1, "a request was logged twice"
    return {
        line["request_id"]: line["status"]
        for line in lines
        if line.get("request_id", "").startswith("load-")
    }


def torture(server, clients, seconds):
    """Send twice as many requests as a server can answer, for a while."""
    rate = 2 * asyncio.run(capacity(server))
    result = asyncio.run(load(server, clients, seconds, rate))
    outcome = Outcome(failed=result.wrong())
    outcome.kinds.update({str(status): count for status, count in result.statuses().items()})
    outcome.failed += [f"{each.id}: no answer" for each in result.unanswered()]
    if result.statuses().keys() != {200, 503}:
        outcome.failed.append(f"{result.statuses()}: the load did not exceed the capacity")
    if result.growth() > MOST_GROWN:
        outcome.failed.append(f"memory grew to {result.growth():.2f} times its level before")
    outcome.slowest_seconds = max(each.ended - each.begun for each in result.sent)
    outcome.memory_mb = server.most_memory_mb()
    return outcome
