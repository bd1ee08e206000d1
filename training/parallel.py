"""Runs tasks in this process, in several processes, or on a Ray cluster.

``RAY_ADDRESS`` names the cluster. Its machines need this project, and the folders that the tasks
read and write under the same names. Ray is the extra ``ray``; it is imported only when it is used.
"""

import multiprocessing
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from typing import Any, Literal, TypeVar, get_args

from threadpoolctl import threadpool_limits

Engine = Literal["processes", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

Result = TypeVar("Result")


class RayMissingError(RuntimeError):
    """Ray is not installed."""


def run(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    jobs: int | None,
    engine: Engine = "processes",
    *,
    threads: int | None = 1,
) -> Iterator[Result]:
    """Call a function with each tuple of arguments; yield the results in the same order.

    After a task fails, no further task starts.

    Parameters
    ----------
    function : callable
        On Ray it may run twice with the same arguments, if a machine fails.
    tasks : sequence of tuple
    jobs : int or None
        Number of tasks at the same time; None for one per processor. With 1, processes are not
        used: all tasks run in this process.
    engine : str
    threads : int or None
        Threads of each task; None leaves the number of threads as it is.

    Raises
    ------
    RayMissingError
        If the engine is Ray, and Ray is not installed.
    """
    calls = [(function, arguments, threads) for arguments in tasks]
    if engine == "ray":
        yield from _on_ray(calls, jobs)
    elif jobs == 1:
        for call in calls:
            yield _call(*call)
    elif tasks:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context) as pool:
            try:
                for future in [pool.submit(_call, function, each, threads) for each in tasks]:
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _call(
    function: Callable[..., Result], arguments: tuple[Any, ...], threads: int | None
) -> Result:
    if threads is None:
        return function(*arguments)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    with threadpool_limits(threads):
        return function(*arguments)


def _on_ray(calls: list[tuple[Any, ...]], jobs: int | None) -> Iterator[Any]:
    try:
        data = import_module("ray.data")
    except ImportError as error:
        raise RayMissingError("--engine ray needs the extra ray: pip install .[ray]") from error
    if not calls:
        return
    context = data.DataContext.get_current()
    context.enable_progress_bars = False  # the caller shows one
    context.execution_options.preserve_order = True
    rows = [{"call": pickle.dumps(call)} for call in calls]
    results = data.from_items(rows, override_num_blocks=len(rows)).map(
        _call_row, compute=data.TaskPoolStrategy(jobs), num_cpus=1
    )
    for row in results.iter_rows():
        yield pickle.loads(row["result"])  # noqa: S301 - pickled by `_call_row`


def _call_row(row: dict[str, bytes]) -> dict[str, bytes]:
    call = pickle.loads(row["call"])  # noqa: S301 - pickled by `_on_ray`
    return {"result": pickle.dumps(_call(*call))}
