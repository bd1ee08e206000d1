"""The queue, directly and through a socket, with work that waits for an event."""

import asyncio
import threading
from functools import partial

import anyio
import httpx2 as httpx
import pytest

from service import audio
from service.app import create_app
from service.settings import Settings
from service.web import admission
from service.web.admission import BodyLimiter, NotReadyError, OverloadedError, Queue
from tests.http import assert_analysis, assert_problem, post, post_raw
from tools.server import Threaded


class Work:
    """Work for the queue that runs until `may_end` is set, or until its check ends it."""

    def __init__(self, check=lambda: None):
        self.begun, self.may_end, self.ended = (threading.Event() for _ in range(3))
        self.check = check

    def __call__(self):
        self.begun.set()
        try:
            while not self.may_end.wait(0.01):
                self.check()
        finally:
            self.ended.set()
        return "done"


async def until(condition):
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.01)


class TestQueue:
    def test_waiting_recordings_run_one_at_a_time_in_order(self):
        order = []

        async def scenario():
            queue = Queue(1, 3)
            first = Work()
            async with anyio.create_task_group() as group:
                group.start_soon(queue.run, first)
                await until(first.begun.is_set)
                for number in range(3):
                    group.start_soon(queue.run, partial(order.append, number))
                    await until(lambda: queue.waiting == number + 1)  # noqa: B023
                assert queue.running == 1
                first.may_end.set()
            assert (queue.running, queue.waiting) == (0, 0)

        anyio.run(scenario)
        assert order == [0, 1, 2]

    @pytest.mark.parametrize("length", [0, 1])
    def test_a_full_queue_refuses(self, length):
        async def scenario():
            queue = Queue(2, length)
            work = Work()
            async with anyio.create_task_group() as group:
                for _ in range(2 + length):
                    queue.refuse_if_full()
                    group.start_soon(queue.run, work)
                await until(lambda: (queue.running, queue.waiting) == (2, length))
                with pytest.raises(OverloadedError):
                    queue.refuse_if_full()
                with pytest.raises(OverloadedError):
                    await queue.run(work)
                work.may_end.set()
            queue.refuse_if_full()

        anyio.run(scenario)

    def test_simultaneous_requests_do_not_exceed_the_limit(self):
        outcomes = []

        async def scenario():
            queue, work = Queue(1, 2), Work()

            async def send():
                try:
                    outcomes.append((await queue.run(work))[0])
                except OverloadedError:
                    outcomes.append("refused")

            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(send)
                try:
                    await until(lambda: outcomes.count("refused") == 7)
                    assert (queue.running, queue.waiting) == (1, 2)
                finally:
                    work.may_end.set()

        anyio.run(scenario)
        assert outcomes.count("done") == 3

    def test_retry_after_is_the_time_to_empty_the_queue(self, monkeypatch):
        monkeypatch.setattr(admission, "FIRST_SECONDS", 3.0)

        async def scenario():
            queue = Queue(2, 5)
            assert queue.retry_after == 1
            work = Work()
            async with anyio.create_task_group() as group:
                for _ in range(7):
                    group.start_soon(queue.run, work)
                await until(lambda: (queue.running, queue.waiting) == (2, 5))
                with pytest.raises(OverloadedError, match="again in 11 s") as refusal:
                    await queue.run(work)
                assert refusal.value.retry_after == 11  # seven of 3 s each, two at a time
                work.may_end.set()

        anyio.run(scenario)

    def test_the_duration_of_an_analysis_is_estimated(self, monkeypatch):
        monkeypatch.setattr(admission, "FIRST_SECONDS", 1_000.0)

        async def scenario():
            queue = Queue(1, 1)
            for _ in range(100):
                await queue.run(lambda: None)
            work = Work()
            async with anyio.create_task_group() as group:
                group.start_soon(queue.run, work)
                await until(work.begun.is_set)
                assert queue.retry_after == 1
                work.may_end.set()

        anyio.run(scenario)

    def test_a_failure_frees_its_place(self):
        async def scenario():
            queue = Queue(1, 0)
            with pytest.raises(ZeroDivisionError):
                await queue.run(lambda: 1 / 0)
            return await queue.run(lambda: "next")

        assert anyio.run(scenario)[0] == "next"

    @pytest.mark.parametrize("waits", [False, True])
    def test_a_client_that_disconnects_frees_its_place(self, waits):
        async def scenario():
            queue = Queue(1, 1)
            before, work = Work(), Work(queue.check)
            async with anyio.create_task_group() as group:
                if waits:
                    group.start_soon(queue.run, before)
                    await until(before.begun.is_set)
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as leaving:
                        leaving.start_soon(queue.run, work)
                        await until(lambda: queue.waiting if waits else work.begun.is_set())
                        scope.cancel()
                assert queue.waiting == 0
                assert queue.running == waits
                before.may_end.set()
            assert work.ended.is_set() != waits

        anyio.run(scenario)

    def test_closing_the_queue_ends_running_work(self):
        async def scenario():
            queue = Queue(1, 0)
            work = Work(queue.check)
            running = asyncio.create_task(queue.run(work))
            await until(work.begun.is_set)
            queue.close()
            with pytest.raises(NotReadyError, match="stopping"):
                await running

        anyio.run(scenario)


def test_bodies_are_limited():
    async def scenario():
        queue, bodies = Queue(1, 1), BodyLimiter(1)
        async with bodies.hold(queue):
            with pytest.raises(OverloadedError, match="1 uploads"):
                async with bodies.hold(queue):
                    pytest.fail("there was no place")
        async with bodies.hold(queue):
            assert bodies.held == 1
        assert bodies.held == 0

    anyio.run(scenario)


@pytest.fixture
def narrow(monkeypatch):
    """A server for one recording at a time, whose decoding runs until `may_end` is set."""
    app = create_app(Settings(concurrency=1, queue_length=0, max_uploads=2))
    server = Threaded(app)
    app.state.warming.result()
    works = []
    decode = audio.decode

    def waiting_decode(data, bounds):
        works.append(Work(bounds.check))
        works[-1]()
        return decode(data, bounds)

    monkeypatch.setattr(audio, "decode", waiting_decode)
    server.works = works
    yield server
    for work in works:
        work.may_end.set()
    server.stop()


def head(length):
    return (
        "POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/mpeg\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def wait(condition):
    anyio.run(until, condition)


class TestOverHttp:
    def test_a_full_queue_refuses_and_probes_do_not(self, narrow, clips):
        answers = []
        with httpx.Client(base_url=narrow.url) as client:
            sender = threading.Thread(target=lambda: answers.append(post(client, clips["mp3"])))
            sender.start()
            wait(lambda: narrow.works)
            problem = assert_problem(post(client, clips["mp3"]), 503, "overloaded")
            assert problem["limits"]["queue_length"] == 0
            response = post_raw(client, b"not read at all")
            assert_problem(response, 503, "overloaded")
            assert response.headers["retry-after"] == "1"
            for path in ("/healthz", "/readyz", "/v1/limits", "/v1/models"):
                assert client.get(path).status_code == 200
            narrow.works[0].may_end.set()
            sender.join()
        assert_analysis(answers[0])

    def test_a_client_that_disconnects_frees_its_place(self, narrow, clips):
        data = clips["mp3"]
        with narrow.connect() as connection:
            connection.sendall(head(len(data)) + data)
            wait(lambda: narrow.works)
        wait(narrow.works[0].ended.is_set)
        assert not narrow.works[0].may_end.is_set()
        queue, bodies = narrow.app.state.queue, narrow.app.state.bodies
        wait(lambda: (queue.running, bodies.held) == (0, 0))

    def test_a_third_body_is_refused_while_two_arrive(self, narrow):
        bodies = narrow.app.state.bodies
        with narrow.connect() as one, narrow.connect() as two:
            for connection in (one, two):
                connection.sendall(head(1_000) + b"RIFF")
            wait(lambda: bodies.held == 2)
            with httpx.Client(base_url=narrow.url) as client:
                assert_problem(post_raw(client, b"x"), 503, "overloaded")
        wait(lambda: bodies.held == 0)

    def test_stopping_ends_a_running_analysis(self, narrow, clips):
        data = clips["mp3"]
        with narrow.connect() as connection:
            connection.sendall(head(len(data)) + data)
            wait(lambda: narrow.works)
            narrow.stop()
        wait(narrow.works[0].ended.is_set)
        assert not narrow.works[0].may_end.is_set()
