"""Writes the measurements as the page docs/PERFORMANCE.md."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

from service.model import load_models
from service.settings import MODELS
from tools.benchmarks.alternatives import Tried
from tools.benchmarks.cost import Stages
from tools.benchmarks.measures import LAYOUTS, Growth, Sustained
from tools.benchmarks.memory import AtRest
from tools.benchmarks.preparing import Preparing


@dataclass(frozen=True)
class Measured:
    """The measurements.

    Attributes
    ----------
    machine : str
    stages, requests, best_known : dict
        Processor time for a clip of 15 s, by format, ms.
    rates : dict
        Answers a second, as `measures.rates` has them.
    sustained : Sustained
        The load on one process.
    start_seconds, ready_mb : float
    growth : Growth
    at_rest : AtRest
    preparing : Preparing
    by_length, by_clients : dict
        Processor time, ms: of 15 s of sound by the length of the recording in seconds, and of a
        request by the number of concurrent clients.
    tried : sequence of Tried
    """

    machine: str
    stages: dict[str, Stages]
    requests: dict[str, float]
    best_known: dict[str, float]
    rates: dict[tuple[str, int], float]
    sustained: Sustained
    start_seconds: float
    ready_mb: float
    growth: Growth
    at_rest: AtRest
    preparing: Preparing
    by_length: dict[int, float]
    by_clients: dict[int, float]
    tried: Sequence[Tried]

    def rate(self, who):
        """Return a program's answers a second with its best number of processes."""
        return max(rate for (name, _), rate in self.rates.items() if name == who)


@dataclass(frozen=True)
class Figure:
    """A line of the first table; `better` compares the value with its limits."""

    name: str
    value: float
    unit: str
    must: float
    aim: float
    better: str = "<="

    def row(self):
        holds = {"<=": operator.le, ">=": operator.ge}[self.better]
        verdict = "missed"
        if holds(self.value, self.must):
            verdict = "aim reached" if holds(self.value, self.aim) else "reached"
        sign = {"<=": "at most", ">=": "at least"}[self.better]
        cells = [
            self.name,
            f"{self.value:.3g} {self.unit}",
            f"{sign} {self.must:g}, aim {self.aim:g}",
            verdict,
        ]
        return f"| {' | '.join(cells)} |"


def memory_at_rest(at_rest):
    """Return the figure of `tools.benchmarks.memory`."""
    name = f"memory at rest after {at_rest.requests:,} mixed requests, up to ten minutes long"
    return Figure(name, at_rest.mb, "MB", 450, 300)


def with_figure(page, figure):
    """Return a page with a figure that was measured again, in place of its row.

    Raises
    ------
    ValueError
        If the page has no row of that name.
    """
    rows = page.splitlines(keepends=True)
    (place,) = [n for n, row in enumerate(rows) if row.startswith(f"| {figure.name} |")]
    return "".join([*rows[:place], f"{figure.row()}\n", *rows[place + 1 :]])


def figures(measured):
    """Yield each figure with its limits."""
    chain = sum(stage.total for stage in measured.stages.values())
    load = measured.sustained
    yield Figure(
        "processor time of a request, relative to its stages in a loop",
        sum(measured.requests.values()) / chain, "x", 1.35, 1.15,
    )  # fmt: skip
    yield Figure(
        "processor time of the stages, relative to the sum of their fastest known parts",
        chain / sum(measured.best_known.values()), "x", 1.5, 1.2,
    )  # fmt: skip
    yield Figure(
        "throughput, relative to the naive baseline (MP3, M4A, WebM)",
        measured.rate("service") / measured.rate("baseline"), "x", 3, 6, ">=",
    )  # fmt: skip
    yield Figure(
        "throughput, relative to Essentia's loader and mel bands (MP3 and M4A: it reads no WebM)",
        measured.rate("service without WebM") / measured.rate("essentia"), "x", 1, 1.5, ">=",
    )  # fmt: skip
    for name, latency in (("even", load.even), ("random", load.random)):
        median, late = latency
        yield Figure(
            f"latency at 80 % of the highest rate, {name} arrivals: p99 relative to p50",
            late / median, "x", 3, 2,
        )  # fmt: skip
    yield Figure(
        "answers at twice the highest rate, relative to the highest rate",
        load.overload / load.highest, "x", 0.9, 1, ">=",
    )  # fmt: skip
    yield Figure(
        "time from the start of the process until it is ready", measured.start_seconds, "s", 4, 1.5
    )
    yield Figure("peak memory under that load", load.most_mb, "MB", 400, 220)
    growth = measured.growth
    yield Figure(
        f"growth of memory over {growth.requests:,} requests, without the first tenth",
        100 * (growth.late_mb / growth.early_mb - 1), "%", 2, 0,
    )  # fmt: skip
    yield memory_at_rest(measured.at_rest)
    yield Figure(
        "preparing a corpus, decoding and spectrograms only, by one processor",
        measured.preparing.decoded, "x real time", 400, 800, ">=",
    )  # fmt: skip
    yield Figure(
        "preparing a corpus, all of `training.data.prepare`, by one processor",
        measured.preparing.whole, "x real time", 400, 800, ">=",
    )  # fmt: skip


def page(measured):
    """Write the page."""
    load = measured.sustained
    return TEXT.format(
        machine=measured.machine,
        version=load_models(MODELS)["fifteen"].card.version,
        figures="\n".join(figure.row() for figure in figures(measured)),
        highest=load.highest,
        rates="\n".join(_rates(measured)),
        even=_latency(load.even),
        random=_latency(load.random),
        overload=load.overload,
        refused=load.refused,
        ready_mb=measured.ready_mb,
        parts="\n".join(_parts(measured)),
        lengths=_cells(measured.by_length, " s"),
        clients=_cells(measured.by_clients),
        tried="\n".join(
            f"| {each.what} | {each.instead_of} | {each.times:.2f} | {each.besides} |"
            for each in measured.tried
        ),
        layouts="\n".join(
            f"| {layout} | {measured.rates[layout, 1] / measured.rates['service', 1]:.2f} |"
            for layout in LAYOUTS
        ),
    )


def _latency(latency):
    median, late = latency
    return f"{1_000 * median:.0f} and {1_000 * late:.0f} ms"


def _parts(measured):
    for name, stage in measured.stages.items():
        times = [stage.decode, stage.spectrogram, stage.inference, stage.total]
        cells = [*times, measured.best_known[name], measured.requests[name]]
        yield f"| {name} | {' | '.join(f'{cell:.1f}' for cell in cells)} |"


def _rates(measured):
    for (name, processes), rate in measured.rates.items():
        if name not in LAYOUTS:
            yield f"| {name} | {processes} | {rate:.1f} |"


def _cells(times, unit=""):
    return ", ".join(f"{time:.1f} ms ({count}{unit})" for count, time in times.items())


TEXT = """\
# The cost of an analysis

*`make benchmark` writes this page. Do not edit it; run the command on your machine.*

{machine}. Version {version} of the shipped model analyses stereo clips of 15 s at 96 kbit/s: MP3,
M4A and WebM in equal parts. The clients share the processors with the service. Times are processor
time, except latencies and the time of a start. Both sides of a ratio are from the same run.

| figure | measured | target | result |
| --- | --- | --- | --- |
{figures}

Figures that are compared with each other were measured in turns, several times, because the speed
of a shared machine varies. The page shows the medians.

One process answered at most {highest:.1f} requests a second. There were two clients for each
processor, and a new connection for each request. At 80 % of this rate, the median and the 99th
percentile of the latency were {even} with even arrivals, and {random} with random arrivals, which
come in bunches. At twice the highest rate, the process answered {overload:.1f} requests a
second and refused {refused} requests with 503. When it was ready, it used {ready_mb:.0f} MB.

## Rates

All programs had the same load. The first table uses the best number of processes of each program.
The naive baseline is `tools/benchmarks/rivals.py`: FastAPI, `librosa.load`,
`librosa.feature.melspectrogram`, and the same network in PyTorch. Essentia reads no WebM.

| program | processes | answers a second |
| --- | --- | --- |
{rates}

## Where the time goes

Milliseconds of processor time. The column `fastest known` is the sum of four parts: FFmpeg or
libsndfile that decodes without an output, soxr in one call, a real FFT of each frame, and ONNX
Runtime. `decode` includes loudness (EBU R 128), and a request also measures tempo and key; the
fastest known parts, the naive baseline and Essentia's loader do none of the three.

| format | decode | spectrogram | inference | sum | fastest known | request |
| --- | --- | --- | --- | --- | --- | --- |
{parts}

Time for each 15 s of an MP3 file, by the length of the file: {lengths}.
Time of a request, by the number of concurrent clients: {clients}.

## Alternatives

The processor time of an alternative, relative to the part that it replaces. Above 1, the
alternative costs more. Those through FFmpeg's resampler and libsndfile do not measure loudness.

| alternative | instead of | relative cost | notes |
| --- | --- | --- | --- |
{tried}

The rate of one process with another option, relative to the service above:

| option | relative rate |
| --- | --- |
{layouts}
"""
