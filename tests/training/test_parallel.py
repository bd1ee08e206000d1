"""Ray Data runs in another process, so that nothing of Ray stays in this one."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from threadpoolctl import threadpool_info

from service import audio
from tests.training.data.test_prepare import shard_files
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
print(list(parallel.run(prepare.write_shard, plans, None, "ray")))
"""
ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback on these systems too
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_server_request_timeout_seconds": "300",  # for a busy machine
}


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_runs_once_and_in_order(jobs):
    tasks = [(7, 2), (9, 4), (5, 5)]
    assert list(parallel.run(divmod, tasks, jobs)) == [(3, 1), (2, 1), (1, 0)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_tasks_have_no_results(jobs):
    assert list(parallel.run(divmod, [], jobs)) == []


def n_threads():
    torch.ones(100, 100) @ torch.ones(100, 100)
    pools = [pool["num_threads"] for pool in threadpool_info()]
    return os.getpid(), max([torch.get_num_threads(), *pools])


@pytest.mark.slow
def test_two_jobs_run_in_other_processes_with_one_thread_each():
    results = list(parallel.run(n_threads, [(), ()], 2))
    assert os.getpid() not in {process for process, _ in results}
    assert [threads for _, threads in results] == [1, 1]


def test_one_job_runs_in_this_process():
    assert list(parallel.run(os.getpid, [()], 1)) == [os.getpid()]


@pytest.mark.slow
def test_after_a_failure_no_task_starts():
    start = time.monotonic()
    tasks = [("no number",), *[(1,)] * 100]
    with pytest.raises(TypeError):
        list(parallel.run(time.sleep, tasks, 2))
    assert time.monotonic() - start < 40


def plans_into(folder, recordings):
    """Shards of a recording, of a file that is not audio, and of synthetic sounds."""
    folder.mkdir()
    tracks = [Track(path.name, path, path.name, "train", "house") for path in recordings]
    tracks += synthetic.synthetic_tracks(set())[:2]
    return [(folder / f"shard-{number}.npy", [track]) for number, track in enumerate(tracks)]


@pytest.mark.slow
def test_ray_writes_the_same_shards_as_one_process(tmp_path, few_synthetic):
    recordings = [tmp_path / "groove.wav", tmp_path / "broken.mp3"]
    groove = signals.groove(16, audio.SAMPLE_RATE)
    recordings[0].write_bytes(signals.wav(groove, audio.SAMPLE_RATE))
    recordings[1].write_bytes(b"not audio")
    here = list(parallel.run(prepare.write_shard, plans_into(tmp_path / "here", recordings), 1))
    (tmp_path / "plans").write_bytes(pickle.dumps(plans_into(tmp_path / "there", recordings)))
    with TemporaryDirectory(prefix="ray-") as session:  # Ray's sockets need a short path
        folders = {"RAY_TMPDIR": session, "HOME": str(tmp_path)}  # HOME gets its token
        output = subprocess.run(
            [sys.executable, "-c", BY_RAY, tmp_path / "plans"],
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | folders,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    assert output.splitlines()[-1] == str(here)
    assert here[1][0].startswith("broken.mp3: ")
    assert shard_files(tmp_path / "there") == shard_files(tmp_path / "here")
    assert len(shard_files(tmp_path / "here")) == 8


@pytest.fixture
def prepare_by_ray(tmp_path, monkeypatch, few_synthetic):
    """The command for a corpus of two genres."""
    for genre in ("house", "reggae"):
        for number in range(5):
            album = tmp_path / "corpus" / genre / f"album {genre} {number}"
            album.mkdir(parents=True)
            (album / "track.wav").write_bytes(b"not audio")
    command = ["training", "prepare", str(tmp_path / "corpus"), str(tmp_path / "dataset")]
    monkeypatch.setattr(sys, "argv", [*command, "--engine", "ray"])
    return main


def test_without_ray_the_message_names_the_extra(prepare_by_ray, monkeypatch, capsys):
    def import_module(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(parallel, "import_module", import_module)
    assert prepare_by_ray() == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "training: --engine ray needs the extra ray: pip install .[ray]"
    )
