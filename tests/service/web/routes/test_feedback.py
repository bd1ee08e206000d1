import concurrent.futures
import json
import sqlite3
import time
import uuid

import httpx2 as httpx
import numpy as np
import pytest

from service import feedback
from service.feedback import FeedbackError, open_store
from service.model import Model
from service.settings import Settings
from service.web.auth import digest_of
from service.web.uploads import MAX_JSON_BYTES
from tests.http import assert_problem, read_metrics, serving
from tests.service.heads.samples import write_head
from tools import signals
from tools.server import serving as serving_process

SPACE = "tiny-5"
UNIT = [1.0] + [0.0] * 127


@pytest.fixture(scope="module")
def folder(tiny_models, tmp_path_factory):
    """A folder with a head."""
    folder = tmp_path_factory.mktemp("feedback")
    write_head(folder, Model(tiny_models / "tiny.onnx"))
    return folder


@pytest.fixture(scope="module")
def service(tiny_models, folder):
    """A service that keeps three entries."""
    settings = Settings(
        models=tiny_models,
        model="tiny",
        heads=folder,
        feedback=folder / "feedback.sqlite",
        feedback_count=3,
    )
    with serving(settings) as client:
        yield client


@pytest.fixture
def file(folder):
    return folder / "feedback.sqlite"


@pytest.fixture
def client(service, file):
    """A client of it, while it has no entries."""
    file.unlink()
    open_store(file, create=True)
    return service


def stored(client):
    """Return how often an entry was stored, and deleted."""
    samples = read_metrics(client)
    return [samples.get(("fifteen_feedback_total", each), 0) for each in ("stored", "deleted")]


def word(label="jazz", values=UNIT, space=SPACE, **more):
    return {"label": label, "embedding": {"space": space, "values": list(values)}, **more}


def send(client, **changes):
    return client.post("/v1/feedback", json=word(**changes))


def test_what_an_answer_has_is_taken_back(client, file):
    sound = signals.wav(signals.groove(5, 22_050), 22_050)
    answer = client.post("/v1/analyze?embedding=true", files={"file": sound}).json()
    sent = {"label": "jazz", "answered": answer["genre"], "embedding": answer["embedding"]}
    before = stored(client)[0]
    response = client.post("/v1/feedback", json=sent)
    assert response.status_code == 201, response.text
    answered = response.json()
    (entry,) = open_store(file).entries()
    assert (entry.id, entry.created) == (answered["id"], answered["created"])
    assert (entry.label, entry.answered, entry.head) == ("jazz", answer["genre"], None)
    assert (entry.space, entry.sender) == (SPACE, None)
    assert np.allclose(entry.vector, answer["embedding"]["values"], atol=1e-6)
    assert stored(client)[0] == before + 1


def test_a_label_of_a_head(client, file):
    assert send(client, label="soft", head="mine", answered="loud").status_code == 201
    (entry,) = open_store(file).entries()
    assert (entry.head, entry.label) == ("mine", "soft")
    assert_problem(send(client, label="jazz", head="mine"), 422, "unknown-label")
    assert_problem(send(client, label="soft", head="other"), 404, "unknown-head")


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"label": "polka"}, "unknown-label"),
        ({"label": "<script>"}, "unknown-label"),
        ({"answered": "polka"}, "unknown-label"),
        ({"space": "tiny-6"}, "embedding-of-another-model"),
        ({"values": UNIT[:-1]}, "invalid-embedding"),
        ({"values": []}, "invalid-embedding"),
        ({"values": [0.0] * 128}, "invalid-embedding"),
        ({"values": [0.5] * 128}, "invalid-embedding"),
        ({"values": [1e308] * 128}, "invalid-embedding"),
        ({"values": [*UNIT, 0.0]}, "invalid-request"),
        ({"label": "x" * 257}, "invalid-request"),
        ({"head": "../mine"}, "invalid-request"),
        ({"more": 1}, "invalid-request"),
    ],
)
def test_what_fits_no_model_is_refused(client, file, changes, slug):
    assert_problem(send(client, **changes), 422, slug)
    assert open_store(file).count() == 0


HOSTILE = {
    "deep": "[" * 8_000,
    "deep object": '{"label":' * 1_500,
    "not json": "label=jazz",
    "cut": json.dumps(word())[:-1],
    "nan": json.dumps(word(values=[float("nan"), *UNIT[1:]])),
    "infinite": json.dumps(word(values=[float("inf"), *UNIT[1:]])),
    "huge number": json.dumps(word()).replace("1.0", "1e999", 1),
    "huge integer": json.dumps(word()).replace("1.0", "9" * 4_500, 1),
    "text for number": json.dumps(word(values=["1", *UNIT[1:]])),
    "true for number": json.dumps(word(values=[True, *UNIT[1:]])),
    "every number wrong": json.dumps(word(values=["1"] * 128)),
    "every member unknown": json.dumps(dict.fromkeys(map(str, range(1_500)), 0)),
    "a long member": json.dumps(word(**{"x" * 15_000: 0})),
    "null": "null",
    "array": "[]",
    "number for text": json.dumps(word(label=3)),
    "lone surrogate": json.dumps(word(label="a")).replace('"a"', '"\\ud800"'),
    "not utf-8": json.dumps(word(label="a")).encode().replace(b'"a"', b'"\xff"'),
    "nul": json.dumps(word(label="a\0b")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_is_an_invalid_request(client, file, name):
    body = HOSTILE[name]
    response = client.post("/v1/feedback", content=body, headers={"content-type": JSON})
    slug = "unknown-label" if name == "nul" else "invalid-request"
    problem = assert_problem(response, 422, slug)
    assert len(problem["detail"]) < 2_000
    assert open_store(file).count() == 0


JSON = "application/json"


def test_of_members_that_are_there_twice_the_last_counts(client, file):
    body = json.dumps(word()).replace('{"label": "jazz"', '{"label": "polka", "label": "jazz"', 1)
    response = client.post("/v1/feedback", content=body, headers={"content-type": JSON})
    assert response.status_code == 201
    assert [each.label for each in open_store(file).entries()] == ["jazz"]


def test_other_bodies_are_refused(client):
    content = json.dumps(word()).encode()
    for media_type in ("text/plain", "audio/mpeg", "multipart/form-data; boundary=x", ""):
        response = client.post(
            "/v1/feedback", content=content, headers={"content-type": media_type}
        )
        assert_problem(response, 415, "unsupported-media-type")
        assert response.headers["accept"] == JSON
    headers = {"content-type": JSON}
    assert_problem(client.post("/v1/feedback", content=b"", headers=headers), 400, "empty-body")
    large = b" " * MAX_JSON_BYTES + content
    assert_problem(
        client.post("/v1/feedback", content=large, headers=headers), 413, "body-too-large"
    )
    unannounced = client.post("/v1/feedback", content=iter([large]), headers=headers)
    assert_problem(unannounced, 413, "body-too-large")
    packed = client.post("/v1/feedback", content=content, headers=headers | GZIP)
    assert_problem(packed, 415, "unsupported-content-encoding")


GZIP = {"content-encoding": "gzip"}


def test_a_sender_deletes_what_it_sent(client, file):
    before = stored(client)[1]
    first, second = (send(client).json()["id"] for _ in range(2))
    assert client.delete(f"/v1/feedback/{first}").status_code == 204
    assert [each.id for each in open_store(file).entries()] == [second]
    assert_problem(client.delete(f"/v1/feedback/{first}"), 404, "unknown-feedback")
    assert_problem(client.delete(f"/v1/feedback/{uuid.uuid4()}"), 404, "unknown-feedback")
    assert_problem(client.delete("/v1/feedback/' OR 1=1 --"), 404, "unknown-feedback")
    assert open_store(file).count() == 1
    assert stored(client)[1] == before + 1


def test_what_is_deleted_is_not_in_the_file(client, file):
    name = send(client).json()["id"]
    assert name.encode() in file.read_bytes()
    client.delete(f"/v1/feedback/{name}")
    assert name.encode() not in file.read_bytes()


def test_the_count_is_bounded(client, file):
    ids = [send(client).json()["id"] for _ in range(3)]
    assert_problem(send(client), 507, "feedback-full")
    assert open_store(file).count() == 3
    client.delete(f"/v1/feedback/{ids[0]}")
    assert send(client).status_code == 201


def test_the_bytes_are_bounded(tiny_models, tmp_path):
    file = tmp_path / "feedback.sqlite"
    most = feedback.LEAST_BYTES
    settings = Settings(models=tiny_models, model="tiny", feedback=file, feedback_bytes=most)
    with serving(settings) as client:
        for _ in range(200):
            response = send(client)
            if response.status_code != 201:
                break
        assert_problem(response, 507, "feedback-full")
    assert file.stat().st_size <= most
    assert open_store(file).count() > 10


def test_a_store_that_cannot_be_written_is_a_problem_of_its_own(client, file, monkeypatch):
    monkeypatch.setattr(feedback, "BUSY_SECONDS", 0.1)
    name = send(client).json()["id"]
    with sqlite3.connect(file) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_problem(send(client), 503, "feedback-unavailable")
        assert_problem(client.delete(f"/v1/feedback/{name}"), 503, "feedback-unavailable")
    other.close()
    connect = sqlite3.connect
    monkeypatch.setattr(
        feedback.sqlite3, "connect", lambda name, **o: connect(name.replace("=rw", "=ro"), **o)
    )
    assert_problem(send(client), 503, "feedback-unavailable")
    monkeypatch.undo()
    assert send(client).status_code == 201
    file.unlink()
    assert_problem(send(client), 503, "feedback-unavailable")
    file.write_bytes(b"not a database" * 1_000)
    problem = assert_problem(send(client), 503, "feedback-unavailable")
    assert str(file) not in json.dumps(problem)


def test_without_the_setting_there_is_none(tiny_client):
    assert_problem(tiny_client.post("/v1/feedback", content=b"?"), 404, "no-feedback")
    assert_problem(tiny_client.delete("/v1/feedback/x"), 404, "no-feedback")
    assert tiny_client.get("/v1/limits").json()["max_feedback_bytes"] == 0


def test_keys_count_and_own_what_was_sent(tiny_models, tmp_path):
    file = tmp_path / "feedback.sqlite"
    keys = {name: digest_of(name) for name in ("ann", "bob")}
    settings = Settings(
        models=tiny_models, model="tiny", feedback=file, api_keys=keys, rate_per_key="3/minute"
    )
    with serving(settings) as client:
        assert_problem(send(client), 401, "unauthorized")
        client.headers["authorization"] = "Bearer ann"
        name = send(client).json()["id"]
        client.headers["authorization"] = "Bearer bob"
        assert_problem(client.delete(f"/v1/feedback/{name}"), 404, "unknown-feedback")
        client.headers["authorization"] = "Bearer ann"
        assert client.delete(f"/v1/feedback/{name}").status_code == 204
        assert send(client).status_code == 201
        assert_problem(send(client), 429, "rate-limited")
    assert [each.sender for each in open_store(file).entries()] == ["ann"]


def test_a_model_without_an_embedding_takes_none(bare_models, tmp_path):
    file = tmp_path / "feedback.sqlite"
    with serving(Settings(models=bare_models, model="tiny", feedback=file)) as client:
        assert_problem(send(client), 422, "embedding-of-another-model")


def test_another_file_ends_the_start(tiny_models, tmp_path):
    (tmp_path / "text.txt").write_bytes(b"hello" * 1_000)
    for path in (tmp_path / "text.txt", tmp_path / "no" / "where.sqlite"):
        settings = Settings(models=tiny_models, model="tiny", feedback=path)
        with pytest.raises(FeedbackError), serving(settings):
            pass
    foreign = tmp_path / "other.sqlite"
    with sqlite3.connect(foreign) as other:
        other.execute("CREATE TABLE photos (id)")
    other.close()
    settings = Settings(models=tiny_models, model="tiny", feedback=foreign)
    with pytest.raises(FeedbackError, match="has no feedback"), serving(settings):
        pass


def test_the_file_is_its_owners_only(client, file):
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_two_processes_share_a_file_and_a_slow_body_ends(tiny_models, tmp_path):
    file = tmp_path / "feedback.sqlite"
    options = ["--models", str(tiny_models), "--model", "tiny", "--feedback", str(file)]
    with serving_process(*options, "--workers", "2", "--upload-seconds", "1") as server:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            address = f"{server.url}/v1/feedback"
            answers = list(pool.map(lambda _: httpx.post(address, json=word()), range(40)))
        assert {answer.status_code for answer in answers} == {201}
        assert open_store(file).count() == 40
        with server.connect() as slow:
            began = time.monotonic()
            slow.sendall(
                b"POST /v1/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 900\r\n\r\n{"
            )
            assert b"408" in server.answer(slow).partition(b"\r\n")[0]
            assert time.monotonic() - began < 10
        deep = server.ask(
            b"POST /v1/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 9000\r\n\r\n" + b"[" * 9_000
        )
        assert b" 422 " in deep.partition(b"\r\n")[0]
    assert "Traceback" not in server.log
