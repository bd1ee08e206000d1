"""More senders than a process can serve: each request is answered or refused, and none is lost.

A request counts as *accepted* once a process of the service has read its head: it is then in that
process's log, with its id and status, and an answer is owed. Before that the connection may be
closed without a byte of an answer, as it is when the service stops, and the sender may ask again.
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
PATIENCE_SECONDS = 60  # of a sender
MOST_GROWN = 1.1


@dataclass(frozen=True)
class Sent:
    """A request, and what became of it.

    Attributes
    ----------
    id : str
    begun, ended : float
        By the monotonic clock.
    status : int or None
        None where not a byte of an answer came.
    wrong : str or None
        The answer's fault; None if it has none.
    """

    id: str
    begun: float
    ended: float
    status: int | None
    wrong: str | None


@dataclass
class Load:
    """What was sent, and what the process held meanwhile.

    Attributes
    ----------
    sent : list of Sent
    memory_mb : list of (float, float)
        Seconds since the beginning, and what was held.
    """

    sent: list[Sent] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)

    def statuses(self):
        """How many requests ended how."""
        return Counter(each.status for each in self.sent)

    def unanswered(self):
        """The requests of which not a byte was answered."""
        return [each for each in self.sent if each.status is None]

    def wrong(self):
        """Faults of the answers, each with its request's id."""
        return [f"{each.id}: {each.wrong}" for each in self.sent if each.wrong]

    def growth(self):
        """What was held in the end over what was held before, each by its median."""
        end = self.memory_mb[-1][0]
        early = [held for seconds, held in self.memory_mb if 0.1 < seconds / end < 0.4]
        late = [held for seconds, held in self.memory_mb if seconds / end > 0.7]
        return median(late) / median(early)


def clip():
    """What every sender sends."""
    return signals.wav(signals.groove(4, 22_050), 22_050)


async def ask(port, body):
    """Post a recording on a connection of its own."""
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
        return status, None if when else "it says not when"
    return status, answer.body.decode()


async def load(server, clients, seconds, rate, meanwhile=None):
    """Have clients ask at a rate, each again when it was answered and its turn has come.

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
    """Requests a second that a server answers to as many clients as it never refuses."""
    result = await load(server, clients, seconds, 1e9)
    return result.statuses()[200] / (max(each.ended for each in result.sent) - result.sent[0].begun)


def logged(server):
    """The status of every request of a load that the service has taken, by its id.

    The server must have stopped, and log in JSON.
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
    """Ask for twice of what a server can answer, for a while."""
    rate = 2 * asyncio.run(capacity(server))
    result = asyncio.run(load(server, clients, seconds, rate))
    outcome = Outcome(failed=result.wrong())
    outcome.kinds.update({str(status): count for status, count in result.statuses().items()})
    outcome.failed += [f"{each.id}: no answer" for each in result.unanswered()]
    if result.statuses().keys() != {200, 503}:
        outcome.failed.append(f"{result.statuses()}: it was not more than can be answered")
    if result.growth() > MOST_GROWN:
        outcome.failed.append(f"memory grew to {result.growth():.2f} of what it was")
    outcome.slowest_seconds = max(each.ended - each.begun for each in result.sent)
    outcome.memory_mb = server.most_memory_mb()
    return outcome
