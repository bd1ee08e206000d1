"""The cost of tempo, key and loudness, as a part of that of the whole answer."""

import io
from dataclasses import dataclass
from functools import partial

import av

from service import audio, music
from service.audio.blocks import blocks
from service.audio.downmix import check, is_bounded
from service.audio.loudness import Meter
from tools.benchmarks import cost
from tools.benchmarks.measures import in_rounds
from tools.benchmarks.parts import milliseconds
from tools.server import serving

MUST = 1.35
MOST_MUSIC = 5.0  # ms, of tempo and key together
BARE = "tools.benchmarks.bare"


@dataclass(frozen=True)
class Cost:
    """Processor time for one clip, ms.

    Attributes
    ----------
    name : str
        Of the encoding.
    whole, bare : float
        Of a request, and of one to the service without tempo, key and loudness.
    loudness, music : float
        Of the loudness alone, and of tempo and key alone, in a loop.
    """

    name: str
    whole: float
    bare: float
    loudness: float
    music: float

    @property
    def ratio(self):
        return self.whole / self.bare


def costs(clips, requests, repeats, rounds):
    """Return the cost in each format; both services take turns, and the medians count."""
    measured = {}
    with serving() as whole, serving(module=BARE) as bare:
        for name, data in clips.items():
            measured["whole", name] = partial(cost.request, whole, data, requests)
            measured["bare", name] = partial(cost.request, bare, data, requests)
            measured["loudness", name] = partial(loudness, data, repeats)
            measured["music", name] = partial(tempo_and_key, data, repeats)
        found = in_rounds(measured, rounds)
    kinds = ("whole", "bare", "loudness", "music")
    return [Cost(name, *(float(found[kind, name]) for kind in kinds)) for name in clips]


def loudness(data, repeats):
    """Return the processor time of the loudness of a recording, ms."""
    decoded, rate, layout = _decoded(data)

    def measure():
        meter = Meter()
        for block in decoded:
            meter.add(block, rate, layout)
        meter.loudness()

    return milliseconds(measure, repeats)


def _decoded(data):
    """Return the blocks of a recording, its sample rate and its layout."""
    with av.open(io.BytesIO(data)) as container:
        bounded = is_bounded(container.streams.audio[0].codec_context)
        found = list(blocks(container.decode(audio=0)))
    checked = [check(block.planes, bounded=bounded) for block in found]
    return checked, found[0].sample_rate, found[0].layout


def tempo_and_key(data, repeats):
    """Return the processor time of tempo and key of a recording, ms."""
    waveform = audio.decode(data).waveform

    def measure():
        parts = music.parts(waveform)
        music.tempi(music.tempogram(parts))
        music.keys(music.chroma(parts))

    return milliseconds(measure, repeats)


def page(machine, found):
    """Return the page."""
    rows = "\n".join(
        f"| {each.name} | {each.whole:.1f} | {each.bare:.1f} | {each.ratio:.2f} |"
        f" {each.loudness:.1f} | {each.music:.1f} |"
        for each in found
    )
    ratio = sum(each.whole for each in found) / sum(each.bare for each in found)
    return TEXT.format(
        machine=machine,
        seconds=cost.SECONDS,
        rows=rows,
        ratio=ratio,
        must=MUST,
        verdict="reached" if ratio <= MUST else "missed",
        beyond=sum(each.ratio > MUST for each in found),
        of=len(found),
        music=MOST_MUSIC,
        slow=sum(each.music > MOST_MUSIC for each in found),
    )


TEXT = """\
# The cost of tempo, key and loudness

*`python -m tools.benchmarks --answer` writes this page; run it again rather than edit.*

Every answer has tempo, key and loudness. This page says what they cost: processor time of requests
with stereo clips of {seconds} s, to the service and to one that leaves the three out. Both run in
turns on {machine}. The last two columns are measured in a loop,
without a service.

| format | whole answer, ms | without the three, ms | ratio | loudness, ms | tempo and key, ms |
| --- | --- | --- | --- | --- | --- |
{rows}

All formats together: {ratio:.2f} times; the limit is {must} ({verdict}).
{beyond} of {of} formats are above it. Tempo and key together may take {music:g} ms:
{slow} of {of} formats are above that.
"""
