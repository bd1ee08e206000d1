"""Measures a service under load: its throughput, its latency and its behaviour under overload.

Clients are tasks of one event loop in a process of their own, so they share no lock with the
server. They share its processors, so they do little: they send bytes that were built before.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import numpy as np

from tools.client import exchange, parse

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Load:
    """The outcome of some requests.

    Attributes
    ----------
    seconds : float
        From the first request to the last answer.
    latencies : list of float
        Seconds from the due time to the answer, for each request answered with 200.
    refused : list of float
        The same for each request refused with 503.
    failed : list of str
        The status or the connection error of every other request.
    """

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def rate(self):
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent):
        """Return a percentile of the latencies, seconds."""
        return float(np.percentile(self.latencies, percent))


def closed(url, files, clients, seconds):
    """Send requests from some clients, each one request after the other."""
    return _apart(url, files, {"clients": clients, "seconds": seconds})


def offered(url, files, rate, seconds, arrivals="even"):
    """Send requests at a rate, whether or not earlier ones are answered.

    Arrivals are ``even``, as in most load generators, or ``random``, as from independent people (a
    Poisson process).
    """
    return _apart(url, files, {"rate": rate, "seconds": seconds, "arrivals": arrivals})


def _apart(url, files, options):
    command = [sys.executable, "-m", "tools.benchmarks.load", url, json.dumps(options)]
    done = subprocess.run([*command, *map(str, files)], stdout=subprocess.PIPE, check=True)
    return Load(**json.loads(done.stdout))


class _Clients:
    def __init__(self, url, recordings):
        self.address = urlsplit(url)
        self.requests = itertools.cycle([_request(recording) for recording in recordings])
        self.load = Load()

    async def ask(self, due):
        host, port = self.address.hostname, self.address.port
        try:
            received = await exchange(host, port, next(self.requests), PATIENCE_SECONDS)
        except (OSError, TimeoutError) as error:
            self.load.failed.append(repr(error))
            return
        took = time.monotonic() - due
        answer = parse(received)
        if answer.whole and answer.status == 200:
            self.load.latencies.append(took)
        elif answer.whole and answer.status == 503 and b"retry-after" in answer.head:
            self.load.refused.append(took)
        else:
            self.load.failed.append(answer.head.decode() or "no answer")

    async def one_after_the_other(self, ends):
        while time.monotonic() < ends:
            await self.ask(time.monotonic())

    async def at_a_rate(self, rate, seconds, arrivals):
        count = round(rate * seconds)
        draw = np.random.default_rng(0)
        gaps = draw.exponential(1, count) if arrivals == "random" else np.ones(count)
        due = time.monotonic() + np.cumsum(gaps) / rate
        async with asyncio.TaskGroup() as group:
            for at in due:
                await asyncio.sleep(max(0, at - time.monotonic()))
                group.create_task(self.ask(at))


def _request(recording):
    """Return a request with a form as bytes; building it must not be part of a measurement."""
    request = httpx.Request(
        "POST", "http://127.0.0.1/v1/analyze", files={"file": recording},
        headers={"Connection": "close"},
    )  # fmt: skip
    body = request.read()
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /v1/analyze HTTP/1.1\r\n{fields}\r\n".encode() + body


async def _run(url, recordings, options):
    clients = _Clients(url, recordings)
    started = time.monotonic()
    if "rate" in options:
        await clients.at_a_rate(**options)
    else:
        ends = started + options["seconds"]
        each = (clients.one_after_the_other(ends) for _ in range(options["clients"]))
        await asyncio.gather(*each)
    return asdict(clients.load) | {"seconds": time.monotonic() - started}


def main():
    url, options, *files = sys.argv[1:]
    recordings = [(Path(name).name, Path(name).read_bytes()) for name in files]
    print(json.dumps(asyncio.run(_run(url, recordings, json.loads(options)))))


if __name__ == "__main__":
    main()
