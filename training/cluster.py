"""Does many tasks on every machine of a Ray cluster, or of a machine alone, by Ray Data.

``RAY_ADDRESS`` names the cluster. Its machines have this project, and the folders that it reads and
writes under the same names. Ray is the extra ``ray``, imported only here and only when asked for.
"""

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from threadpoolctl import threadpool_limits


class RayMissingError(RuntimeError):
    """Ray is not installed."""


def on_cluster(
    function: Callable[..., list[str]], tasks: Sequence[tuple[Any, ...]], jobs: int | None
) -> Iterator[list[str]]:
    """Call a function with each tuple of arguments; yield what it returns, in any order.

    Parameters
    ----------
    function : callable
        May be called twice with the same, if a machine fails.
    tasks : sequence of tuple
    jobs : int or None
        How many at the same time; None for as many as the cluster has processors.

    Raises
    ------
    RayMissingError
        If Ray is not installed.
    """
    try:
        data = import_module("ray.data")
    except ImportError as error:
        raise RayMissingError("--engine ray needs the extra ray: pip install .[ray]") from error
    if not tasks:
        return
    data.DataContext.get_current().enable_progress_bars = False  # there is another
    rows = [{"task": pickle.dumps((function, arguments))} for arguments in tasks]
    pool = data.TaskPoolStrategy(jobs)
    done = data.from_items(rows, override_num_blocks=len(rows)).map(_do, compute=pool, num_cpus=1)
    for row in done.iter_rows():
        yield json.loads(row["done"])


def _do(row: dict[str, bytes]) -> dict[str, str]:
    """Do one task by one thread, as processes do."""
    function, arguments = pickle.loads(row["task"])  # noqa: S301  # written above
    with threadpool_limits(1):
        return {"done": json.dumps(function(*arguments))}
