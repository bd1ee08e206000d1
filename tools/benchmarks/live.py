"""The cost of a live connection, as a multiple of that of one POST of the same bytes."""

import json
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from websockets.sync.client import connect

from service.web.sockets import LIVE_PATH
from tools import signals
from tools.benchmarks.cost import RATE, request, spent

FORMATS = ("webm", "opus", "fragmented-mp4", "adts", "mp3", "flac", "wav", "m4a")
PIECES_A_SECOND = 4  # messages for each second of sound, as a recorder sends
MUST = 1.5
BLOCK = re.compile(r"<!-- cost -->\n.*?<!-- /cost -->", re.DOTALL)


@dataclass(frozen=True)
class Cost:
    """Processor time for one recording, ms.

    Attributes
    ----------
    name : str
        Of the encoding.
    seconds : float
        Length of the recording.
    post, live : float
        Of a POST, and of a connection that sends as fast as it is received.
    paced : float or None
        Of a connection that sends as a recorder does, in real time; None if not measured.
    """

    name: str
    seconds: float
    post: float
    live: float
    paced: float | None = None

    @property
    def most(self):
        """The larger ratio to the POST."""
        return max(self.live, self.paced or 0) / self.post


def converse(server, data, seconds, *, paced):
    """Send a recording over one connection, and wait for its final answer."""
    count = max(1, round(seconds * PIECES_A_SECOND))
    size = -(-len(data) // count)
    with connect(f"ws://127.0.0.1:{server.port}{LIVE_PATH}", compression=None) as socket:
        socket.send(json.dumps({"message": "start"}))
        for at in range(0, len(data), size):
            if paced:
                time.sleep(1 / PIECES_A_SECOND)
            socket.send(data[at : at + size])
        socket.send(json.dumps({"message": "end"}))
        *_, last = (json.loads(message) for message in socket)
    assert last["message"] == "final", last


def live(server, data, seconds, repeats, *, paced=False):
    """Return the processor time of a connection, ms; paced ones are open at the same time."""
    converse(server, data, seconds, paced=False)
    before = spent(server.process.pid)
    if paced:
        with ThreadPoolExecutor(repeats) as pool:
            list(pool.map(lambda _: converse(server, data, seconds, paced=True), range(repeats)))
    else:
        for _ in range(repeats):
            converse(server, data, seconds, paced=False)
    return 1_000 * (spent(server.process.pid) - before) / repeats


def costs(server, seconds, repeats, rounds=3, *, paced, formats=FORMATS):
    """Yield the cost in each format; POST and connection take turns, and the median counts."""
    sound = signals.groove(seconds, RATE)
    for name in formats:
        data = signals.encode(sound, RATE, name, channels=2)
        measured = [
            partial(request, server, data, repeats),
            partial(live, server, data, seconds, repeats),
        ]
        if paced:
            measured.append(partial(live, server, data, seconds, repeats, paced=True))
        found = [[measure() for measure in measured] for _ in range(rounds)]
        yield Cost(name, seconds, *map(statistics.median, zip(*found, strict=True)))


def figures(machine, found):
    """Return the block of the page."""
    rows = "\n".join(
        f"| {each.name} | {each.seconds:g} | {each.post:.0f} | {each.live / each.post:.2f} |"
        f" {f'{each.paced / each.post:.2f}' if each.paced else '-'} |"
        for each in found
    )
    beyond = sum(each.most > MUST for each in found)
    return TEXT.format(
        machine=machine, rows=rows, pieces=PIECES_A_SECOND, beyond=beyond, of=len(found), must=MUST
    )


def with_figures(page, block):
    """Return a page with another block."""
    (old,) = BLOCK.findall(page)
    return page.replace(old, block)


TEXT = """\
<!-- cost -->
*Written by `python -m tools.benchmarks --live`.* Processor time of the service on
{machine}, all in one run: of a POST, and of a connection with the same bytes as a multiple of it.

| format | seconds of sound | POST, ms | as fast as it is received | in real time |
| --- | --- | --- | --- | --- |
{rows}

{beyond} of {of} rows have a figure above {must}. In real time, a recorder sends {pieces} messages a
second; several connections are open at the same time.
<!-- /cost -->"""
