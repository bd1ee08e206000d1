"""``python -m tools.benchmarks``: measure, and write docs/PERFORMANCE.md and docs/SCALING.md.

With ``--search``, measure the search for similar recordings, and write docs/SEARCH.md. With
``--live``, measure live connections, and write their figures into docs/LIVE.md. With
``--raspberry-pi``, count instructions on emulated cores, and write docs/RASPBERRY_PI.md.
With ``--device``, measure answers on the device in Chromium, and write docs/DEVICE.md.
With ``--answer``, measure what tempo, key and loudness cost, and write docs/ANSWER.md.
"""

import argparse
import os
import platform
import sys
import tempfile
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

from service import audio
from tools import emulated
from tools.benchmarks import (
    alternatives,
    answer,
    cost,
    device,
    live,
    measures,
    memory,
    parts,
    performance,
    preparing,
    raspberry,
    scaling,
    search,
)
from tools.benchmarks.cost import Stages
from tools.server import ROOT, serving


@dataclass(frozen=True)
class Effort:
    """The durations and counts of the measurements."""

    rounds: int = 3
    repeats: int = 15
    requests: int = 40
    seconds: int = 10
    growing: int = 20_000
    mixed: int = 4_000


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a trial: figures mean nothing")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the pages go")
    parser.add_argument("--memory", action="store_true", help="measure only memory at rest again")
    parser.add_argument("--search", action="store_true", help="measure only the search")
    parser.add_argument("--live", action="store_true", help="measure only live connections")
    parser.add_argument("--raspberry-pi", action="store_true", help="estimate only that")
    parser.add_argument("--device", action="store_true", help="measure only the device part")
    parser.add_argument("--answer", action="store_true", help="measure only the whole answer")
    args = parser.parse_args()
    args.docs.mkdir(parents=True, exist_ok=True)
    effort = Effort(1, 2, 3, 1, 40, 40) if args.quick else Effort()
    if args.memory:
        return memory_again(args.docs / "PERFORMANCE.md", effort)
    machine = f"{os.cpu_count()} processors ({platform.machine()}), Python"
    machine += f" {platform.python_version()}"
    if args.search:
        return search_again(args.docs / "SEARCH.md", machine, quick=args.quick)
    if args.live:
        return live_again(args.docs / "LIVE.md", machine, quick=args.quick)
    if args.raspberry_pi:
        return raspberry_again(args.docs / "RASPBERRY_PI.md")
    if args.device:
        return device_again(args.docs / "DEVICE.md", machine, quick=args.quick)
    if args.answer:
        return answer_again(args.docs / "ANSWER.md", machine, effort)
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
        (args.docs / name).write_text(page)
        print(page)
    return 0


def memory_again(page, effort):
    """Measure memory at rest, and write its row of a page."""
    with serving() as server:
        at_rest = memory.at_rest(server, effort.mixed, *memory.recordings())
    figure = performance.memory_at_rest(at_rest)
    page.write_text(performance.with_figure(page.read_text(), figure))
    print(figure.row())
    return 0


def search_again(page, machine, *, quick=False):
    """Measure the search for similar recordings, and write its page."""
    sizes, repeats = ((1_000, 10_000), 1) if quick else (search.SIZES, search.REPEATS)
    analysis = cost.stages(cost.clips()["mp3"], repeats).total
    page.write_text(search.page(machine, analysis, [search.alone(each, repeats) for each in sizes]))
    print(page.read_text())
    return 0


def live_again(page, machine, *, quick=False):
    """Measure live connections, and write their figures into a page."""
    repeats, rounds = (1, 1) if quick else (8, 3)
    with serving() as server:
        found = [
            *live.costs(server, 15, repeats, rounds, paced=not quick),
            *live.costs(server, 120, max(1, repeats // 4), rounds, paced=False),
        ]
    block = live.figures(machine, found)
    page.write_text(live.with_figures(page.read_text(), block))
    print(block)
    return 0


def raspberry_again(page):
    """Count the instructions on the cores of Raspberry Pis, and write the page."""
    if missing := emulated.missing("cc"):
        sys.exit(f"These programs are needed: {', '.join(missing)}.")
    page.write_text(raspberry.page(raspberry.counts()))
    return 0


def device_again(page, machine, *, quick=False):
    """Measure answers on the device, and write their page."""
    page.write_text(device.page(machine, device.measured(1 if quick else device.REPEATS)))
    print(page.read_text())
    return 0


def answer_again(page, machine, effort):
    """Measure what tempo, key and loudness cost, and write the page."""
    found = answer.costs(cost.clips(), effort.requests, effort.repeats, effort.rounds)
    page.write_text(answer.page(machine, found))
    print(page.read_text())
    return 0


def measured(machine, clips, files, effort):
    """Measure all figures of both pages."""
    prepared = preparing.preparing(5)
    with serving() as server:
        ready_mb = server.most_memory_mb()
        found = analyses(server, clips, effort)
        sustained = measures.sustained(server, files, 2 * effort.seconds)
    rates = measures.rates(files, effort.seconds, effort.rounds)
    with serving() as server:
        by_length = measures.by_length(server, max(2, effort.repeats // 3))
    roomy = {"FIFTEEN_QUEUE_LENGTH": "256", "FIFTEEN_MAX_UPLOADS": "300"}
    with serving(**roomy) as server:
        by_clients = measures.by_clients(server, files, effort.seconds)
    with serving() as server:
        growth = measures.growth(server, effort.growing)
    with serving() as server:
        at_rest = memory.at_rest(server, effort.mixed, *memory.recordings())
    stages = {name: Stages(*found["stages", name]) for name in clips}
    requests = {name: found["request", name] for name in clips}
    fast = performance.Measured(
        machine=machine,
        stages=stages,
        requests=requests,
        best_known={name: found["best known", name] for name in clips},
        rates=rates,
        sustained=sustained,
        start_seconds=measures.start(5),
        ready_mb=ready_mb,
        growth=growth,
        at_rest=at_rest,
        preparing=prepared,
        by_length=by_length,
        by_clients=by_clients,
        tried=list(tried(clips, effort.repeats)),
    )
    scaled = scaling.Measured(
        machine=machine,
        stages=stages,
        track=cost.stages(cost.track(), max(2, effort.repeats // 5)),
        requests=requests,
        per_second=rates["service", 1],
        processors=os.cpu_count(),
        clip_bytes={name: len(data) for name, data in clips.items()},
        at_rest_mb=ready_mb,
        most_mb=sustained.most_mb,
        prepared=prepared.whole,
    )
    return fast, scaled


def analyses(server, clips, effort):
    """Measure the stages of an analysis, the best known of their parts, and whole requests."""
    found = {}
    for name, data in clips.items():
        found["stages", name] = lambda d=data: astuple(cost.stages(d, effort.repeats))
        found["best known", name] = partial(parts.best_known, data, effort.repeats)
        found["request", name] = partial(cost.request, server, data, effort.requests)
    return measures.in_rounds(found, effort.rounds)


def tried(clips, repeats):
    """Yield all alternatives."""
    window = audio.windows(audio.decode(clips["mp3"]).waveform)[0]
    yield from alternatives.decoders(clips, max(1, repeats // 2))
    yield from alternatives.resamplers(repeats)
    yield from alternatives.spectrograms(window, repeats)
    yield from alternatives.networks(window, repeats)
    yield from alternatives.imports(max(1, repeats // 6))


if __name__ == "__main__":
    sys.exit(main())
