"""Memory of a server process at rest, after recordings of all lengths and formats.

Several clients send long recordings between short ones. The test shows whether the memory of the
long recordings returns to the system.
"""

import itertools
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2 as httpx

from tools import signals
from tools.torture import mutate

CLIENTS = 4
RATE = 48_000  # Hz
SHORT_SECONDS = (4, 15, 31)
LONG_SECONDS = (240, 600)
LONG_FORMATS = ("mp3", "m4a", "flac")
LONG_SHARE, DAMAGED_SHARE = 0.04, 0.2  # of the requests
REST_SECONDS = 2
STATUSES = {200, 413, 422}  # a lossless recording of ten minutes may be too large


@dataclass(frozen=True)
class AtRest:
    """Memory of a process after some requests, MB."""

    requests: int
    mb: float


def recordings(long_seconds=LONG_SECONDS):
    """Return short recordings of every format, and long ones.

    Returns
    -------
    short, long : list of bytes
    """
    short = [
        signals.encode(signals.groove(seconds, RATE), RATE, name, channels=2)
        for seconds in SHORT_SECONDS
        for name in signals.ENCODINGS
    ]
    long = [
        signals.encode(signals.groove(seconds, RATE), RATE, name)
        for seconds in long_seconds
        for name in LONG_FORMATS
    ]
    return short, long


def mixed(count, short, long, seed=0):
    """Yield recordings: mostly short ones, some long, some damaged."""
    draw = random.Random(seed)
    for number in range(count):
        kind = draw.random()
        if kind < LONG_SHARE:
            yield draw.choice(long)
        elif kind < LONG_SHARE + DAMAGED_SHARE:
            yield mutate.case(number, seed)[1]
        else:
            yield draw.choice(short)


def at_rest(server, count, short, long):
    """Post mixed recordings by several clients, and measure the process's memory afterwards."""

    def post(numbered):
        number, data = numbered
        body = {"files": {"file": data}} if number % 2 else {"content": data}
        headers = {} if number % 2 else {"Content-Type": "audio/any"}
        response = httpx.post(f"{server.url}/v1/analyze", **body, headers=headers, timeout=120)
        assert response.status_code in STATUSES, response.text

    with ThreadPoolExecutor(CLIENTS) as threads:
        waiting = enumerate(mixed(count, short, long))
        while batch := list(itertools.islice(waiting, 10 * CLIENTS)):
            list(threads.map(post, batch))
    time.sleep(REST_SECONDS)
    return AtRest(count, server.resident_mb())
