"""Admission control: which requests are served now, which wait, and which must retry later.

A body is in memory from its first byte until the response, so the number of bodies is limited.
Recordings share the processors, so the queue for them is limited, too. A request beyond a limit is
refused at once with the time after which to retry. Probes and metrics are not limited.

Each process has its own limits, on its own event loop.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, from_thread, to_thread
from starlette.requests import Request

from service.audio import BrokenOffError

FIRST_SECONDS = 0.2  # assumed duration of an analysis until the first one is measured
LEARNING_RATE = 0.1  # of the moving average of that duration

T = TypeVar("T")


class RetryLaterError(RuntimeError):
    """The same request may succeed later.

    Parameters
    ----------
    message : str
        For the sender.
    retry_after : int
        Seconds.
    """

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(RetryLaterError):
    """The models are not verified yet, or their verification failed."""


class OverloadedError(RetryLaterError):
    """The queue is full, or too many bodies are in memory."""


class SenderLeftError(RuntimeError):
    """The sender disconnected before the response; nobody reads this message."""


class Queue:
    """The queue of recordings, first in, first out.

    Parameters
    ----------
    concurrency : int
        Recordings that are analysed at the same time, each in a thread.
    length : int
        Recordings that may wait; more are refused.
    """

    def __init__(self, concurrency: int, length: int) -> None:
        self._limiter = CapacityLimiter(concurrency)
        self._capacity = concurrency + length
        self._count = 0  # counted here: the limiter knows a thread only once it runs
        self._seconds = FIRST_SECONDS
        self._closing = False

    @property
    def running(self) -> int:
        """How many are analysed now."""
        return int(self._limiter.borrowed_tokens)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._count - self.running

    @property
    def retry_after(self) -> int:
        """Seconds until all that run and wait should be done, at least 1."""
        seconds = self._count * self._seconds / self._limiter.total_tokens
        return max(1, math.ceil(seconds))

    def refuse_if_full(self) -> None:
        """Raise `OverloadedError` if the queue has no room for another recording."""
        if self._count >= self._capacity:
            raise OverloadedError(
                f"{self.running} recordings are being analysed and {self.waiting} wait; "
                f"try again in {self.retry_after} s.",
                self.retry_after,
            )

    async def run(self, work: Callable[[], T]) -> tuple[T, float]:
        """Wait in the queue, then do the work in a thread.

        Parameters
        ----------
        work : callable
            It should call `check` now and then, so that it ends early if its result is not needed.

        Returns
        -------
        result
            The return value of `work`.
        waited : float
            Seconds in the queue.

        Raises
        ------
        OverloadedError
            If the queue is full.
        """
        self.refuse_if_full()
        queued = perf_counter()

        def timed_work() -> tuple[T, float, float]:
            started = perf_counter()
            return work(), started, perf_counter()

        self._count += 1
        try:
            result, started, ended = await to_thread.run_sync(timed_work, limiter=self._limiter)
        finally:
            self._count -= 1
        self._seconds += LEARNING_RATE * (ended - started - self._seconds)
        return result, started - queued

    async def join(self, who: object) -> None:
        """Wait for a place among the recordings that are analysed; `leave` gives it back."""
        self._count += 1
        try:
            await self._limiter.acquire_on_behalf_of(who)
        except BaseException:
            self._count -= 1
            raise

    def leave(self, who: object) -> None:
        """Give the place of `join` back."""
        self._limiter.release_on_behalf_of(who)
        self._count -= 1

    def check(self) -> None:
        """Raise, in the thread of the work, if its request was cancelled or the service stops."""
        from_thread.check_cancelled()
        if self._closing:
            raise NotReadyError("The service is stopping.")

    def close(self) -> None:
        """Make running work end at its next `check`."""
        self._closing = True


class Turn:
    """A place in the queue for work that waits for its sender in between, and rests then.

    It is made on the event loop; its methods are called in the thread of the work.
    `anyio.from_thread.run` would not do: in a scope that is cancelled, it waits without end.

    Parameters
    ----------
    queue : Queue
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._loop = asyncio.get_running_loop()
        self._has_place = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a place while the context lasts, except while it rests."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Give the place to others while the context lasts."""
        self._give_back()
        try:
            yield
        finally:
            self._take()

    def offer(self) -> None:
        """Let those go first that wait."""
        if self._queue.waiting:
            with self.rest():
                pass

    def _take(self) -> None:
        joining = self._queue.join(self)
        try:
            asyncio.run_coroutine_threadsafe(joining, self._loop).result()
        except (CancelledError, RuntimeError) as error:  # the event loop ends, or has ended
            joining.close()
            raise BrokenOffError("The service does not go on with this recording.") from error
        self._has_place = True

    def _give_back(self) -> None:
        if self._has_place:
            self._has_place = False
            self._loop.call_soon_threadsafe(self._queue.leave, self)


class BodyLimiter:
    """Limits the bodies that are in memory at the same time.

    Parameters
    ----------
    limit : int
    what : str
        What the bodies are doing, for the message of a refusal.
    """

    def __init__(self, limit: int, what: str = "uploads are on their way") -> None:
        self._limit, self._what = limit, what
        self.held = 0

    @asynccontextmanager
    async def hold(self, queue: Queue) -> AsyncIterator[None]:
        """Count one body while the context lasts; raises `OverloadedError` at the limit."""
        if self.held >= self._limit:
            raise OverloadedError(
                f"{self.held} {self._what}; try again in {queue.retry_after} s.",
                queue.retry_after,
            )
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


async def cancel_on_disconnect(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """Await some work, and cancel it if the sender of its request disconnects.

    Parameters
    ----------
    request : Request
        Its body was read to the end.
    work : callable

    Raises
    ------
    SenderLeftError
        If the sender disconnected.
    """
    scope = CancelScope()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    watcher = asyncio.create_task(watch())
    try:
        with scope:
            return await work()
    finally:
        watcher.cancel()
    raise SenderLeftError("The sender disconnected before the response.")
