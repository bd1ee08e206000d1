"""Options of the analysis: timeline, batch, model version, taxonomy, ETag and cache."""

import shutil

import numpy as np
import pytest

from service import audio
from service.audio import decode
from service.heads import HeadError, read_head
from service.model import Model
from service.settings import MODELS, Settings
from service.web import uploads
from tests.http import assert_analysis, assert_problem, post, serving
from tests.service.heads.samples import write_head
from tools import signals

SHIPPED = Model(MODELS / "fifteen.onnx").card.version
NEWER = str(int(SHIPPED) + 1)
HALF_MINUTE = signals.wav(signals.groove(30, audio.SAMPLE_RATE), audio.SAMPLE_RATE)


@pytest.fixture
def decodings(monkeypatch):
    """The recordings that were decoded."""
    seen = []

    def counting(data, bounds=audio.UNBOUNDED):
        seen.append(data)
        return decode(data, bounds)

    monkeypatch.setattr(audio, "decode", counting)
    return seen


class TestTimeline:
    def test_each_window_is_returned_on_request(self, client):
        files = {"file": HALF_MINUTE}
        answer = client.post("/v1/analyze?timeline=true", files=files).json()
        assert [each["start_seconds"] for each in answer["timeline"]] == [0, 15]
        assert {"genre", "genres", "valence", "energy", "danceability"} <= answer["timeline"][
            0
        ].keys()

    def test_the_timeline_is_null_by_default(self, client, clips):
        assert post(client, clips["mp3"]).json()["timeline"] is None

    def test_an_invalid_value_is_refused(self, client, clips):
        response = client.post("/v1/analyze?timeline=perhaps", files={"file": clips["mp3"]})
        assert_problem(response, 422, "invalid-request")


class TestUnknownParameters:
    @pytest.mark.parametrize(
        ("address", "near"),
        [
            ("/v1/analyze?embeding=true", "embedding"),
            ("/v1/analyze/batch?timeline=true&Model=fifteen", "model"),
            ("/v1/similar?counts=3", "count"),
            ("/v1/analyze?x=1", "timeline or embedding or model or head"),
        ],
    )
    def test_it_is_refused_with_the_nearest_one(self, client, address, near):
        response = client.post(address, files={"file": b"x"})
        detail = assert_problem(response, 422, "invalid-request")["detail"]
        name = address.partition("?")[2].split("&")[-1].partition("=")[0]
        assert detail == f"query {name}: There is no such parameter; use {near}."

    @pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics", "/v1/limits"])
    def test_other_addresses_have_no_options_and_ignore_it(self, client, address):
        assert client.get(f"{address}?probe=1").status_code == 200


class TestEmbedding:
    def send(self, client, data, query="?embedding=true"):
        return client.post(f"/v1/analyze{query}", files={"file": data})

    def test_it_is_returned_on_request(self, tiny_client, clips):
        embedding = self.send(tiny_client, clips["mp3"]).json()["embedding"]
        assert embedding["space"] == "tiny-5"
        values = np.array(embedding["values"])
        assert values.shape == (128,)
        assert np.linalg.norm(values) == pytest.approx(1, abs=1e-4)
        assert (values == values.round(5)).all()

    def test_it_is_null_by_default(self, tiny_client, client, clips):
        for each in (tiny_client, client):
            assert post(each, clips["mp3"]).json()["embedding"] is None

    def test_a_model_without_one_refuses_before_it_reads(self, bare_models):
        with serving(Settings(models=bare_models, model="tiny")) as client:
            for path in ("/v1/analyze", "/v1/analyze/batch"):
                response = client.post(f"{path}?embedding=true", content=b"?")
                detail = assert_problem(response, 422, "no-embedding")["detail"]
                assert detail == f"Version {SHIPPED} of the model tiny has no embedding."

    def test_an_invalid_value_is_refused(self, tiny_client, clips):
        response = self.send(tiny_client, clips["mp3"], "?embedding=128")
        assert_problem(response, 422, "invalid-request")

    def test_every_file_of_a_batch_has_one(self, tiny_client, clips):
        files = [("files", (name, clips[name])) for name in ("mp3", "webm")]
        response = tiny_client.post("/v1/analyze/batch?embedding=1", files=files)
        one, other = (each["analysis"]["embedding"] for each in response.json()["results"])
        assert one["space"] == other["space"]
        assert np.dot(one["values"], other["values"]) > 0.9  # the same sound
        assert one == self.send(tiny_client, clips["mp3"]).json()["embedding"]

    def test_the_cache_does_not_mix_answers_with_and_without(self, tiny_models, clips, decodings):
        settings = Settings(models=tiny_models, model="tiny", cache_entries=4)
        with serving(settings) as client:
            decodings.clear()
            for _ in range(2):
                assert self.send(client, clips["mp3"]).json()["embedding"]
                assert post(client, clips["mp3"]).json()["embedding"] is None
            assert len(decodings) == 2
            tags = {
                each.headers["etag"]
                for each in (post(client, clips["mp3"]), self.send(client, clips["mp3"]))
            }
        assert len(tags) == 2


class TestBatch:
    def send(self, client, *files, query=""):
        parts = [("files", each) for each in files]
        return client.post(f"/v1/analyze/batch{query}", files=parts)

    def test_each_file_has_its_own_result(self, client, clips):
        response = self.send(
            client,
            ("a.mp3", clips["mp3"]),
            ("b.txt", b"not audio"),
            ("c.wav", b""),
            ("d.webm", clips["webm"]),
        )
        assert response.status_code == 200
        results = response.json()["results"]
        assert [each["filename"] for each in results] == ["a.mp3", "b.txt", "c.wav", "d.webm"]
        assert [each["status"] for each in results] == [200, 422, 400, 200]
        types = [(each["problem"] or {}).get("type", "").rpartition(":")[2] for each in results]
        assert types == ["", "not-audio", "empty-body", ""]
        alone = post(client, clips["webm"]).json()
        for answer in (alone, results[3]["analysis"]):
            del answer["timings"]
        assert results[3]["analysis"] == alone

    def test_query_parameters_apply_to_all_files(self, client, clips):
        response = self.send(
            client, ("a", clips["mp3"]), query=f"?timeline=1&model=fifteen:{SHIPPED}"
        )
        assert len(response.json()["results"][0]["analysis"]["timeline"]) == 1

    def test_sixteen_and_no_more(self, client):
        files = [("a", b"x")] * uploads.MAX_BATCH_FILES
        assert len(self.send(client, *files).json()["results"]) == 16
        problem = assert_problem(self.send(client, *files, ("b", b"x")), 400, "malformed-multipart")
        assert "Maximum number of files is 16" in problem["detail"]

    def test_a_form_without_files(self, client, clips):
        response = client.post("/v1/analyze/batch", files={"file": clips["mp3"]})
        assert "named files" in assert_problem(response, 400, "missing-file")["detail"]

    def test_another_body(self, client, clips):
        headers = {"content-type": "audio/mpeg"}
        response = client.post("/v1/analyze/batch", content=clips["mp3"], headers=headers)
        assert_problem(response, 415, "unsupported-media-type")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A client of a service with two versions of a model."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(MODELS / "fifteen.onnx", folder / "one.onnx")
    content = (MODELS / "fifteen.onnx").read_bytes()
    shipped, newer = (f'"version":"{version}"'.encode() for version in (SHIPPED, NEWER))
    assert shipped in content
    (folder / "two.onnx").write_bytes(content.replace(shipped, newer))
    with serving(Settings(models=folder, model=f"fifteen:{SHIPPED}")) as client:
        yield client


class TestVersions:
    @pytest.mark.parametrize(
        ("query", "version"),
        [("", SHIPPED), ("?model=fifteen", NEWER), (f"?model=fifteen:{SHIPPED}", SHIPPED)],
    )
    def test_each_version_can_be_used(self, two, clips, query, version):
        response = two.post(f"/v1/analyze{query}", files={"file": clips["mp3"]})
        assert assert_analysis(response).model.version == version

    def test_an_unknown_version_is_refused(self, two, clips):
        response = two.post("/v1/analyze?model=fifteen:0", files={"file": clips["mp3"]})
        assert "fifteen:0" in assert_problem(response, 404, "unknown-model")["detail"]

    def test_both_are_listed_and_shown(self, two):
        listed = two.get("/v1/models").json()["models"]
        assert [(each["version"], each["default"]) for each in listed] == [
            (SHIPPED, True),
            (NEWER, False),
        ]
        assert two.get(f"/v1/models/fifteen:{SHIPPED}").json()["version"] == SHIPPED
        assert two.get("/v1/models/fifteen").json()["version"] == NEWER


def test_an_operators_genres(tmp_path, clips):
    taxonomy = tmp_path / "genres.toml"
    taxonomy.write_text('house = "Electronic"\ndubstep = "Electronic"\n')
    with serving(Settings(taxonomy=taxonomy)) as client:
        genres = {each["genre"] for each in post(client, clips["mp3"]).json()["genres"]}
        assert genres == set(client.get("/v1/models").json()["models"][0]["genres"])
    assert len(genres) == 8
    assert "Electronic" in genres


class TestRepeatedRequests:
    def test_a_matching_etag_is_not_modified(self, client, clips, decodings):
        tag = post(client, clips["mp3"]).headers["etag"]
        again = client.post(
            "/v1/analyze", files={"file": clips["mp3"]}, headers={"if-none-match": tag}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert len(decodings) == 1

    def test_another_recording_is_answered(self, client, clips):
        tag = post(client, clips["mp3"]).headers["etag"]
        headers = {"if-none-match": tag}
        other = client.post("/v1/analyze", files={"file": clips["webm"]}, headers=headers)
        assert_analysis(other)
        assert other.headers["etag"] != tag

    def test_answers_are_cached_if_the_setting_says_so(self, clips, decodings):
        with serving(Settings(cache_entries=2)) as client:
            decodings.clear()
            first, second = (post(client, clips["mp3"]) for _ in range(2))
            assert first.json() == second.json()
            assert len(decodings) == 1
            post(client, clips["webm"])
            assert len(decodings) == 2

    def test_nothing_is_cached_by_default(self, client, clips, decodings):
        for _ in range(2):
            post(client, clips["mp3"])
        assert len(decodings) == 2


@pytest.fixture(scope="module")
def heads(tiny_models, tmp_path_factory):
    """A folder with a head of the tiny model."""
    folder = tmp_path_factory.mktemp("heads")
    write_head(folder, Model(tiny_models / "tiny.onnx"))
    return folder


@pytest.fixture(scope="module")
def taught(tiny_models, heads):
    """A client of a service with that head."""
    with serving(Settings(models=tiny_models, model="tiny", heads=heads)) as client:
        yield client


class TestHead:
    def send(self, client, data, query="?head=mine"):
        return client.post(f"/v1/analyze{query}", files={"file": data})

    def test_a_name_that_is_too_long_is_refused(self, taught, clips):
        response = self.send(taught, clips["mp3"], f"?head={'x' * 65}")
        assert_problem(response, 422, "invalid-request")

    def test_its_labels_are_returned_on_request(self, taught, clips, heads):
        answer = self.send(taught, clips["mp3"]).json()
        assert {each["label"] for each in answer["labels"]} == {"loud", "soft"}
        assert sum(each["probability"] for each in answer["labels"]) == pytest.approx(1, abs=1e-4)
        found = answer["head"]
        assert found["digest"] == read_head(heads / "mine.json").digest
        top = answer["labels"][0]["label"]
        assert found["label"] == (top if found["distance"] <= found["limit"] else None)
        assert answer["embedding"] is None

    def test_they_are_null_by_default(self, taught, clips):
        answer = post(taught, clips["mp3"]).json()
        assert answer["labels"] is answer["head"] is None

    @pytest.mark.parametrize("path", ["/v1/analyze", "/v1/analyze/batch"])
    def test_an_unknown_head_is_refused_before_the_body_is_read(self, taught, path):
        response = taught.post(f"{path}?head=other", content=b"?")
        detail = assert_problem(response, 404, "unknown-head")["detail"]
        assert detail == "There is no head other; see /v1/heads."

    def test_a_head_of_another_model_is_refused_before_the_body_is_read(
        self, tiny_models, heads, tmp_path
    ):
        for file in (*tiny_models.glob("*.onnx*"), *MODELS.glob("*.onnx*")):
            shutil.copy(file, tmp_path)
        with serving(Settings(models=tmp_path, heads=heads)) as client:
            response = client.post("/v1/analyze?head=mine", content=b"?")
            detail = assert_problem(response, 422, "head-of-another-model")["detail"]
            assert detail.startswith("The head mine belongs to the space tiny-5")
            response = client.post("/v1/analyze?head=mine&model=tiny", content=b"?")
            assert_problem(response, 415, "unsupported-media-type")

    def test_the_service_does_not_start_with_it(self, heads):
        with pytest.raises(HeadError, match="its space is tiny-5"), serving(Settings(heads=heads)):
            pass

    def test_the_cache_does_not_mix_answers_with_and_without(self, tiny_models, heads, clips):
        settings = Settings(models=tiny_models, model="tiny", heads=heads, cache_entries=4)
        with serving(settings) as client:
            for _ in range(2):
                assert self.send(client, clips["mp3"]).json()["labels"]
                assert post(client, clips["mp3"]).json()["labels"] is None

    def test_the_loaded_heads_are_listed(self, taught, tiny_client):
        (head,) = taught.get("/v1/heads").json()["heads"]
        assert (head["name"], head["space"], head["tracks"]) == ("mine", "tiny-5", 12)
        assert head["labels"] == ["loud", "soft"]
        assert tiny_client.get("/v1/heads").json() == {"heads": []}

    def test_every_file_of_a_batch_has_them(self, taught, clips):
        files = [("files", ("a", clips["mp3"]))] * 2
        response = taught.post("/v1/analyze/batch?head=mine", files=files)
        labels = [each["analysis"]["labels"] for each in response.json()["results"]]
        assert labels == [self.send(taught, clips["mp3"]).json()["labels"]] * 2
