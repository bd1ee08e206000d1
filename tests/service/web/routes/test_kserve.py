import threading

from fastapi.testclient import TestClient

from service import app as app_module
from service import audio
from service.app import create_app
from service.model import OUTPUTS
from service.settings import Settings
from tests.http import assert_problem, serving


def test_probes(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/fifteen/ready").json() == {"name": "fifteen", "ready": True}


def test_a_starting_service_is_alive_but_not_ready(monkeypatch):
    may_go_on = threading.Event()
    monkeypatch.setattr(app_module, "warm_up", lambda _: may_go_on.wait(10))
    with TestClient(create_app(Settings())) as client:
        assert client.get("/v2/health/live").status_code == 200
        assert_problem(client.get("/v2/health/ready"), 503, "not-ready")
        assert_problem(client.get("/v2/models/fifteen/ready"), 503, "not-ready")
        may_go_on.set()


def test_a_model_describes_itself(client, model):
    described = client.get("/v2/models/fifteen").json()
    assert (described["name"], described["versions"]) == ("fifteen", [model.card.version])
    (tensor,) = described["inputs"]
    assert tensor["shape"] == [-1, audio.N_MELS, audio.N_FRAMES]
    widths = {each["name"]: each["shape"][1:] for each in described["outputs"]}
    assert widths == {
        "genre_probabilities": [len(model.card.genres)],
        "emotion": [len(model.card.emotions)],
        "music": [],
        "known": [],
        "audio_features": [len(model.card.features)],
        "embedding": [model.card.embedding.dimensions],
    }


def test_a_model_without_features_and_embedding_describes_neither(bare_models):
    with serving(Settings(models=bare_models, model="tiny")) as client:
        described = client.get("/v2/models/tiny").json()
    assert {each["name"] for each in described["outputs"]} == set(OUTPUTS)


def test_another_model(client):
    assert_problem(client.get("/v2/models/other"), 404, "unknown-model")
    assert_problem(client.get("/v2/models/other/ready"), 404, "unknown-model")
