"""Measurements for docs/PERFORMANCE.md, one function for each."""

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import httpx2 as httpx
import numpy as np

from service import audio
from tools import signals
from tools.benchmarks import cost
from tools.benchmarks.load import closed, offered
from tools.server import ROOT, free_port, serving

RATE = 48_000
LENGTHS = (15, 60, 240, 600)  # s
CLIENTS = (1, 4, 16, 64, 256)
LAYOUTS = {
    "one recording at a time (`--concurrency 1`)": ("service", ["--concurrency", "1"]),
    "Python's own event loop instead of uvloop": ("tools.benchmarks.with_asyncio", []),
    "a cache of answers (`--cache-entries 16`), for the same clips again and again": (
        "service", ["--cache-entries", "16"],
    ),
}  # fmt: skip
"""Other ways to start the service: the module and its arguments, by name."""
SHORTEST = audio.MIN_SECONDS + 0.1  # s; many of these are analysed in a short time


@contextmanager
def rival(name, workers):
    """Run a rival; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "tools.benchmarks.rivals", name, str(port), str(workers)]
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
        The rate of two clients for each processor, each one request after the other.
    even, random : tuple of float
        Median and 99th percentile of the latency at 80 % of it, s; arrivals as in `load.offered`.
    overload : float
        Answers a second when requests arrive at twice the highest rate.
    refused : int
        Requests refused with 503 during the overload.
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
    twice = offered(server.url, files, 2 * highest, seconds)
    long = 3 * seconds  # one answer in a hundred is not many
    even = offered(server.url, files, 0.8 * highest, long)
    random = offered(server.url, files, 0.8 * highest, long, "random")
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
    closed(url, files, clients, seconds / 4)  # the first requests load code and models
    load = closed(url, files, clients, seconds)
    assert not load.failed, load.failed[:3]
    return load.rate


def in_rounds(measured, rounds):
    """Call some measurements in turns, again and again; return the median of each by its name.

    Turns spread other load of the machine over all measurements.
    """
    found = [{name: measure() for name, measure in measured.items()} for _ in range(rounds)]
    return {name: np.median([each[name] for each in found], axis=0) for name in measured}


def rates(files, seconds, rounds):
    """Measure answers a second, of the service and of its rivals.

    Returns
    -------
    rates : dict
        Keyed by program and number of processes: ``"service"``, ``"service without WebM"``,
        ``"baseline"``, ``"essentia"`` (without WebM, too), and each of `LAYOUTS`.
    """
    found = {
        (name, 1): partial(service_rate, files, seconds, *arguments, module=module)
        for name, (module, arguments) in LAYOUTS.items()
    }
    for workers in sorted({1, os.cpu_count()}):
        arguments = ("--workers", str(workers))
        found["service", workers] = partial(service_rate, files, seconds, *arguments)
        found["baseline", workers] = partial(rival_rate, "baseline", workers, files, seconds)
        found["service without WebM", workers] = partial(
            service_rate, files[:2], seconds, *arguments
        )
        found["essentia", workers] = partial(rival_rate, "essentia", workers, files[:2], seconds)
    return in_rounds(found, rounds)


def service_rate(files, seconds, *arguments, module="service"):
    """Return the answers a second of a service with these options."""
    with serving(*arguments, module=module) as server:
        return rate(server.url, files, seconds)


def rival_rate(name, workers, files, seconds):
    """Return answers a second of a rival."""
    with rival(name, workers) as url:
        return rate(url, files, seconds)


def by_length(server, repeats, lengths=LENGTHS):
    """Return the processor time of a request by its length, ms for each 15 s of sound."""
    found = {}
    for seconds in lengths:
        data = signals.encode(signals.groove(seconds, RATE), RATE, "mp3", channels=2)
        found[seconds] = cost.request(server, data, repeats) * audio.WINDOW_SECONDS / seconds
    return found


def by_clients(server, files, seconds, counts=CLIENTS):
    """Return the processor time of a request, ms, by the number of concurrent clients."""
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
    """Post short recordings of every format, and measure the process's memory."""
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
