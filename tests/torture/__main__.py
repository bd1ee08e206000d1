"""``python -m tests.torture``: damaged recordings, through the decoder and through the service."""

import argparse
import os
import sys

from tests.server import Server
from tests.torture import decoding, serving


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--decoded", type=int, default=100_000, help="cases for the decoder")
    parser.add_argument("--posted", type=int, default=5_000, help="cases for the service")
    parser.add_argument("--seed", default="0", help="another one, other cases")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, clients")
    asked = parser.parse_args()
    outcomes = {"decoder": decoding.torture(asked.decoded, asked.seed, asked.jobs)}
    server = Server()
    server.wait_until_ready()
    outcomes["service"] = serving.torture(server, asked.posted, asked.seed, asked.jobs)
    stopped = server.stop()
    for name, outcome in outcomes.items():
        print(f"{name}: {outcome}\n")
    return 1 if stopped or any(outcome.failed for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
