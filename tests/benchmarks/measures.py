"""What docs/PERFORMANCE.md tells, measured: a figure each."""

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2 as httpx

from service import audio
from tests import signals
from tests.benchmarks import cost
from tests.benchmarks.load import closed, offered
from tests.server import ROOT, free_port, serving

RATE = 48_000
LENGTHS = (15, 60, 240, 600)  # s
CLIENTS = (1, 4, 16, 64, 256)
SHORTEST = audio.MIN_SECONDS + 0.1  # s, so that many are heard soon


@contextmanager
def rival(name, workers):
    """Run a rival; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.rivals", name, str(port), str(workers)]
    process = subprocess.Popen(command, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url, process):
    for _ in range(600):
        try:
            httpx.get(f"{url}/readyz").raise_for_status()
        except httpx.ConnectError:
            assert process.poll() is None, "the rival has ended"
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the rival does not answer")


def start(repeats):
    """Return the median time from the start of the process until it is ready, s."""
    took = []
    for _ in range(repeats):
        began = time.monotonic()
        with serving():
            took.append(time.monotonic() - began)
    return statistics.median(took)


@dataclass(frozen=True)
class Sustained:
    """The service under load; rates are answers a second.

    Attributes
    ----------
    highest : float
        With two clients for each processor, one request after the other.
    even, random : tuple of float
        Median and 99th percentile of the latency at 80 % of it, s; arrivals as in `load.offered`.
    overload : float
        Answers a second at twice the highest rate.
    refused : int
        With 503, meanwhile.
    most_mb : float
    """

    highest: float
    even: tuple[float, float]
    random: tuple[float, float]
    overload: float
    refused: int
    most_mb: float


def sustained(server, files, seconds):
    """Measure a service under load; raises `AssertionError` if anything but 503 is refused."""
    highest = rate(server.url, files, seconds)
    long = 3 * seconds  # one answer in a hundred is not many
    even = offered(server.url, files, 0.8 * highest, long)
    random = offered(server.url, files, 0.8 * highest, long, "random")
    twice = offered(server.url, files, 2 * highest, seconds)
    for load in (even, random, twice):
        assert not load.failed, load.failed[:3]
    return Sustained(
        highest,
        *((load.percentile(50), load.percentile(99)) for load in (even, random)),
        twice.rate,
        len(twice.refused),
        server.most_memory_mb(),
    )


def rate(url, files, seconds):
    """Return answers a second by two clients for each processor, one request after the other."""
    clients = 2 * os.cpu_count()
    closed(url, files, clients, seconds / 4)  # what is loaded at first use
    load = closed(url, files, clients, seconds)
    assert not load.failed, load.failed[:3]
    return load.rate


def process_counts():
    """Return the numbers of processes that a service is tried with."""
    return sorted({1, os.cpu_count()})


def rates(files, seconds):
    """Return the service's answers a second, by how many processes it has."""
    found = {}
    for workers in process_counts():
        with serving("--workers", str(workers)) as server:
            found[workers] = rate(server.url, files, seconds)
    return found


def rival_rate(name, files, seconds):
    """Return a rival's answers a second, by as many processes as suit it best."""
    found = []
    for workers in process_counts():
        with rival(name, workers) as url:
            found.append(rate(url, files, seconds))
    return max(found)


def by_length(server, repeats, lengths=LENGTHS):
    """Return the processor time of a request by its length, ms for each 15 s of sound."""
    found = {}
    for seconds in lengths:
        data = signals.encode(signals.groove(seconds, RATE), RATE, "mp3", channels=2)
        found[seconds] = cost.request(server, data, repeats) * audio.WINDOW_SECONDS / seconds
    return found


def by_clients(server, files, seconds, counts=CLIENTS):
    """Return the processor time of a request, ms, by how many clients ask at the same time."""
    found = {}
    for clients in counts:
        before = cost.spent(server.process.pid)
        load = closed(server.url, files, clients, seconds)
        assert not load.failed, load.failed[:3]
        answered = len(load.latencies)
        found[clients] = 1_000 * (cost.spent(server.process.pid) - before) / answered
    return found


@dataclass(frozen=True)
class Growth:
    """Memory of a process after a tenth of some requests, and after all of them, MB."""

    requests: int
    early_mb: float
    late_mb: float


def growth(server, requests):
    """Post short recordings of every format, and watch the process's memory."""
    groove = signals.groove(SHORTEST, RATE)
    recordings = [signals.encode(groove, RATE, name, channels=2) for name in signals.ENCODINGS]

    def post(count):
        def ask(place):
            with httpx.Client(base_url=server.url, timeout=60) as client:
                for number in range(place, count, 4):
                    data = recordings[number % len(recordings)]
                    client.post("/v1/analyze", files={"file": data}).raise_for_status()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(ask, range(4)))
        return server.memory_mb()

    early = post(requests // 10)
    return Growth(requests, early, post(requests - requests // 10))
