"""Measures the processor time of an analysis: of its stages in a loop, and of whole requests."""

import itertools
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from service import audio
from service.model import load_models
from service.settings import MODELS
from tools import signals

SECONDS, RATE = 15, 48_000
TRACK_SECONDS = 240
FORMATS = ("mp3", "m4a", "webm")


@dataclass(frozen=True)
class Stages:
    """Processor time of the stages of one analysis, ms."""

    decode: float
    spectrogram: float
    inference: float

    @property
    def total(self):
        return self.decode + self.spectrogram + self.inference


def clips():
    """Return a groove of `SECONDS` in the formats of phones and libraries, by format."""
    groove = signals.groove(SECONDS, RATE)
    return {name: signals.encode(groove, RATE, name, channels=2) for name in FORMATS}


def track():
    """Return a whole track: the same groove for `TRACK_SECONDS`, as MP3."""
    return signals.encode(signals.groove(TRACK_SECONDS, RATE), RATE, "mp3", channels=2)


def stages(data, repeats):
    """Return the median time of each stage over some analyses by one thread."""
    model = load_models(MODELS)["fifteen"]
    taken = []
    for _ in range(repeats + 1):  # the first one also loads code and is left out
        marks = [time.process_time()]
        recording = audio.decode(data)
        marks.append(time.process_time())
        spectrograms = audio.log_mel(audio.windows(recording.waveform))
        marks.append(time.process_time())
        model.score(spectrograms)
        marks.append(time.process_time())
        taken.append([1_000 * (end - start) for start, end in itertools.pairwise(marks)])
    return Stages(*(statistics.median(column) for column in zip(*taken[1:], strict=True)))


def request(server, data, repeats):
    """Return the processor time that the server's process spends on a whole request, ms."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        _post(client, data)
        before = spent(server.process.pid)
        for _ in range(repeats):
            _post(client, data)
        return 1_000 * (spent(server.process.pid) - before) / repeats


def _post(client, data):
    client.post("/v1/analyze", files={"file": data}).raise_for_status()


def spent(pid):
    """Return the processor time that a process has spent, s."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")
