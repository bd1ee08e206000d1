import base64
import gzip
import hashlib
import json
import re
import threading

import httpx2 as httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from service import app as app_module
from service import audio
from service.app import create_app
from service.audio import decode
from service.model import ModelError
from service.schemas import PROBLEM_TYPES, Analysis
from service.settings import Settings
from service.web import errors, uploads
from tests.http import GENRES, assert_analysis, assert_problem, post, post_raw, serving
from tools import signals
from tools.recordings import CONTAINERS, float_wav, video

LIMIT = Settings().max_upload_bytes


class TestAnalyze:
    def test_a_form_and_a_body_have_the_same_answer(self, client, clips):
        answers = [send(client, clips["mp3"]).json() for send in (post, post_raw)]
        for answer in answers:
            del answer["timings"]
        assert answers[0] == answers[1]

    def test_a_model_can_be_chosen_by_name(self, client, clips):
        response = client.post("/v1/analyze?model=fifteen", files={"file": clips["mp3"]})
        assert assert_analysis(response).model.name == "fifteen"

    def test_an_unknown_model(self, client, clips):
        response = client.post("/v1/analyze?model=other", files={"file": clips["mp3"]})
        assert "other" in assert_problem(response, 404, "unknown-model")["detail"]

    def test_a_name_that_is_too_long(self, client):
        response = client.post(f"/v1/analyze?model={'a' * 65}", files={"file": b"x"})
        assert_problem(response, 422, "invalid-request")

    def test_silence_is_a_verdict_and_not_an_error(self, client):
        analysis = assert_analysis(post(client, signals.wav(np.zeros(4 * 22_050), 22_050)))
        assert analysis.verdict == "silence"

    @pytest.mark.parametrize(
        ("data", "slug", "detail"),
        [
            (b"not audio", "not-audio", "not audio"),
            (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", "not-audio", "not audio"),
            (video("mp4", "mpeg4"), "no-audio-stream", "no sound"),
            (signals.wav(signals.sine(1), 22_050), "clip-too-short", "at least 3 s"),
            (signals.wav(signals.sine(1), 4_000), "unsupported-audio", "4000 Hz"),
            (signals.wav(signals.sine(1), 22_050, 9), "unsupported-audio", "9 channels"),
        ],
    )
    def test_a_recording_that_cannot_be_analysed_is_refused(self, client, data, slug, detail):
        problem = assert_problem(post(client, data), 422, slug)
        assert detail in problem["detail"]
        assert problem["instance"] == "/v1/analyze"

    def test_nan_and_infinity_do_not_reach_the_answer(self, client):
        waveform = signals.sine(4)
        waveform[::3], waveform[1::3] = np.nan, np.inf
        response = post(client, float_wav(waveform))
        assert_analysis(response)
        json.loads(response.text, parse_constant=pytest.fail)

    @pytest.mark.parametrize(
        ("content_type", "body", "status", "slug"),
        [
            ("text/plain", b"x", 415, "unsupported-media-type"),
            (None, b"x", 415, "unsupported-media-type"),
            ("audio/mpeg", b"", 400, "empty-body"),
            ("multipart/form-data", b"x", 400, "malformed-multipart"),
            ("multipart/form-data; boundary=B", b"--B--\r\n", 400, "missing-file"),
            ("application/json", b'{"title": "x"}', 415, "unsupported-media-type"),
        ],
    )
    def test_invalid_bodies_are_refused(self, client, content_type, body, status, slug):
        headers = {"content-type": content_type} if content_type else {}
        response = client.post("/v1/analyze", content=body, headers=headers)
        assert_problem(response, status, slug)

    @pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes])
    def test_base64_is_refused_with_the_reason(self, client, clips, encode):
        text = encode(clips["mp3"])
        url = "data:audio/mpeg;base64," + text.decode()
        for response in (
            post(client, text),
            post_raw(client, text, "audio/mpeg"),
            post_raw(client, url.encode(), "text/plain"),
            client.post("/v1/analyze", json={"title": "A", "audio": url}),
            client.post("/v1/analyze", data={"file": url}),
        ):
            problem = assert_problem(response, 415, "encoded-as-text")
            assert "base64" in problem["detail"]
        response = client.post(
            "/v1/analyze/batch", files=[("files", text), ("files", clips["mp3"])]
        )
        assert [each["status"] for each in response.json()["results"]] == [415, 200]

    @pytest.mark.parametrize("path", ["/v1/analyze", "/v1/analyze/batch"])
    def test_a_compressed_body_is_refused_as_http_has_it(self, client, clips, path):
        headers = {"content-type": "audio/mpeg", "content-encoding": "gzip"}
        response = client.post(path, content=gzip.compress(clips["mp3"]), headers=headers)
        problem = assert_problem(response, 415, "unsupported-content-encoding")
        assert response.headers["accept-encoding"] == "identity"
        assert "gzip" in problem["detail"]

    @pytest.mark.parametrize(
        ("headers", "encode"),
        [
            ('name="file"', bytes),
            ("name=\"file\"; filename*=UTF-8''my%20song.mp3", bytes),
            (
                'name="file"; filename="a.mp3"\r\nContent-Transfer-Encoding: base64',
                base64.b64encode,
            ),
        ],
        ids=["no-filename", "extended-filename", "base64"],
    )
    def test_a_part_named_file_is_the_recording(self, client, clips, headers, encode):
        body = (
            b'--B\r\nContent-Disposition: form-data; name="meta"; filename="blob"\r\n'
            b"Content-Type: application/json\r\n\r\n{}\r\n"
            b"--B\r\nContent-Disposition: form-data; " + headers.encode() + b"\r\n\r\n"
            + encode(clips["mp3"]) + b"\r\n--B--\r\n"
        )  # fmt: skip
        assert_analysis(post_raw(client, body, "multipart/form-data; boundary=B"))

    def test_one_byte_above_the_limit(self):
        with serving(Settings(max_upload_bytes=1_000)) as client:
            assert_problem(post_raw(client, bytes(1_000)), 422, "not-audio")
            problem = assert_problem(post_raw(client, bytes(1_001)), 413, "body-too-large")
            assert problem["limits"]["max_upload_bytes"] == 1_000
            chunks = (bytes(100) for _ in range(11))
            assert_problem(post_raw(client, chunks), 413, "body-too-large")

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
    def test_other_methods(self, client, method):
        response = client.request(method, "/v1/analyze")
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"

    @pytest.mark.parametrize("step", ["hash", "decode"])
    def test_the_event_loop_stays_free(self, client, clips, monkeypatch, step):
        """Each step that takes as long as the upload is large runs in a thread of its own."""
        reached, may_continue = threading.Event(), threading.Event()

        def held_up(function):
            def wait_first(*arguments, **named):
                reached.set()
                assert may_continue.wait(10)
                return function(*arguments, **named)

            return wait_first

        if step == "decode":
            monkeypatch.setattr(audio, "decode", held_up(decode))
        else:
            monkeypatch.setattr(hashlib, "sha256", held_up(hashlib.sha256))
        answers = []
        thread = threading.Thread(target=lambda: answers.append(post(client, clips["mp3"])))
        thread.start()
        try:
            assert reached.wait(10)
            assert client.get("/readyz").status_code == 200
        finally:
            may_continue.set()
            thread.join()
        assert_analysis(answers[0])

    def test_concurrency_is_limited(self, clips, monkeypatch):
        at_work, most, lock = 0, 0, threading.Lock()
        two_by_two = threading.Barrier(2, timeout=60)  # breaks where fewer work at a time

        def counting_decode(data, bounds):
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            two_by_two.wait()
            with lock:
                at_work -= 1
            return decode(data, bounds)

        with serving(Settings(concurrency=2)) as client:
            monkeypatch.setattr(audio, "decode", counting_decode)
            threads = [threading.Thread(target=post, args=(client, clips["mp3"])) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert most == 2


class TestModels:
    def test_the_list(self, client, model):
        (shipped,) = client.get("/v1/models").json()["models"]
        assert (shipped["name"], shipped["version"]) == ("fifteen", model.card.version)
        assert shipped["default"]
        assert shipped["digest"] == model.digest
        assert set(shipped["genres"]) == GENRES

    def test_a_card(self, client, model):
        card = client.get("/v1/models/fifteen").json()
        assert card.pop("digest") == model.digest
        assert card == json.loads(model.card.model_dump_json())

    @pytest.mark.parametrize("name", ["other", "FIFTEEN", "%00", "%ff", "%ED%A0%80", "a%0d%0aX:y"])
    def test_an_unknown_model(self, client, name):
        assert_problem(client.get(f"/v1/models/{name}"), 404, "unknown-model")

    def test_a_name_that_is_too_long(self, client):
        assert_problem(client.get(f"/v1/models/{'a' * 65}"), 422, "invalid-request")


class TestHealth:
    def test_alive(self, client):
        assert client.get("/healthz").json() == {"status": "ok"}

    def test_ready(self, client):
        assert client.get("/readyz").json() == {"status": "ready"}

    def test_not_ready_while_warming_up(self, monkeypatch, clips):
        may_go_on = threading.Event()
        monkeypatch.setattr(app_module, "warm_up", lambda _: may_go_on.wait(10))
        with TestClient(create_app(Settings())) as client:
            response = client.get("/readyz")
            assert_problem(response, 503, "not-ready")
            assert response.headers["retry-after"] == "1"
            assert_problem(post(client, clips["mp3"]), 503, "not-ready")
            assert client.get("/healthz").status_code == 200
            assert client.get("/v1/models").status_code == 200
            may_go_on.set()
            client.app.state.warming.result()
            assert client.get("/readyz").status_code == 200

    def test_never_ready_if_the_warm_up_fails(self, monkeypatch, clips, caplog):
        def fail(models):
            raise ModelError("fifteen answers otherwise.")

        monkeypatch.setattr(app_module, "warm_up", fail)
        with TestClient(create_app(Settings())) as client:
            client.app.state.warming.exception()
            problem = assert_problem(client.get("/readyz"), 503, "not-ready")
            assert "fifteen answers otherwise." in problem["detail"]
            assert_problem(post(client, clips["mp3"]), 503, "not-ready")
        assert "fifteen answers otherwise." in caplog.text


class TestProved:
    def test_ready_when_it_has_started(self):
        with TestClient(create_app(Settings(), wait_until_proved=True)) as client:
            assert client.get("/readyz").status_code == 200

    def test_it_does_not_start_if_the_warm_up_fails(self, monkeypatch):
        def fail(models):
            raise ModelError("fifteen answers otherwise.")

        monkeypatch.setattr(app_module, "warm_up", fail)
        with (
            pytest.raises(ModelError, match="answers otherwise"),
            TestClient(create_app(Settings(), wait_until_proved=True)),
        ):
            pass


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


class TestDocumentation:
    def test_every_route_is_there(self, document):
        assert document["paths"].keys() == {
            "/v1/analyze",
            "/v1/analyze/batch",
            "/v1/similar",
            "/v1/feedback",
            "/v1/feedback/{name}",
            "/v1/heads",
            "/v1/models",
            "/v1/models/{name}",
            "/v1/limits",
            "/healthz",
            "/readyz",
            "/metrics",
            "/v2/health/live",
            "/v2/health/ready",
            "/v2/models/{name}",
            "/v2/models/{name}/ready",
        }

    def test_both_bodies(self, document):
        body = document["paths"]["/v1/analyze"]["post"]["requestBody"]
        assert body["required"]
        assert list(body["content"]) == list(uploads.MEDIA_TYPES)
        form = body["content"]["multipart/form-data"]["schema"]
        assert form["properties"]["file"]["format"] == "binary"

    def test_an_example_of_the_answer(self, document):
        (example,) = document["components"]["schemas"]["Analysis"]["examples"]
        Analysis.model_validate(example)

    def test_every_failure_of_analyze(self, document):
        responses = document["paths"]["/v1/analyze"]["post"]["responses"]
        described = " ".join(response["description"] for response in responses.values())
        assert set(re.findall(rf"{PROBLEM_TYPES}([a-z-]+)", described)) == {
            errors.KINDS[error].slug for error in errors.OF_A_RECORDING
        }

    def test_every_failure_is_a_problem(self, document):
        for path in document["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if status >= "400":
                        assert response["content"].keys() == {errors.MEDIA_TYPE}


ODD_REQUESTS = [
    (b"GET /nowhere HTTP/1.1\r\nHost: [\r\n\r\n", b"404"),
    (b"GET /v1/models/ HTTP/1.1\r\nHost: \xff\r\n\r\n", b"404"),
    (b"GET /v1/models/%00%ff HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: \xff\xfe\r\nCookie: \xff=;;\r\n\r\n", b"200"),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 3_000 + b"\r\n", b"200"),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", b"200"),
    (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"BREW /v1/analyze HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    (
        b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: \xff/\xfe\r\n"
        b"Content-Length: 1\r\n\r\nx",
        b"415",
    ),
    (
        b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: multipart/form-data; boundary=\xff\r\n"
        b"Content-Length: 1\r\n\r\nx",
        b"400",
    ),
]


class TestServer:
    @pytest.mark.parametrize("name", CONTAINERS)
    def test_every_container(self, server, clips, name):
        analysis = assert_analysis(httpx.post(f"{server}/v1/analyze", files={"file": clips[name]}))
        assert (analysis.audio.container, analysis.audio.codec) == CONTAINERS[name]

    def test_a_recording_in_chunks(self, server, clips):
        data = clips["webm"]
        chunks = (data[start : start + 999] for start in range(0, len(data), 999))
        headers = {"content-type": "audio/webm;codecs=opus"}
        assert_analysis(httpx.post(f"{server}/v1/analyze", content=chunks, headers=headers))

    def test_an_endless_body_is_refused_early(self, process):
        with process.connect() as connection:
            connection.sendall(
                b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            for _ in range(LIMIT // 2**20 + 1):
                connection.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
            answer = process.answer(connection)  # though the body has no end
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"urn:problem-type:fifteen:body-too-large" in answer

    @pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
    def test_a_declared_length_is_refused_at_once(self, process, expect):
        answer = process.ask(
            b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
            + expect
            + b"Content-Length: 99999999999\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 413 ")

    def test_a_client_that_reads_late_gets_the_response(self, server):
        headers = {"content-type": "audio/wav"}
        response = httpx.post(f"{server}/v1/analyze", content=bytes(2 * LIMIT), headers=headers)
        assert_problem(response, 413, "body-too-large")

    def test_a_disconnect_during_an_upload_is_harmless(self, server, process):
        with process.connect() as connection:
            connection.sendall(
                b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
                b"Content-Length: 1000\r\n\r\nRIFF"
            )
        assert httpx.get(f"{server}/readyz").status_code == 200

    @pytest.mark.parametrize(("request_", "status"), ODD_REQUESTS)
    def test_odd_requests(self, process, request_, status):
        answer = process.ask(request_)
        assert answer.startswith(b"HTTP/1.1 " + status + b" ")
