"""``serve run`` on a small cluster of this machine; ends with SIGTERM."""

import signal
import sys

import ray
from ray.serve.scripts import cli

MEGABYTES = 10**6


def main(config: str) -> None:
    ray.init(
        num_cpus=2,
        object_store_memory=100 * MEGABYTES,
        include_dashboard=False,
        namespace="serve",
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cli(["run", config])


if __name__ == "__main__":
    main(sys.argv[1])
