"""Writes docs/SCALING.md, which computes the cost of many analyses from the cost of one."""

import math
from dataclasses import dataclass
from statistics import mean

from tools.benchmarks.cost import TRACK_SECONDS, Stages

BUSY = 0.7  # target use of a pod's processors, as in deploy/kubernetes
POD_PROCESSORS = 2
PRICE = 0.04  # for one processor hour; an assumption, in any currency
RATES = (1, 100, 10_000)  # clips a second
CORPUS_HOURS = 280
TRACKS = 1_000_000


@dataclass(frozen=True)
class Measured:
    """The measurements of `cost`.

    Attributes
    ----------
    machine : str
    stages, requests, clip_bytes : dict
        Values for a clip of 15 s, by its format; requests in ms of processor time.
    track : Stages
        The stages for a track of `TRACK_SECONDS`.
    per_second : float
        Clips that one process answered in a second, with all formats in equal parts.
    processors : int
        Processors of that process.
    prepared : float
        Seconds of sound that a processor prepares for training in a second.
    at_rest_mb, most_mb : float
        Memory of that process when it was ready, and its peak after all measurements.
    """

    machine: str
    stages: dict[str, Stages]
    requests: dict[str, float]
    clip_bytes: dict[str, int]
    track: Stages
    per_second: float
    processors: int
    at_rest_mb: float
    most_mb: float
    prepared: float


def page(measured):
    """Write the page."""
    each = mean(measured.requests.values()) / 1_000
    bare = mean(stage.total for stage in measured.stages.values())
    return TEXT.format(
        machine=measured.machine,
        costs=_costs(measured),
        ratio=1_000 * each / bare,
        each=1_000 * each,
        per_second=measured.per_second,
        processors=measured.processors,
        at_rest=measured.at_rest_mb,
        most=measured.most_mb,
        rates=_rates(each, mean(measured.clip_bytes.values())),
        busy=100 * BUSY,
        price=PRICE,
        corpus=_job(CORPUS_HOURS * 3_600 / TRACK_SECONDS, measured.track),
        corpus_hours=CORPUS_HOURS,
        tracks=_job(TRACKS, measured.track),
        trained_hours=CORPUS_HOURS / measured.prepared,
        trained_tracks=TRACKS * TRACK_SECONDS / 3_600 / measured.prepared,
        prepared=measured.prepared,
        n_tracks=TRACKS,
        minutes=TRACK_SECONDS // 60,
        real_time=1_000 * TRACK_SECONDS / measured.track.total,
    )


def _costs(measured):
    rows = [
        f"| {name} | {stage.decode:.1f} | {stage.spectrogram:.1f} | {stage.inference:.1f} | "
        f"{stage.total:.1f} | {measured.requests[name]:.1f} |"
        for name, stage in measured.stages.items()
    ]
    return "\n".join(rows)


def _rates(seconds, clip_bytes):
    rows = []
    for rate in RATES:
        processors = rate * seconds / BUSY
        pods = math.ceil(round(processors / POD_PROCESSORS, 6))
        rows.append(
            f"| {rate:,} | {processors:,.1f} | {pods:,.0f} | {processors * PRICE:,.2f} | "
            f"{8 * rate * clip_bytes / 1e6:,.0f} |"
        )
    return "\n".join(rows)


def _job(tracks, each):
    hours = tracks * each.total / 1_000 / 3_600
    return f"{hours:,.1f} processor hours ({hours * PRICE:,.2f} at that price)"


TEXT = """\
# Scaling

*`make benchmark` writes this page. Do not edit it; run the command on your machine.*

{machine}. The shipped model analyses a stereo groove of 15 s at 96 kbit/s. The table shows
processor time in ms: of the stages, in a loop of one thread, and of a request, in the process of
the service.

| format | decode | spectrogram | inference | sum | request |
| --- | --- | --- | --- | --- | --- |
{costs}

A request costs {ratio:.2f} times its stages. One process with {processors} processors answered
{per_second:.0f} clips a second, with all formats in equal parts. It used {at_rest:.0f} MB when it
was ready, and had a peak of {most:.0f} MB.

## Clips a second

A request takes {each:.0f} ms. The two processors of a pod are {busy:.0f} % busy, so that queues
stay short:

| clips a second | processors | pods | cost of an hour, at {price} for a processor | Mbit/s in |
| --- | --- | --- | --- | --- |
{rates}

The table is computed from the measurements of one process. Such loads were not measured.

## Libraries

On one processor, `python -m service analyze` analyses MP3 files of {minutes} minutes at
{real_time:,.0f} times real time:

- {corpus_hours} hours of music: {corpus}.
- {n_tracks:,} tracks: {tracks}.

`python -m training prepare` prepares three takes of each track, one of them through a simulated
phone and a real codec, at {prepared:,.0f} times real time:

- {corpus_hours} hours of music: {trained_hours:,.1f} processor hours.
- {n_tracks:,} tracks: {trained_tracks:,.0f} processor hours.

## Limits

- Processes share nothing, so capacity grows with the number of pods. `Retry-After` describes only
  the pod that answered.
- Each process has its own rate limits (`FIFTEEN_RATE_PER_KEY`) and its own cache of answers. A
  limit for all pods belongs in the gateway in front of them.
- The autoscaler in deploy/kubernetes stops at ten pods, which bounds the cost of a mistake. Raise
  `maxReplicas` for more.
- At thousands of clips a second, the network (last column) and the load balancer are the next
  limits. Prometheus scrapes every pod: let it scrape a sample of them.
- One machine analyses a library with one process for each processor. For several machines, divide
  the folders between them. Each machine writes its own records.
- On Ray (deploy/ray), each replica of the application has its own queue, `Retry-After`, rate limits
  and cache. Each node has its own metrics: scrape every node. A proxy holds each body until its
  request is answered. All machines prepare a corpus together (`prepare --engine ray`).
"""
