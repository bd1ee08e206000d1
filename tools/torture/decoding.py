"""Tests that the decoder decodes or refuses damaged recordings, soon and in little memory."""

import faulthandler
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from service import audio
from tools.torture.mutate import case
from tools.torture.outcome import Outcome

BOUNDS = audio.Bounds(decode_seconds=5)
HANGS_SECONDS = 30  # a case that takes longer ignores `BOUNDS`
MOST_MEMORY_MB = 1_500
CHUNK = 2_000  # number of cases for one process


def decode_cases(numbers, seed=0, begin=lambda number: None):
    """Decode some cases in this process; `begin` receives the number of each case first."""
    outcome = Outcome()
    for number in numbers:
        begin(number)
        name, data = case(number, seed)
        started = time.perf_counter()
        try:
            kind = _decoded(data)
        except audio.AudioError as error:
            kind = type(error).__name__
        except Exception as error:  # noqa: BLE001 - every exception is a finding
            outcome.failed.append(f"case {number} ({name}): {error!r}")
            kind = "failure"
        outcome.kinds[kind] += 1
        outcome.slowest_seconds = max(outcome.slowest_seconds, time.perf_counter() - started)
    outcome.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if outcome.memory_mb > MOST_MEMORY_MB:
        outcome.failed.append(f"{numbers}: {outcome.memory_mb:.0f} MB")
    return outcome


def _decoded(data):
    waveform = audio.decode(data, BOUNDS).waveform
    if waveform.dtype != np.float32 or not np.isfinite(waveform).all():
        raise ValueError("the waveform is not finite float32")
    audio.log_mel(audio.windows(waveform))
    return "decoded"


def torture(cases, seed, jobs):
    """Decode cases in several processes; a crash is a finding, and another process continues."""
    total = Outcome()
    chunks = [range(at, min(at + CHUNK, cases)) for at in range(0, cases, CHUNK)]
    with ThreadPoolExecutor(jobs) as threads:
        for outcome in threads.map(lambda chunk: _by_processes(chunk, seed), chunks):
            total.add(outcome)
            sys.stderr.write(f"\r{total.kinds.total():,} cases")
    sys.stderr.write("\n")
    return total


def _by_processes(chunk, seed):
    """Decode a chunk in a process; after a case that kills it, another process continues."""
    context = multiprocessing.get_context("spawn")
    total, waiting = Outcome(), [chunk]
    while waiting:
        numbers = waiting.pop()
        current, (here, there) = context.Value("q", -1), context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(numbers, seed, current, there))
        process.start()
        there.close()
        try:
            total.add(here.recv())
        except EOFError:
            process.join()
            total.failed.append(f"case {current.value}: exit status {process.exitcode}")
            total.kinds["crash or hang"] += 1
            halves = range(numbers.start, current.value), range(current.value + 1, numbers.stop)
            waiting += [half for half in halves if half]
        process.join()
    return total


def _work(numbers, seed, current, there):
    def begin(number):
        current.value = number
        faulthandler.dump_traceback_later(HANGS_SECONDS, exit=True)

    there.send(decode_cases(numbers, seed, begin))
    faulthandler.cancel_dump_traceback_later()
