"""Requests to the service, and checks of its responses."""

from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.schemas import PROBLEM_TYPES, Analysis
from service.web.problem import MEDIA_TYPE

GENRES = {
    "blues",
    "classical",
    "dubstep",
    "house",
    "jazz",
    "metal",
    "pop-punk",
    "rap",
    "reggae",
}


@contextmanager
def serving(settings):
    """A client of an application with the given settings, ready for requests."""
    with TestClient(create_app(settings)) as client:
        client.app.state.warming.result()
        yield client


def post(client, data, filename="clip"):
    """Send a recording as a form."""
    return client.post("/v1/analyze", files={"file": (filename, data)})


def post_raw(client, data, content_type="audio/webm;codecs=opus"):
    """Send a recording as the body."""
    return client.post("/v1/analyze", content=data, headers={"content-type": content_type})


def assert_problem(response, status, slug):
    """Check that a response is a problem of the given type; return the problem."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.json()["type"] == PROBLEM_TYPES + slug
    return response.json()


def assert_analysis(response):
    """Check that a response is a complete analysis; return the analysis."""
    assert response.status_code == 200, response.text
    analysis = Analysis.model_validate(response.json())
    assert sum(genre.probability for genre in analysis.genres) == pytest.approx(1, abs=1e-6)
    assert {genre.genre for genre in analysis.genres} == GENRES
    assert None not in (analysis.valence, analysis.energy, analysis.danceability)
    return analysis


def read_metrics(client):
    """Return every sample of the metrics, by name and labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }
