"""Freed memory of a process returns to the system."""

import json
import os
import platform
import subprocess
import sys

import pytest

from service import memory
from tools.server import ROOT

pytestmark = pytest.mark.slow
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")

HOLES = """
import os
import numpy as np
from service import memory
from tools.server import resident_mb

LIMIT
np.ones(30 * 2**20, np.uint8)  # freed at once: after this, glibc holds buffers of this size
before = resident_mb(os.getpid())
pairs = [(np.ones(10 * 2**20, np.uint8), np.ones(10_000, np.uint8)) for _ in range(20)]
small = [pair[1] for pair in pairs]  # each lies behind a large one
del pairs
print(resident_mb(os.getpid()) - before)
"""
"""Frees buffers of 200 MB between small ones that stay, and prints how many MB are still held."""

SCORES = """
import os
import numpy as np
from service import audio, memory
from service.model import load_models
from service.settings import MODELS
from tools.server import resident_mb

LIMIT
model = load_models(MODELS)["fifteen"]
windows = np.full((120, audio.N_MELS, audio.N_FRAMES), -audio.SPAN_DB, np.float32)
model.score(windows[:1])
before = resident_mb(os.getpid())
model.score(windows)
print(resident_mb(os.getpid()) - before)
"""
"""Prints how many MB it costs that half an hour was scored, when 15 s were scored before."""

ARENAS = """
import ctypes, os, threading
from service import memory

LIMIT
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.fdopen.restype = ctypes.c_void_p
barrier = threading.Barrier(8)

def work():
    barrier.wait()
    libc.malloc(100_000)
    barrier.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
report = os.memfd_create("report")
stream = ctypes.c_void_p(libc.fdopen(report, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
print(os.pread(report, 2**20, 0).count(b"<heap "))  # one element for each arena
"""
"""Prints the number of arenas of a process with eight threads, as glibc counts them."""


def printed(script, limit, **environment):
    """Return the output of a process with or without the limits."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", script.replace("LIMIT", "memory.limit()" if limit else "")],
        cwd=ROOT, env=clean | environment, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(done.stdout)


@glibc
def test_memory_of_freed_recordings_returns_to_the_system():
    assert printed(HOLES, limit=False) > 150  # otherwise this test proves nothing
    assert printed(HOLES, limit=True) < 20


def test_a_long_recording_costs_a_model_no_memory():
    assert printed(SCORES, limit=True) < 40  # in one run: 300


@glibc
def test_threads_share_arenas():
    assert printed(ARENAS, limit=False) > 2
    assert printed(ARENAS, limit=True) <= 2


@glibc
def test_limits_of_an_operator_stay():
    assert printed(HOLES, limit=True, MALLOC_MMAP_THRESHOLD_=str(32 * memory.MIB)) > 150


def test_another_c_library_is_not_changed(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr(memory, "GLIBC_LIMITS", {"A": None})  # would fail if it were used
    assert not memory.limit()
