import json

import numpy as np
import pytest

from service.analysis import analyze
from service.library.search import LibraryError
from service.model import Model, NoEmbeddingError
from service.settings import Settings
from service.web.auth import digest_of
from tests.http import assert_problem, serving
from tools import signals

RATE = 22_050


@pytest.fixture(scope="module")
def sounds():
    """Recordings, by their path in the library."""
    return {
        "groove/loud.wav": signals.wav(signals.groove(5, RATE), RATE),
        "groove/soft.wav": signals.wav(0.1 * signals.groove(5, RATE), RATE),
        "sine.wav": signals.wav(0.5 * signals.sine(5), RATE),
    }


@pytest.fixture(scope="module")
def library(tiny_models, sounds, tmp_path_factory):
    """A library of these, in a folder whose name nobody may see."""
    path, model = tmp_path_factory.mktemp("library") / "l.jsonl", Model(tiny_models / "tiny.onnx")
    with path.open("w") as file:
        for name, sound in sounds.items():
            analysis = analyze(sound, model, embedding=True).model_dump(mode="json")
            record = {"path": f"/home/secret/{name}", "analysis": analysis}
            file.write(json.dumps(record) + "\n")
    return path


@pytest.fixture(scope="module")
def client(tiny_models, library):
    with serving(Settings(models=tiny_models, model="tiny", library=library)) as client:
        yield client


def send(client, sound, query=""):
    return client.post(f"/v1/similar{query}", files={"file": sound})


def test_the_same_sound_is_the_nearest(client, sounds):
    for name, sound in sounds.items():
        answer = send(client, sound).json()
        assert answer["neighbours"][0]["cosine"] == pytest.approx(1, abs=1e-3)
        nearest = [each["path"] for each in answer["neighbours"]]
        assert name in nearest[:2]  # two differ in level only
        assert sorted(nearest) == sorted(sounds)
        assert answer["compared"] == 3
        assert answer["model"]["name"] == "tiny"
        cosines = [each["cosine"] for each in answer["neighbours"]]
        assert cosines == sorted(cosines, reverse=True)


def test_the_place_of_the_library_is_not_told(client, sounds, library):
    text = send(client, sounds["sine.wav"]).text
    assert "secret" not in text
    assert str(library.parent) not in text


def test_a_name_that_is_not_utf_8_is_escaped(tiny_models, sounds, tmp_path):
    """As Latin-1 names on a disk are, which Python reads as lone surrogates."""
    analysis = analyze(sounds["sine.wav"], Model(tiny_models / "tiny.onnx"), embedding=True)
    paths = ["/music/caf\udce9/a.wav", "/music/b\n\U0001f600.wav"]
    records = [{"path": path, "analysis": analysis.model_dump(mode="json")} for path in paths]
    library = tmp_path / "library.jsonl"
    library.write_text("".join(json.dumps(each) + "\n" for each in records))
    with serving(Settings(models=tiny_models, model="tiny", library=library)) as client:
        answer = send(client, sounds["sine.wav"]).json()
    found = [each["path"] for each in answer["neighbours"]]
    assert found == ["caf\\udce9/a.wav", "b\n\U0001f600.wav"]


def test_a_wrong_range_is_explained_in_plain_words(client, sounds):
    response = send(client, sounds["sine.wav"], "?feature=energy:1")
    detail = assert_problem(response, 422, "invalid-request")["detail"]
    assert detail.startswith("query feature 0: a range is written as NAME:LOW..HIGH")


def test_a_count_is_obeyed(client, sounds):
    assert len(send(client, sounds["sine.wav"], "?count=1").json()["neighbours"]) == 1
    for count in ("0", "101", "x"):
        response = send(client, sounds["sine.wav"], f"?count={count}")
        assert_problem(response, 422, "invalid-request")


def test_filters_choose_what_is_compared(client, sounds, library):
    records = [json.loads(line)["analysis"] for line in library.read_text().splitlines()]
    loudness = sorted(each["features"]["loudness"] for each in records)
    middle = np.mean(loudness[:2])
    answer = send(client, sounds["sine.wav"], f"?feature=loudness:..{middle:.3f}").json()
    assert answer["compared"] == 1
    genre, mood = records[0]["genre"], records[0]["mood"]
    same = [each for each in records if (each["genre"], each["mood"]) == (genre, mood)]
    answer = send(client, sounds["sine.wav"], f"?genre={genre}&genre=x&mood={mood}").json()
    assert answer["compared"] == len(same)
    assert {each["genre"] for each in answer["neighbours"]} == {genre}
    nothing = send(client, sounds["sine.wav"], "?genre=x").json()
    assert (nothing["neighbours"], nothing["compared"]) == ([], 0)


@pytest.mark.parametrize(
    "query", ["?mood=glad", "?feature=energy", "?feature=louder:1..2", f"?genre={'x' * 65}",
              "?" + "&".join(["genre=x"] * 17)],
)  # fmt: skip
def test_a_malformed_filter_is_refused(client, sounds, query):
    assert_problem(send(client, sounds["sine.wav"], query), 422, "invalid-request")


def test_a_recording_is_checked_as_for_an_analysis(client):
    assert_problem(send(client, b"hello"), 422, "not-audio")
    assert_problem(client.post("/v1/similar", json={}), 415, "unsupported-media-type")


def test_without_a_library_nothing_is_read(tiny_client):
    response = tiny_client.post("/v1/similar", content=b"?")
    assert_problem(response, 404, "no-library")


def test_a_key_is_needed_and_counted(tiny_models, library, sounds):
    settings = Settings(
        models=tiny_models,
        model="tiny",
        library=library,
        api_keys={"me": digest_of("key")},
        rate_per_key="1/minute",
    )
    with serving(settings) as client:
        assert_problem(send(client, sounds["sine.wav"]), 401, "unauthorized")
        client.headers["authorization"] = "Bearer key"
        assert send(client, sounds["sine.wav"]).status_code == 200
        assert_problem(send(client, sounds["sine.wav"]), 429, "rate-limited")


def test_the_service_does_not_start_with_another_library(library, bare_models, tmp_path):
    for settings, error in (
        (Settings(library=library), LibraryError),
        (Settings(models=bare_models, model="tiny", library=library), NoEmbeddingError),
        (Settings(library=tmp_path / "missing.jsonl"), LibraryError),
    ):
        with pytest.raises(error), serving(settings):
            pass
