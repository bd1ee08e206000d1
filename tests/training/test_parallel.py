"""Ray Data in a process of its own, so that nothing of Ray is left in this one."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from service import audio
from tests.training.data.test_prepare import contents
from tools import signals
from training import parallel
from training.__main__ import main
from training.data import prepare, synthetic
from training.data.corpus import Track

ROOT = Path(__file__).parents[2]
BY_RAY = """
import pickle, sys
from pathlib import Path
import ray
from training import parallel
from training.data import prepare

ray.init(num_cpus=2, include_dashboard=False, object_store_memory=10**8)
plans = pickle.loads(Path(sys.argv[1]).read_bytes())
print(sorted(parallel.run(prepare._write_shard, plans, None, "ray")))
"""
ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback, here too
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_server_request_timeout_seconds": "300",  # for other work on the machine
}


def plans_into(folder, recordings):
    """Shards of a recording, of a file that is none, and of sounds that are made."""
    folder.mkdir()
    tracks = [Track(path.name, path, path.name, "train", "house") for path in recordings]
    tracks += synthetic.synthetic_tracks(set())[:2]
    return [(folder / f"shard-{number}.npy", [track]) for number, track in enumerate(tracks)]


@pytest.mark.slow
def test_the_shards_are_those_of_processes(tmp_path, few_synthetic):
    recordings = [tmp_path / "groove.wav", tmp_path / "broken.mp3"]
    groove = signals.groove(16, audio.SAMPLE_RATE)
    recordings[0].write_bytes(signals.wav(groove, audio.SAMPLE_RATE))
    recordings[1].write_bytes(b"nothing to hear")
    here = sorted(parallel.run(prepare._write_shard, plans_into(tmp_path / "here", recordings), 1))
    (tmp_path / "plans").write_bytes(pickle.dumps(plans_into(tmp_path / "there", recordings)))
    with TemporaryDirectory(prefix="ray-") as session:  # its sockets have no room for more
        folders = {"RAY_TMPDIR": session, "HOME": str(tmp_path)}  # and where its token goes
        output = subprocess.run(
            [sys.executable, "-c", BY_RAY, tmp_path / "plans"],
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | folders,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    assert output.splitlines()[-1] == str(here)
    assert here[-1][0].startswith("broken.mp3: ")
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "here")) == 8


@pytest.fixture
def ask(tmp_path, monkeypatch, few_synthetic):
    """The command on a corpus of two genres."""
    for genre in ("house", "reggae"):
        for number in range(5):
            album = tmp_path / "corpus" / genre / f"album {genre} {number}"
            album.mkdir(parents=True)
            (album / "track.wav").write_bytes(b"nothing to hear")
    command = ["training", "prepare", str(tmp_path / "corpus"), str(tmp_path / "prepared")]
    monkeypatch.setattr(sys, "argv", [*command, "--engine", "ray"])
    return main


def test_the_command_names_the_engine(ask, tmp_path, monkeypatch):
    asked = []

    def on_ray(calls, jobs):
        asked.append((len(calls), jobs))
        return (function(*arguments) for function, arguments, _ in calls)

    monkeypatch.setattr(parallel, "_on_ray", on_ray)
    assert ask() == 0
    assert asked == [(1, None)]
    assert (tmp_path / "prepared" / prepare.TRACKS_FILE).exists()


def test_without_ray_it_says_what_to_install(ask, monkeypatch, capsys):
    def import_module(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(parallel, "import_module", import_module)
    assert ask() == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "training: --engine ray needs the extra ray: pip install .[ray]"
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_runs_once_in_order(jobs):
    tasks = [(7, 2), (9, 4), (5, 5)]
    assert list(parallel.run(divmod, tasks, jobs)) == [(3, 1), (2, 1), (1, 0)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_tasks_have_no_results(jobs):
    assert list(parallel.run(divmod, [], jobs)) == []


def test_two_jobs_run_in_other_processes():
    assert os.getpid() not in set(parallel.run(os.getpid, [(), ()], 2))


def test_after_a_failure_no_task_starts():
    start = time.monotonic()
    tasks = [("no number",), *[(1,)] * 100]
    with pytest.raises(TypeError):
        list(parallel.run(time.sleep, tasks, 2))
    assert time.monotonic() - start < 40
