"""``python -m tools.torture``: tests damaged recordings, bombs, tags and overload."""

import argparse
import os
import sys

from tools.server import Server
from tools.torture import bombs, decoding, load, serving, tagging


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.torture", description=__doc__)
    parser.add_argument("--decoded", type=int, default=100_000, help="cases for the decoder")
    parser.add_argument("--posted", type=int, default=5_000, help="cases for the service")
    parser.add_argument("--seed", default="0", help="seed of the cases")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, clients")
    parser.add_argument("--bombs", type=float, default=1, help="scale of the bombs; 0 for none")
    parser.add_argument("--tags", type=float, default=1, help="scale of tagging; 0 for none")
    parser.add_argument("--clients", type=int, default=256, help="clients of the load")
    parser.add_argument("--seconds", type=float, default=600, help="load duration; 0 for none")
    args = parser.parse_args()
    outcomes = {"decoder": decoding.torture(args.decoded, args.seed, args.jobs)}
    if args.tags:
        outcomes["tags"] = tagging.torture(args.tags, args.seed, args.jobs)
    outcomes["service"] = served(
        lambda server: serving.torture(server, args.posted, args.seed, args.jobs)
    )
    if args.bombs:
        outcomes["bombs"] = served(lambda server: bombs.torture(server, args.bombs))
    if args.seconds:
        outcomes["load"] = served(lambda server: load.torture(server, args.clients, args.seconds))
    for name, outcome in outcomes.items():
        print(f"{name}: {outcome}\n")
    return 1 if any(outcome.failed for outcome in outcomes.values()) else 0


def served(torture):
    """Run a torture test on a process of the service, and stop the process."""
    server = Server()
    server.wait_until_ready()
    outcome = torture(server)
    if status := server.stop():
        outcome.failed.append(f"exit status {status}")
    if "Traceback" in server.log:
        outcome.failed.append(server.log[server.log.index("Traceback") :][:2_000])
    return outcome


if __name__ == "__main__":
    sys.exit(main())
