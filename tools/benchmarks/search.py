"""The cost of the exact search for similar recordings, by the size of the library.

The vectors are random, of length 1: neither time nor memory depends on what they are. A process of
its own measures each size on one thread, so that its memory is that of this library only.
"""

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.card import MAX_DIMENSIONS
from service.library.search import FEATURES, Filters, Vectors, feature_range

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 9
COUNT = 10
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
GENRES, MOODS = 9, 4


@dataclass(frozen=True)
class Search:
    """The cost of a search in a library.

    Attributes
    ----------
    recordings : int
    milliseconds, filtered : float
        Median processor time of a search, without filters and with three.
    product : float
        Of the product of matrix and vector alone, ms: what no exact search can avoid.
    mb : float
        Memory of the library, MB.
    """

    recordings: int
    milliseconds: float
    filtered: float
    product: float
    mb: float

    @property
    def ratio(self):
        """A search as a multiple of the product alone."""
        return self.milliseconds / self.product


def library(recordings, seed=0):
    """Return a library of random recordings, with paths of a usual length."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((recordings, MAX_DIMENSIONS), np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return Vectors(
        paths=[f"/music/Some Artist/Some Album/{number:07} Some Song.flac"
               for number in range(recordings)],
        values=values,
        names=[f"name {number}" for number in range(GENRES + MOODS)],
        genres=rng.integers(0, GENRES, recordings).astype(np.int16),
        moods=rng.integers(GENRES, GENRES + MOODS, recordings).astype(np.int16),
        features=rng.random((recordings, len(FEATURES)), np.float32),
        left_out=0,
    )  # fmt: skip


def measured(recordings, repeats=REPEATS):
    """Measure searches in this process."""
    before = resident_mb()
    vectors = library(recordings)
    mb = resident_mb() - before
    vector = vectors.values[recordings // 2].copy()
    filters = Filters(["name 0"], [f"name {GENRES}"], [feature_range("energy:0.25..0.75")])
    return Search(
        recordings,
        milliseconds(lambda: vectors.nearest(vector, COUNT), repeats),
        milliseconds(lambda: vectors.nearest(vector, COUNT, filters), repeats),
        milliseconds(lambda: vectors.values @ vector, repeats),
        mb,
    )


def milliseconds(work, repeats):
    """Return the median processor time of some calls, after a first one."""
    work()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(1_000 * (time.process_time() - started))
    return float(np.median(times))


def resident_mb():
    """Return the memory of this process, MB."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize() / 1e6


def alone(recordings, repeats=REPEATS):
    """Measure searches in a process of its own, on one thread."""
    command = [sys.executable, "-m", __name__, str(recordings), str(repeats)]
    environment = os.environ | ONE_THREAD
    output = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return Search(recordings, *map(float, output.stdout.split()))


def page(machine, analysis_ms, searches):
    """Return the page; `analysis_ms` is the processor time of the analysis of 15 s of MP3."""
    rows = "\n".join(
        f"| {each.recordings:,} | {each.milliseconds:.1f} | {each.filtered:.1f} |"
        f" {each.product:.1f} | {each.ratio:.2f} | {each.mb:,.0f} |"
        for each in searches
    )
    largest = searches[-1]
    each_mb = largest.mb / largest.recordings
    return PAGE.format(
        machine=machine,
        rows=rows,
        dimensions=MAX_DIMENSIONS,
        count=COUNT,
        per_second=1_000 / largest.milliseconds,
        largest=largest.recordings,
        nanoseconds=1e6 * largest.milliseconds / largest.recordings,
        bytes=1e6 * each_mb,
        analysis=analysis_ms,
        same=float(f"{analysis_ms * largest.recordings / largest.milliseconds:.2g}"),
    )


PAGE = """\
# Search for similar recordings: its cost

*Written by `python -m tools.benchmarks --search`; run it again rather than edit.*

One thread of {machine}. The search is exact: the embedding of the upload
is compared with each of the library's, {dimensions} numbers each, and the {count} nearest are
returned. Times are processor time, the median of some searches; the ratio is to the product of
matrix and vector alone, which no exact search can avoid.

| recordings | search, ms | with three filters, ms | product alone, ms | ratio | memory, MB |
| --- | --- | --- | --- | --- | --- |
{rows}

A recording more costs {nanoseconds:.0f} ns of each search and {bytes:.0f} bytes of memory in each
process. One thread searches {largest:,} recordings {per_second:.0f} times a second.

## When an index is needed

Not before a search costs as much as decoding, spectrogram and network of the upload before it:
{analysis:.0f} ms for 15 s of MP3 on this machine, which a search takes at about {same:,.0f}
recordings. Beyond that, or for many searches a second, an index of approximate neighbours answers
sooner and misses some. It would also have to filter by genre, mood and features while it searches.
The service has none: up to this size it would add a dependency and a second file, and save less
than the analysis costs.
"""


if __name__ == "__main__":
    found = measured(*map(int, sys.argv[1:]))
    print(found.milliseconds, found.filtered, found.product, found.mb)
