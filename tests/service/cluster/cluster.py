"""Ray Serve on this machine, with deploy/ray/serve.yaml in a smaller size."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2 as httpx
import yaml

from tools.server import ROOT, Served, free_port

CONFIG = yaml.safe_load((ROOT / "deploy/ray/serve.yaml").read_text())
SIZE = {
    "ingress": {"max_ongoing_requests": 24, "max_queued_requests": 4},
    "scorer": {"max_ongoing_requests": 2, "max_queued_requests": 4},
}
REPLICAS = 2
SETTINGS = {"FIFTEEN_CONCURRENCY": "16", "FIFTEEN_QUEUE_LENGTH": "0", "FIFTEEN_MAX_UPLOADS": "16"}
STOP_SECONDS = 30


def small(port: int, metrics: Path) -> dict:
    """Return the configuration with two replicas of each deployment and short queues."""
    (application,) = CONFIG["applications"]
    deployments = [
        {name: value for name, value in each.items() if name != "autoscaling_config"}
        | SIZE[each["name"]]
        | {"num_replicas": REPLICAS, "ray_actor_options": each["ray_actor_options"]}
        for each in application["deployments"]
    ]
    for each in deployments:
        each["ray_actor_options"] = {**each["ray_actor_options"], "num_cpus": 0.1}
        if "runtime_env" in each["ray_actor_options"]:
            variables = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
            each["ray_actor_options"]["runtime_env"] = {"env_vars": variables}
    application = application | {
        "deployments": deployments,
        "runtime_env": {"env_vars": SETTINGS},
    }
    return CONFIG | {
        "http_options": {"host": "127.0.0.1", "port": port},
        "applications": [application],
    }


class Cluster(Served):
    """A running cluster on this machine."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / "serve.yaml"
        config.write_text(yaml.safe_dump(small(self.port, folder / "metrics")))
        self.log = folder / "log"
        self.session = TemporaryDirectory(prefix="ray-")  # socket paths must be short
        environment = {
            "RAY_TMPDIR": self.session.name,
            "HOME": str(folder),  # Ray writes the cluster's token there
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback, here too
            "RAY_USAGE_STATS_ENABLED": "0",
            # the machine may be busy
            "RAY_gcs_server_request_timeout_seconds": "300",
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
            "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "service.cluster.proxy:middlewares",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.service.cluster", str(config)],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self) -> None:
        for _ in range(2_400):
            assert self.process.poll() is None, self.log.read_text()
            try:
                ready = httpx.get(f"{self.url}/readyz").status_code == 200
            except httpx.TransportError:
                ready = False
            if ready and all(len(self.replicas(name)) == REPLICAS for name in SIZE):
                return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def processes(self) -> dict[int, str]:
        """Return every process of the cluster, with its title."""
        parents, names = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                names[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):  # it has ended
                continue
            parents[int(folder.name)] = int(stat[1])
        ours = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= more
        return {pid: names[pid] for pid in ours if pid in names}

    def replicas(self, deployment: str) -> list[int]:
        """Return the processes of a deployment."""
        title = f"ray::ServeReplica:fifteen:{deployment}"
        return sorted(pid for pid, name in self.processes().items() if name.startswith(title))

    @contextmanager
    def frozen(self, deployment: str):
        """Pause the replicas of a deployment, as an overloaded machine does."""
        stopped = self.replicas(deployment)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> set[int]:
        """Stop the cluster; return the processes that still run."""
        ours = self.processes().keys()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)
        for _ in range(10 * STOP_SECONDS):
            left = {pid for pid in ours if Path(f"/proc/{pid}").exists()}
            if not left:
                break
            time.sleep(0.1)
        self.session.cleanup()
        return left
