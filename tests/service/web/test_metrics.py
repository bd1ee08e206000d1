import json
import re
from pathlib import Path

import pytest

from service.settings import Settings
from tests.http import post, read_metrics, serving

DASHBOARDS = Path(__file__).parents[3] / "monitoring/grafana/dashboards"


@pytest.fixture
def counted(clips):
    """The metrics of a new service after an answer, two errors and a batch."""
    with serving(Settings()) as client:
        client.get("/healthz")
        verdict = post(client, clips["mp3"]).json()
        post(client, b"not audio")
        client.request("BREW", "/nowhere/at/all")
        client.post("/v1/analyze/batch", files=[("files", b"not audio"), ("files", clips["webm"])])
        yield read_metrics(client), verdict


def test_requests_are_counted_by_their_route(counted):
    samples, _ = counted
    assert samples["fifteen_requests_total", "/healthz", "200", "GET"] == 1
    assert samples["fifteen_requests_total", "/v1/analyze", "200", "POST"] == 1
    assert samples["fifteen_requests_total", "/v1/analyze", "422", "POST"] == 1
    assert samples["fifteen_requests_total", "404", "any", "none"] == 1
    assert samples["fifteen_request_seconds_count", "/v1/analyze"] == 2


def test_no_sender_makes_new_counters(tiny_models):
    """A counter stays for as long as the process lives."""
    with serving(Settings(models=tiny_models, model="tiny")) as client:
        for path in ("/v1/analyze", "/v1/models/x", "/healthz", "/", "/docs/x", "/v1/live", "/no"):
            for number in range(3):
                client.request(f"BREW{number}", path)
        samples = read_metrics(client)
    assert not [sample for sample in samples if any("BREW" in label for label in sample)]
    assert samples["fifteen_requests_total", "/v1/analyze", "405", "any"] == 3


def test_refusals_are_counted_by_type_in_a_batch_too(counted):
    samples, _ = counted
    assert samples["fifteen_refusals_total", "urn:problem-type:fifteen:not-audio"] == 2
    assert samples["fifteen_refusals_total", "urn:problem-type:fifteen:not-found"] == 1


def test_each_stage_has_its_own_histogram(counted):
    samples, _ = counted
    for stage in ("queue", "decode", "spectrogram", "inference"):
        assert samples["fifteen_stage_seconds_count", stage] == 2
    assert samples["fifteen_stage_seconds_sum", "decode"] > 0


def test_verdicts_and_genres_are_counted(counted):
    samples, answer = counted
    name = ("fifteen_answers_total", *sorted(["fifteen", answer["verdict"], answer["genre"]]))
    assert samples[name] >= 1
    total = sum(value for each, value in samples.items() if each[0] == name[0])
    assert total == 2


def test_gauges(counted, model):
    samples, _ = counted
    assert samples["fifteen_requests_in_flight",] == 1  # this request
    assert samples["fifteen_recordings_running",] == samples["fifteen_recordings_waiting",] == 0
    assert (
        samples["fifteen_model_info", *sorted(["fifteen", model.card.version, model.digest])] == 1
    )


def test_the_dashboard_uses_published_metrics(client):
    published = set(re.findall(r"^# TYPE (\w+)", client.get("/metrics").text, re.MULTILINE))
    published |= {f"{name}_bucket" for name in published}
    (file,) = DASHBOARDS.iterdir()
    panels = json.loads(file.read_text())["panels"]
    used = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"fifteen_\w+", target["expr"])
    }
    assert len(used) == 9
    assert used <= published
