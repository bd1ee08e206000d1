"""Live connections: the protocol by the ASGI client, hostile senders on a real socket."""

import json

import numpy as np
import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from service.messages import ANSWERED
from service.model import Model
from service.schemas import PROBLEM_TYPES
from service.settings import MODELS, Settings
from service.web.auth import new_key
from service.web.problem import MEDIA_TYPE
from service.web.sockets import LIVE_PATH
from tests.http import post, read_metrics, serving
from tests.live import kinds
from tests.service.heads.samples import write_head
from tools import signals

RATE = 22_050
ORIGIN = "https://music.example"


def converse(client, *messages, headers=None):
    """Send messages by the ASGI client; return the answers and the close code."""
    answers = []
    with client.websocket_connect(LIVE_PATH, headers=headers or {}) as socket:
        for message in messages:
            if isinstance(message, bytes):
                socket.send_bytes(message)
            else:
                socket.send_text(message if isinstance(message, str) else json.dumps(message))
        while True:
            message = socket.receive()
            if message["type"] == "websocket.close":
                break
            ANSWERED.validate_json(message["text"])
            answers.append(json.loads(message["text"]))
    return answers, message["code"]


START, END = {"message": "start"}, {"message": "end"}


def assert_refused(answers, code, status, slug):
    """Check that the last answer is a problem of the given type; return it."""
    assert answers[-1]["type"] == PROBLEM_TYPES + slug, answers
    assert answers[-1]["message"] == "problem"
    assert answers[-1]["status"] == status
    assert answers[-1]["title"]
    assert code == 4_000 + status
    return answers[-1]


def without_timings(answer):
    return {name: value for name, value in answer.items() if name != "timings"}


@pytest.fixture(scope="module")
def recording():
    return signals.wav(signals.groove(8, RATE), RATE)


class TestProtocol:
    def test_the_final_answer_is_that_of_a_post(self, client, recording):
        options = {"timeline": True, "embedding": True}
        answers, code = converse(client, START | options, recording[:99], recording[99:], END)
        assert kinds(answers) == ["ready", "final"]  # no running answer could be in time
        assert code == 1_000
        posted = client.post("/v1/analyze", params=options, files={"file": recording}).json()
        assert without_timings(answers[-1]["analysis"]) == without_timings(posted)
        assert answers[0]["model"] == posted["model"]

    def test_a_rolling_recording_has_no_final_answer(self, tiny_client, recording):
        answers, code = converse(tiny_client, START | {"rolling": True}, recording, END)
        assert kinds(answers) == ["ready", "running"]
        assert code == 1_000
        assert answers[-1]["heard_seconds"] == pytest.approx(8, abs=0.1)
        assert [window["start_seconds"] for window in answers[-1]["timeline"]] == [0]

    def test_samples(self, tiny_client):
        pcm = {"encoding": "f32le", "sample_rate": RATE, "channels": 2}
        samples = np.repeat(signals.groove(4, RATE)[:, None], 2, axis=1).tobytes()
        answers, _ = converse(tiny_client, START | {"pcm": pcm}, samples, END)
        facts = answers[-1]["analysis"]["audio"]
        assert (facts["codec"], facts["channels"]) == ("pcm_f32le", 2)
        assert facts["duration_seconds"] == 4

    @pytest.mark.parametrize(
        ("messages", "status", "slug"),
        [
            ([b"x"], 422, "invalid-message"),
            (["x"], 422, "invalid-message"),
            (["[]"], 422, "invalid-message"),
            ([END], 422, "invalid-message"),
            ([START | {"tempo": True}], 422, "invalid-message"),
            ([START | {"pcm": {"encoding": "u8", "sample_rate": 9_000}}], 422, "invalid-message"),
            ([START | {"pcm": {"encoding": "s16le", "sample_rate": 1}}], 422, "invalid-message"),
            ([START, START], 422, "invalid-message"),
            ([START, "data:audio/webm;base64,GkXf"], 422, "invalid-message"),
            ([START | {"model": "other"}], 404, "unknown-model"),
            ([START, END], 400, "empty-body"),
            ([START, b"", END], 400, "empty-body"),
            ([START | {"pcm": {"encoding": "s16le", "sample_rate": RATE}}, END], 400, "empty-body"),
            ([START, b"data:audio/webm;base64,GkXf", END], 415, "encoded-as-text"),
            ([START, b"data:audio/webm;base64," + b"G" * 9_000], 415, "encoded-as-text"),
            ([START, b"not audio at all, and no end", END], 422, "not-audio"),
            ([START, signals.wav(signals.sine(1), RATE), END], 422, "clip-too-short"),
            ([START, signals.wav(signals.sine(1), 4_000), END], 422, "unsupported-audio"),
        ],
    )
    def test_a_problem_is_a_message_and_a_close_code(self, tiny_client, messages, status, slug):
        answers, code = converse(tiny_client, *messages)
        problem = assert_refused(answers, code, status, slug)
        assert "Traceback" not in problem["detail"]

    def test_a_model_without_an_embedding(self, bare_models):
        with serving(Settings(models=bare_models, model="tiny")) as client:
            answers, code = converse(client, START | {"embedding": True})
        assert_refused(answers, code, 422, "no-embedding")

    def test_the_labels_of_a_head_are_those_of_a_post(self, tiny_models, recording, tmp_path):
        write_head(tmp_path, Model(tiny_models / "tiny.onnx"))
        with serving(Settings(models=tiny_models, model="tiny", heads=tmp_path)) as client:
            answers, code = converse(client, START | {"head": "mine"}, recording, END)
            posted = client.post("/v1/analyze?head=mine", files={"file": recording}).json()
            refused = converse(client, START | {"head": "other"})
        assert code == 1_000
        assert posted["head"]["name"] == "mine"
        assert without_timings(answers[-1]["analysis"]) == without_timings(posted)
        assert_refused(*refused, 404, "unknown-head")

    def test_a_head_of_another_model(self, tiny_models, tmp_path):
        folder = tmp_path / "models"
        folder.mkdir()
        for source in (tiny_models / "tiny.onnx", MODELS / "fifteen.onnx"):
            (folder / source.name).symlink_to(source)
        write_head(tmp_path, Model(tiny_models / "tiny.onnx"))
        with serving(Settings(models=folder, heads=tmp_path)) as client:
            answers, code = converse(client, START | {"head": "mine"})
        assert_refused(answers, code, 422, "head-of-another-model")

    def test_too_many_bytes(self, tiny_models, recording):
        settings = Settings(models=tiny_models, model="tiny", max_upload_bytes=9_999)
        with serving(settings) as client:
            answers, code = converse(client, START, recording)
            assert_refused(answers, code, 413, "body-too-large")
            answers, code = converse(client, START | {"rolling": True}, recording, END)
            assert (kinds(answers)[-1], code) == ("running", 1_000)

    def test_the_time_of_a_connection_ends_its_recording(self, tiny_models, recording):
        settings = Settings(models=tiny_models, model="tiny", live_seconds=0.5)
        with serving(settings) as client:
            answers, code = converse(client, START, recording)
        assert (kinds(answers)[-1], code) == ("final", 1_000)

    def test_too_many_at_once(self, tiny_models, recording):
        settings = Settings(models=tiny_models, model="tiny", max_live=1)
        with serving(settings) as client:
            with client.websocket_connect(LIVE_PATH) as first:
                first.send_json(START)
                assert first.receive_json()["message"] == "ready"
                assert read_metrics(client)["fifteen_live_connections",] == 1
                answers, code = converse(client, START)
                assert_refused(answers, code, 503, "overloaded")
                assert answers[-1]["retry_after"] >= 1
                assert (
                    post(client, recording).status_code == 200
                )  # uploads have places of their own
            answers, code = converse(client, START, recording, END)
            assert (kinds(answers)[-1], code) == ("final", 1_000)
            metrics = read_metrics(client)
        assert metrics["fifteen_live_connections",] == 0
        assert metrics["fifteen_refusals_total", PROBLEM_TYPES + "overloaded"] == 1
        assert metrics["fifteen_requests_total", "/v1/live", "101", "WEBSOCKET"] == 1
        assert metrics["fifteen_requests_total", "/v1/live", "503", "WEBSOCKET"] == 1


class TestKeys:
    @pytest.fixture(scope="class")
    @classmethod
    def keyed(cls, tiny_models):
        """A service that needs a key, and one that it knows; two connections an hour."""
        key, digest = new_key()
        settings = Settings(
            models=tiny_models, model="tiny", api_keys={"me": digest}, rate_per_key="2/hour"
        )
        with serving(settings) as client:
            yield client, key

    def test_keys_and_rates(self, keyed):
        client, key = keyed
        for start in (START, START | {"key": "wrong"}):
            answers, code = converse(client, start)
            assert_refused(answers, code, 401, "unauthorized")
        answers, code = converse(client, START, headers={"Authorization": "Bearer wrong"})
        assert_refused(answers, code, 401, "unauthorized")
        answers, code = converse(client, START | {"key": key}, END)
        assert_refused(answers, code, 400, "empty-body")
        answers, code = converse(client, START, END, headers={"Authorization": f"Bearer {key}"})
        assert_refused(answers, code, 400, "empty-body")
        answers, code = converse(client, START | {"key": key}, END)
        assert assert_refused(answers, code, 429, "rate-limited")["retry_after"] > 1

    def test_each_further_length_of_a_recording_counts(self, tiny_models, recording):
        for allowed, kind in ((2, "problem"), (3, "running")):  # 8 s are one and two more
            rate = f"{allowed}/hour"
            settings = Settings(
                models=tiny_models, model="tiny", max_seconds=4, rate_per_address=rate
            )
            with serving(settings) as client:
                answers, code = converse(client, START | {"rolling": True}, recording, END)
            assert kinds(answers)[-1] == kind
            if kind == "problem":
                assert_refused(answers, code, 429, "rate-limited")


class TestOrigins:
    @pytest.fixture(scope="class")
    @classmethod
    def strict(cls, tiny_models):
        """A service that allows the pages of one other origin."""
        settings = Settings(models=tiny_models, model="tiny", cors_origins=[ORIGIN])
        with serving(settings) as client:
            yield client

    @pytest.mark.parametrize("origin", [ORIGIN, "http://testserver", "https://testserver", None])
    def test_allowed(self, strict, origin):
        answers, _ = converse(strict, START, END, headers={"Origin": origin} if origin else {})
        assert answers[0]["message"] == "ready"

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "", "http://[", f"{ORIGIN}.evil.example"]
    )
    def test_refused(self, strict, origin):
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            strict.websocket_connect(LIVE_PATH, headers={"Origin": origin}),
        ):
            pass
        assert denied.value.status_code == 403
        assert denied.value.headers["content-type"] == MEDIA_TYPE
        assert denied.value.json()["type"] == PROBLEM_TYPES + "foreign-origin"

    def test_all_are_allowed_by_an_asterisk(self, tiny_models):
        settings = Settings(models=tiny_models, model="tiny", cors_origins=["*"])
        with serving(settings) as client:
            answers, _ = converse(client, START, END, headers={"Origin": "https://any.example"})
        assert answers[0]["message"] == "ready"


@pytest.mark.parametrize("path", ["/", "/docs/x", "/v1/analyze", "/nowhere", "/v1/live/"])
def test_other_addresses_have_no_socket(tiny_client, path):
    with pytest.raises(WebSocketDisconnect), tiny_client.websocket_connect(path):
        pass
