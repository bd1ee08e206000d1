"""``python -m tests.benchmarks``: measure, and write docs/PERFORMANCE.md and docs/SCALING.md."""

import argparse
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from service import audio
from tests.benchmarks import alternatives, cost, measures, parts, performance, preparing, scaling
from tests.server import ROOT, serving


@dataclass(frozen=True)
class Effort:
    """How long everything is measured."""

    repeats: int = 30
    requests: int = 60
    seconds: int = 20
    growing: int = 20_000


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a trial: figures mean nothing")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the pages go")
    asked = parser.parse_args()
    effort = Effort(2, 3, 1, 40) if asked.quick else Effort()
    machine = f"{os.cpu_count()} processors ({platform.machine()}), Python"
    machine += f" {platform.python_version()}"
    clips = cost.clips()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"clip.{name}" for name in clips]
        for file, data in zip(files, clips.values(), strict=True):
            file.write_bytes(data)
        fast, scaled = measured(machine, clips, files, effort)
    for name, page in (
        ("PERFORMANCE.md", performance.page(fast)),
        ("SCALING.md", scaling.page(scaled)),
    ):
        (asked.docs / name).write_text(page)
        print(page)
    return 0


def measured(machine, clips, files, effort):
    """Measure all that both pages tell."""
    stages = {name: cost.stages(data, effort.repeats) for name, data in clips.items()}
    prepared = preparing.preparing(5)
    with serving() as server:
        ready_mb = server.most_memory_mb()
        requests = {
            name: cost.request(server, data, effort.requests) for name, data in clips.items()
        }
        sustained = measures.sustained(server, files, effort.seconds)
    with serving() as server:
        by_length = measures.by_length(server, max(2, effort.repeats // 5))
    roomy = {"FIFTEEN_QUEUE_LENGTH": "256", "FIFTEEN_MAX_UPLOADS": "300"}
    with serving(**roomy) as server:
        by_clients = measures.by_clients(server, files, effort.seconds)
    with serving() as server:
        growth = measures.growth(server, effort.growing)
    fast = performance.Measured(
        machine=machine,
        stages=stages,
        requests=requests,
        best_known={name: parts.best_known(data, effort.repeats) for name, data in clips.items()},
        rates=measures.rates(files, effort.seconds),
        without_opus=max(measures.rates(files[:2], effort.seconds).values()),
        rivals={
            "afternoon": measures.rival_rate("afternoon", files, effort.seconds),
            "essentia": measures.rival_rate("essentia", files[:2], effort.seconds),
        },
        sustained=sustained,
        start_seconds=measures.start(5),
        ready_mb=ready_mb,
        growth=growth,
        preparing=prepared,
        by_length=by_length,
        by_clients=by_clients,
        tried=list(tried(clips, effort.repeats)),
        layouts=layouts(files, effort.seconds, sustained.highest),
    )
    scaled = scaling.Measured(
        machine=machine,
        stages=stages,
        track=cost.stages(cost.track(), max(2, effort.repeats // 10)),
        requests=requests,
        per_second=sustained.highest,
        processors=os.cpu_count(),
        clip_bytes={name: len(data) for name, data in clips.items()},
        at_rest_mb=ready_mb,
        most_mb=sustained.most_mb,
        prepared=prepared.whole,
    )
    return fast, scaled


def tried(clips, repeats):
    """Yield all alternatives."""
    window = audio.windows(audio.decode(clips["mp3"]).waveform)[0]
    yield from alternatives.decoders(clips, max(1, repeats // 2))
    yield from alternatives.resamplers(repeats)
    yield from alternatives.spectrograms(window, repeats)
    yield from alternatives.networks(window, repeats)
    yield from alternatives.imports(max(1, repeats // 6))


def layouts(files, seconds, highest):
    """Return the highest rate of the service started otherwise."""
    started = {
        "one recording at a time (`--concurrency 1`)": {"arguments": ["--concurrency", "1"]},
        "on Python's own event loop instead of uvloop": {"module": "tests.benchmarks.with_asyncio"},
        "keeping answers (`--cache-entries 16`), the same clips again and again": {
            "arguments": ["--cache-entries", "16"]
        },
    }
    found = {}
    for name, how in started.items():
        with serving(*how.get("arguments", ()), module=how.get("module", "service")) as server:
            found[name] = measures.rate(server.url, files, seconds) / highest
    return found


if __name__ == "__main__":
    sys.exit(main())
