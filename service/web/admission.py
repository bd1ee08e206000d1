"""Admission: who may come in, who has to wait, and who is asked to come again later.

A body is held in memory from its first byte to the answer, so their number is bounded; a recording
takes its turn at the processors, so the line for them is bounded, too. Whoever passes a bound is
refused at once and told when to come again. Probes and metrics take neither.

All of it belongs to one process and its event loop.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, from_thread, to_thread
from starlette.requests import Request

FIRST_SECONDS = 0.2  # what a recording is taken to need before one was seen
LEARNING_RATE = 0.1  # of the mean that follows what recordings need

T = TypeVar("T")


class RetryLaterError(RuntimeError):
    """The same request may succeed later.

    Parameters
    ----------
    message : str
        For the person who sent it.
    retry_after : int
        Seconds.
    """

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(RetryLaterError):
    """The service has not proved yet, or has disproved, that it works."""


class OverloadedError(RetryLaterError):
    """No place is free in the queue, or none for another body."""


class SenderLeftError(RuntimeError):
    """The sender hung up before the answer: nobody reads this."""


class Queue:
    """Where recordings wait for their turn, first come, first served.

    Parameters
    ----------
    concurrency : int
        Recordings that have their turn at the same time, each in a thread.
    length : int
        Recordings that wait; more are refused.
    """

    def __init__(self, concurrency: int, length: int) -> None:
        self._turns = CapacityLimiter(concurrency)
        self._places = concurrency + length
        self._taken = 0  # counted here: the limiter learns of a thread only when it is its turn
        self._seconds = FIRST_SECONDS
        self._closing = False

    @property
    def running(self) -> int:
        """How many have their turn."""
        return int(self._turns.borrowed_tokens)

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return self._taken - self.running

    @property
    def retry_after(self) -> int:
        """Seconds until all that run and wait will have had their turn, at least 1."""
        seconds = self._taken * self._seconds / self._turns.total_tokens
        return max(1, math.ceil(seconds))

    def refuse_if_full(self) -> None:
        """Raise `OverloadedError` where another recording would find no place."""
        if self._taken >= self._places:
            raise OverloadedError(
                f"{self.running} recordings are being analysed and {self.waiting} wait; "
                f"ask again in {self.retry_after} s.",
                self.retry_after,
            )

    async def run(self, work: Callable[[], T]) -> tuple[T, float]:
        """Wait for a turn, and work in a thread.

        Parameters
        ----------
        work : callable
            It calls `check` now and then, so that it ends soon where nobody wants its result.

        Returns
        -------
        result
            What `work` returned.
        waited : float
            Seconds before it had its turn.

        Raises
        ------
        OverloadedError
            If the queue is full.
        """
        self.refuse_if_full()
        asked = perf_counter()

        def turn() -> tuple[T, float, float]:
            started = perf_counter()
            return work(), started, perf_counter()

        self._taken += 1
        try:
            result, started, ended = await to_thread.run_sync(turn, limiter=self._turns)
        finally:
            self._taken -= 1
        self._seconds += LEARNING_RATE * (ended - started - self._seconds)
        return result, started - asked

    def check(self) -> None:
        """End the work that calls this, in its thread, if its request was cancelled or must end."""
        from_thread.check_cancelled()
        if self._closing:
            raise NotReadyError("The service is stopping.")

    def close(self) -> None:
        """Have whatever still works end at its next `check`."""
        self._closing = True


class Uploads:
    """Counts the bodies that are held in memory.

    Parameters
    ----------
    most : int
        How many there may be at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    @asynccontextmanager
    async def place(self, queue: Queue) -> AsyncIterator[None]:
        """Hold a place for one body; raises `OverloadedError` where there is none."""
        if self.held >= self._most:
            raise OverloadedError(
                f"{self.held} uploads are on their way; ask again in {queue.retry_after} s.",
                queue.retry_after,
            )
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


async def unless_sender_leaves(request: Request, answer: Callable[[], Awaitable[T]]) -> T:
    """Await an answer, and cancel it if its request's sender hangs up.

    Parameters
    ----------
    request : Request
        Its body was read to the end.
    answer : callable

    Raises
    ------
    SenderLeftError
        If the sender hung up.
    """
    scope = CancelScope()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    watcher = asyncio.create_task(watch())
    try:
        with scope:
            return await answer()
    finally:
        watcher.cancel()
    raise SenderLeftError("The sender hung up before the answer.")
