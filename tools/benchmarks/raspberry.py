"""Counts the instructions of an analysis on the cores of Raspberry Pis, and estimates its time."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import emulated
from tools.benchmarks import cost
from tools.emulated import A53, A72, A76, Core

ANALYSES = """
import sys
from pathlib import Path
from service.analysis import analyze
from service.model import load_models
from service.settings import MODELS
model = load_models(MODELS)["fifteen"]
repeats, *files = sys.argv[1:]
for _ in range(int(repeats)):
    for file in files:
        analyze(Path(file).read_bytes(), model)
"""
PER_CYCLE = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Machine:
    """A Raspberry Pi, with the highest clock of its core in GHz."""

    name: str
    core: Core
    ghz: float


MACHINES = (
    Machine("Raspberry Pi 3 B+", A53, 1.4),
    Machine("Raspberry Pi 4", A72, 1.8),
    Machine("Raspberry Pi 5", A76, 2.4),
)


def counts() -> dict[str, float]:
    """Return the instructions of an analysis by machine, the mean over the formats."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emulated.install(folder)
        files = [folder / f"clip.{suffix}" for suffix in cost.FORMATS]
        for file, data in zip(files, cost.clips().values(), strict=True):
            file.write_bytes(data)
        return {each.name: _per_analysis(folder, each.core, files) for each in MACHINES}


def _per_analysis(folder: Path, core: Core, files: list[Path]) -> float:
    """Return the instructions that a second round adds, so that starting does not count."""
    counter = build_counter(folder)
    python = emulated.python(folder, core, "-plugin", str(counter))
    once, twice = (count([*python, "-c", ANALYSES, repeats, *files]) for repeats in "12")
    return (twice - once) / len(files)


def build_counter(folder: Path) -> Path:
    """Compile the plug-in into a folder."""
    counter = folder / "instructions.so"
    source = Path(__file__).with_name("instructions.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", counter, source], check=True)
    return counter


def count(command: list) -> int:
    """Return the instructions that a command under QEMU with the plug-in executes."""
    done = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)
    return int(re.search(r"^instructions: (\d+)$", done.stderr, re.MULTILINE)[1])


def seconds(instructions: float, ghz: float, per_cycle: float) -> float:
    """Return the time of instructions on one core."""
    return instructions / (ghz * 1e9 * per_cycle)


def page(measured: dict[str, float]) -> str:
    """Return the page with the counts and what they would cost."""
    rows = []
    for each in MACHINES:
        spent = [seconds(measured[each.name], each.ghz, rate) for rate in PER_CYCLE]
        cells = [each.name, each.core.name, f"{each.ghz}", f"{measured[each.name] / 1e6:,.0f}"]
        rows.append("| " + " | ".join([*cells, *(f"{time:.2f}" for time in spent)]) + " |")
    rates = " | ".join(f"s at {rate:g}" for rate in PER_CYCLE)
    return PAGE.format(rates=rates, rows="\n".join(rows), formats=", ".join(cost.FORMATS))


PAGE = """# Raspberry Pi: an estimate

*`python -m tools.benchmarks --raspberry-pi` writes this page. Do not edit it; run the command.*

No Raspberry Pi was measured. The wheel and its dependencies for arm64 ran on another machine, where
QEMU emulated each core and counted the instructions of an analysis of 15 s of music: the mean over
{formats}; decoding, tempo, key, spectrogram and inference, without HTTP.

| machine | core | GHz | million instructions | {rates} |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

The last columns are seconds on one core, if it executes so many instructions a cycle. Which column
is true depends on the core, its caches and its memory, which an emulator does not know. Probably a
core that executes in order, such as the Cortex-A53, is nearer to the first, and a Cortex-A76 nearer
to the last.

- ONNX Runtime and NumPy choose their code by the core, so the counts may differ between cores.
- The clock is the highest of the machine. A hot one is slower.
- The four cores analyse four recordings at the same time. The memory that they share is not in the
  estimate.
- [PERFORMANCE](PERFORMANCE.md) has the memory of the process, measured on x86-64.
"""
