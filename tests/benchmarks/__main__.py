"""``python -m tests.benchmarks``: measure what an analysis costs, and write docs/SCALING.md."""

import os
import platform
import sys
from pathlib import Path

from tests.benchmarks import cost, scaling
from tests.server import Server

ROOT = Path(__file__).parent.parent.parent
REPEATS, REQUESTS = 30, 60
THROUGHPUT_SECONDS = 20


def main():
    clips = cost.clips()
    stages = {name: cost.stages(data, REPEATS) for name, data in clips.items()}
    track = cost.stages(cost.track(), REPEATS // 10)
    server = Server()
    server.wait_until_ready()
    at_rest_mb = server.most_memory_mb()
    machine = f"{os.cpu_count()} processors ({platform.machine()})"
    measured = scaling.Measured(
        machine=f"{machine}, Python {platform.python_version()}",
        stages=stages,
        track=track,
        requests={name: cost.request(server, data, REQUESTS) for name, data in clips.items()},
        per_second=cost.throughput(
            server, list(clips.values()), THROUGHPUT_SECONDS, 2 * os.cpu_count()
        ),
        processors=os.cpu_count(),
        clip_bytes={name: len(data) for name, data in clips.items()},
        at_rest_mb=at_rest_mb,
        most_mb=server.most_memory_mb(),
    )
    stopped = server.stop()
    page = scaling.page(measured)
    (ROOT / "docs" / "SCALING.md").write_text(page)
    print(page)
    return stopped


if __name__ == "__main__":
    sys.exit(main())
