"""On Ray Serve: the tests of a single process, and those that need several replicas.

Everything that needs the cluster is in this file, so that only one test process starts it.
"""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx2 as httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from service.schemas import Analysis
from service.settings import Settings
from tests.http import assert_analysis, assert_problem, post, read_metrics, serving
from tests.live import kinds, live
from tests.service import test_app
from tests.service.cluster.cluster import REPLICAS, SETTINGS, SIZE, Cluster
from tests.service.web.middleware import test_head, test_headers, test_observe
from tests.service.web.routes import test_analyze, test_kserve
from tools import signals

pytestmark = pytest.mark.slow

LOAD = SIZE["scorer"]["max_queued_requests"]  # clients; with more, some would be refused
HELD_SECONDS = 2
# Minutes long, so that the models are busy most of the time.
LONG = signals.wav(np.tile(signals.groove(15, 8_000), 10), 8_000)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """The cluster."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.wait_until_ready()
        yield cluster
    finally:
        left = cluster.stop()
    assert not left, cluster.log.read_text()


@pytest.fixture(scope="module")
def server(process):
    """The URL of the cluster."""
    return process.url


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


class TestAnalyze(test_app.TestAnalyze):
    """Without the tests that need access to the process."""

    test_one_byte_above_the_limit = None
    test_the_event_loop_stays_free = None
    test_concurrency_is_limited = None


def test_a_live_connection(process, client):
    data = signals.encode(signals.groove(8, 48_000), 48_000, "webm")
    with live(process) as peer:
        answers = peer.start().send(data).end().rest()
    first, *between, last = kinds(answers)
    assert (first, last) == ("ready", "final")
    assert set(between) <= {"running"}
    assert peer.code == 1_000
    whole = assert_analysis(post(client, data))
    found = Analysis.model_validate(answers[-1]["analysis"])
    assert found.model_dump(exclude={"timings"}) == whole.model_dump(exclude={"timings"})


def test_a_problem_of_a_live_connection(process):
    with live(process) as peer:
        assert peer.start(model="other").rest()[-1]["title"] == "Unknown model"
    assert peer.code == 4_404
    with pytest.raises(InvalidStatus), live(process, path="/docs/x"):
        pass


class TestModels(test_app.TestModels):
    pass


class TestDocumentation(test_app.TestDocumentation):
    @pytest.fixture
    def document(self, client):
        return client.get("/openapi.json").json()


class TestServer(test_app.TestServer):
    @pytest.mark.parametrize(
        "expect", [b""]
    )  # the engine sends 100 Continue before the application sees the request
    def test_a_declared_length_is_refused_at_once(self, process, expect):
        super().test_a_declared_length_is_refused_at_once(process, expect)

    @pytest.mark.parametrize(("request_", "status"), test_app.ODD_REQUESTS)
    def test_odd_requests(self, process, request_, status):
        if request_.startswith((b"OPTIONS *", b"BREW")):  # the engine refuses these itself
            with process.connect() as connection:
                connection.sendall(request_)
                assert connection.recv(100).startswith(b"HTTP/1.1 4")
        else:
            super().test_odd_requests(process, request_, status)


class TestTimeline(test_analyze.TestTimeline):
    pass


class TestBatch(test_analyze.TestBatch):
    pass


class TestRepeatedRequests(test_analyze.TestRepeatedRequests):
    test_answers_are_cached_if_the_setting_says_so = None
    test_nothing_is_cached_by_default = None

    @pytest.fixture
    def decodings(self):
        """A stand-in for one decoding, because the decodings in a replica cannot be counted."""
        return [None]


class TestRequestId(test_observe.TestRequestId):
    def test_there_is_one(self, client, clips):
        for response in (client.get("/healthz"), post(client, clips["mp3"]), post(client, b"x")):
            assert len(response.headers.get_list("x-request-id")) == 1


test_head_of_an_unknown_address = test_head.test_head_of_an_unknown_address
test_the_connection_stays_usable = test_head.test_the_connection_stays_usable
test_probes = test_kserve.test_probes
test_a_model_describes_itself = test_kserve.test_a_model_describes_itself
test_every_response_has_security_headers = test_headers.test_every_response_has_security_headers


def without_timings(response):
    answer = assert_analysis(response).model_dump()
    del answer["timings"]
    return answer


def numbers(value):
    """Return every number of an answer, in order."""
    if isinstance(value, dict | list | tuple):
        each = value.values() if isinstance(value, dict) else value
        return [number for one in each for number in numbers(one)]
    return [value] if isinstance(value, float) else []


def test_answers_are_those_of_a_single_process(client, clips, single):
    for name in ("mp3", "webm"):
        here, there = (without_timings(post(each, clips[name])) for each in (single, client))
        assert numbers(here) == pytest.approx(numbers(there), abs=1e-6)
    long = {"file": test_analyze.HALF_MINUTE}
    url = "/v1/analyze?timeline=true"
    here, there = (without_timings(each.post(url, files=long)) for each in (single, client))
    assert numbers(here) == pytest.approx(numbers(there), abs=1e-6)


@pytest.fixture(scope="module")
def single():
    with serving(Settings()) as client:
        yield client


def test_replicas_add_up_their_metrics(client, clips):
    before = read_metrics(client)
    for _ in range(10):
        post(client, clips["mp3"])
    after = read_metrics(client)
    name = ("fifteen_requests_total", "/v1/analyze", "200", "POST")
    assert after[name] - before[name] == 10
    assert after["fifteen_stage_seconds_count", "inference"] >= 10


def assert_refused(response, detail):
    problem = assert_problem(response, 503, "overloaded")
    assert detail in problem["detail"]
    assert int(response.headers["retry-after"]) >= 1
    assert len(response.headers.get_list("x-request-id")) == 1
    return problem


class TestOverload:
    def test_a_full_application_refuses(self, process, client, clips):
        most = int(SETTINGS["FIFTEEN_MAX_UPLOADS"])
        head = b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
        with ExitStack() as stack:
            for _ in range(3 * REPLICAS * most):
                connection = stack.enter_context(process.connect())
                connection.sendall(head + b"Content-Length: 1000\r\n\r\nRIFF")
                response = post(client, clips["mp3"])
                if response.status_code == 503:
                    break
            problem = assert_refused(response, "uploads are on their way")
            assert problem["limits"]["max_uploads"] == most
            assert client.get("/healthz").status_code == 200

    def test_full_model_replicas_refuse(self, process, server, clips):
        def send():
            return httpx.post(f"{server}/v1/analyze", files={"file": clips["mp3"]}, timeout=60)

        with ThreadPoolExecutor(30) as pool:
            with process.frozen("scorer"):
                sent = []
                for _ in range(30):
                    sent.append(pool.submit(send))
                    time.sleep(0.25)  # else the queue for decoding is full first, or the proxy's
                deadline = time.monotonic() + 20
                while sum(each.done() for each in sent) < 8 and time.monotonic() < deadline:
                    time.sleep(0.1)
                refused = [each.result() for each in sent if each.done()]
            answers = [each.result() for each in sent]
        assert len(refused) >= 8
        details = {assert_problem(each, 503, "overloaded")["detail"] for each in refused}
        assert any("The model's queue is full" in detail for detail in details)
        served = [each for each in answers if each.status_code != 503]
        assert served
        for response in served:
            assert_analysis(response)

    def test_a_refusal_by_the_engine_is_a_problem(self, process, server):
        with ThreadPoolExecutor(80) as pool:
            with process.frozen("ingress"):
                sent = [pool.submit(httpx.get, f"{server}/healthz", timeout=60) for _ in range(80)]
                time.sleep(5)
                refused = [each.result() for each in sent if each.done()]
            answers = [each.result() for each in sent]
        assert refused
        for response in refused:
            assert_refused(response, "All replicas are busy")
        assert {each.status_code for each in answers} == {200, 503}


class TestKilledUnderLoad:
    """The last class: afterwards the engine is still starting replicas."""

    @pytest.mark.parametrize("deployment", ["scorer", "ingress"])
    def test_no_accepted_request_is_lost(self, process, server, clips, deployment):
        recording = LONG if deployment == "scorer" else clips["mp3"]
        stop = threading.Event()
        answers = []

        def load():
            with httpx.Client(base_url=server, timeout=60) as client:
                while not stop.is_set():
                    answers.append(post(client, recording))

        def wait_for(more):
            enough, deadline = len(answers) + more, time.monotonic() + 60
            while len(answers) < enough and time.monotonic() < deadline:
                time.sleep(0.05)

        with ThreadPoolExecutor(LOAD) as pool:
            loads = [pool.submit(load) for _ in range(LOAD)]
            wait_for(10)
            killed, other = process.replicas(deployment)
            os.kill(killed, signal.SIGSTOP)  # so that its requests die with it
            time.sleep(HELD_SECONDS)
            os.kill(killed, signal.SIGKILL)
            wait_for(20)
            stop.set()
            for each in loads:
                each.result()
        assert len(answers) >= 30
        assert max(each.elapsed.total_seconds() for each in answers) > HELD_SECONDS / 2
        assert {each.status_code for each in answers} == {200}
        assert killed not in process.replicas(deployment)
        assert other in process.replicas(deployment)
        assert all(Analysis.model_validate(each.json()) for each in answers)

    def test_a_killed_replica_is_replaced(self, process, client):
        deadline = time.monotonic() + 60
        while len(process.replicas("scorer")) < REPLICAS and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(process.replicas("scorer")) == REPLICAS
        assert client.get("/readyz").status_code == 200
