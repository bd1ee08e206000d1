"""Tests that the service answers or refuses damaged recordings as documented, soon."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx

from service.schemas import PROBLEM_TYPES, Analysis
from tools.torture.mutate import case
from tools.torture.outcome import Outcome

SLOW_SECONDS = 30
NAMES = [
    ("clip.mp3", "audio/mpeg"), ("clip.wav", "audio/flac"), ("clip.m3u8", "text/html"),
    ("clip", "image/png"), ("clip.mp4", "video/webm"), ("clip.webm", "application/zip"),
]  # fmt: skip
"""Names and media types of a file in a form; most of them are wrong."""
REFUSALS = {
    PROBLEM_TYPES + slug
    for slug in (
        "not-audio", "no-audio-stream", "unsupported-audio", "clip-too-short", "decode-timeout",
    )
}  # fmt: skip


def post_cases(url, numbers, seed=0):
    """Post some cases, half of them as a form and half as the body itself."""
    outcome = Outcome()
    with httpx.Client(base_url=url, timeout=SLOW_SECONDS) as client:
        for number in numbers:
            name, data = case(number, seed)
            started = time.perf_counter()
            try:
                kind = _answered(client, number, data)
            except Exception as error:  # noqa: BLE001 - every exception is a finding
                outcome.failed.append(f"case {number} ({name}): {error!r}")
                kind = "failure"
            outcome.kinds[kind] += 1
            outcome.slowest_seconds = max(outcome.slowest_seconds, time.perf_counter() - started)
    return outcome


def _answered(client, number, data):
    if number % 2:
        name, media_type = NAMES[number // 2 % len(NAMES)]
        response = client.post("/v1/analyze", files={"file": (name, data, media_type)})
    else:
        response = client.post("/v1/analyze", content=data, headers={"Content-Type": "audio/any"})
    if response.status_code == 200:
        Analysis.model_validate_json(response.content)
        return "answered"
    problem = response.json()
    if response.status_code != 422 or problem["type"] not in REFUSALS or not problem["detail"]:
        raise ValueError(f"{response.status_code}: {response.text}")
    return problem["type"].removeprefix(PROBLEM_TYPES)


def torture(server, cases, seed, jobs):
    """Post cases from several clients to a process of the service."""
    total = Outcome()
    chunks = [range(at, min(at + 100, cases)) for at in range(0, cases, 100)]
    with ThreadPoolExecutor(jobs) as threads:
        for outcome in threads.map(lambda chunk: post_cases(server.url, chunk, seed), chunks):
            total.add(outcome)
            sys.stderr.write(f"\r{total.kinds.total():,} cases")
    sys.stderr.write("\n")
    total.memory_mb = server.most_memory_mb()
    return total
