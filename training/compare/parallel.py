"""Runs the steps of the comparison here, or in processes of one thread each."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

import torch
from threadpoolctl import threadpool_limits

Made = TypeVar("Made")


def in_processes(
    function: Callable[..., Made], tasks: Sequence[tuple[Any, ...]], jobs: int
) -> Iterator[Made]:
    """Call a function with each tuple of arguments; yield what it returns, in any order.

    Parameters
    ----------
    function : callable
    tasks : sequence of tuple
    jobs : int
        Processes; with one, everything happens in this one.
    """
    if jobs == 1:
        with threadpool_limits(1):
            for arguments in tasks:
                yield function(*arguments)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_one_thread) as pool:
        try:
            for done in as_completed([pool.submit(function, *arguments) for arguments in tasks]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)  # whoever stops waits for what runs, no more


def _one_thread() -> None:
    threadpool_limits(1)
    torch.set_num_threads(1)
