"""The benchmark runs and computes its tables correctly. The figures depend on the machine."""

import platform
import re
import shutil
import subprocess

import pytest

from tools.benchmarks import cost, load, memory, raspberry, scaling
from tools.benchmarks.cost import Stages
from tools.server import ROOT


def test_the_stages_of_an_analysis_are_measured(clips):
    taken = cost.stages(clips["mp3"], repeats=2)
    assert taken.decode > 0
    assert taken.total == taken.decode + taken.spectrogram + taken.inference


def test_requests_are_measured(process, clips, tmp_path):
    assert cost.request(process, clips["mp3"], repeats=20) > 1
    assert process.most_memory_mb() > 50
    files = [tmp_path / "clip.mp3", tmp_path / "clip.m4a"]
    for file in files:
        file.write_bytes(clips[file.suffix[1:]])
    assert load.closed(process.url, files, clients=2, seconds=0.5).rate > 0


def test_a_page_multiplies_the_measurements():
    measured = scaling.Measured(
        machine="One",
        stages={"mp3": Stages(30, 10, 10)},
        requests={"mp3": 70},
        clip_bytes={"mp3": 125_000},
        track=Stages(400, 100, 100),
        per_second=28,
        processors=2,
        at_rest_mb=300,
        most_mb=350,
        prepared=100,
    )
    page = scaling.page(measured)
    assert "| mp3 | 30.0 | 10.0 | 10.0 | 50.0 | 70.0 |" in page
    assert "1.40 times" in page
    assert "300 MB" in page
    assert "a peak of 350 MB" in page
    assert "| 100 | 10.0 | 5 | 0.40 | 100 |" in page
    assert "400 times real time" in page
    assert "280 hours of music: 2.8 processor hours" in page
    assert "1,000,000 tracks: 667 processor hours" in page
    assert "166.7 processor hours (6.67 at that price)" in page  # a million tracks of 0.6 s


@pytest.mark.parametrize("rate", scaling.RATES)
def test_every_rate_has_a_row(rate):
    assert f"| {rate:,} | " in scaling._rates(0.07, 250_000)


@pytest.mark.slow
def test_memory_at_rest_is_measured(process):
    short, long = memory.recordings(long_seconds=(40,))
    rest = memory.at_rest(process, 30, short, long)
    assert rest.requests == 30
    assert 50 < rest.mb < 450


LOOP = """
int main(int count, char **arguments)
{
    long n = count > 1 ? 2000000 : 1000000;
    __asm__ volatile("1: dec %0\\n nop\\n nop\\n jnz 1b" : "+r"(n));
    return 0;
}
"""


@pytest.mark.slow
def test_the_counter_of_instructions_counts_a_loop_exactly(tmp_path):
    if platform.machine() != "x86_64" or not all(map(shutil.which, ("qemu-x86_64", "cc"))):
        pytest.skip("QEMU for x86-64 or a compiler is not installed: nothing was counted")
    (tmp_path / "loop.c").write_text(LOOP)
    loop = tmp_path / "loop"
    subprocess.run(["cc", "-static", "-o", loop, tmp_path / "loop.c"], check=True)
    command = ["qemu-x86_64", "-plugin", raspberry.build_counter(tmp_path), loop]
    counted = raspberry.count(command), raspberry.count([*command, "twice"])
    assert counted[1] - counted[0] == pytest.approx(4_000_000, abs=1_000)


def test_the_page_of_an_estimate_has_each_machine_at_each_rate():
    measured = {each.name: 1.8e9 for each in raspberry.MACHINES}
    page = raspberry.page(measured)
    assert "| Raspberry Pi 4 | cortex-a72 | 1.8 | 1,800 | 2.00 | 1.00 | 0.50 |" in page
    committed = (ROOT / "docs" / "RASPBERRY_PI.md").read_text()
    numbers = re.compile(r"\d[\d.,]*")
    assert numbers.sub("N", committed) == numbers.sub("N", page)
