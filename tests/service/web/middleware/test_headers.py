import pytest

from service.settings import Settings
from service.web.headers import SECURITY
from tests.http import post, serving


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/nowhere", "/metrics"])
def test_every_response_has_security_headers(client, path):
    headers = client.get(path).headers
    assert {name: headers[name] for name in SECURITY} == SECURITY


def test_errors_have_security_headers(client):
    assert post(client, b"x").headers["content-security-policy"].startswith("default-src 'none'")


def test_a_page_may_have_its_own_policy(client):
    (policy,) = client.get("/docs").headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'self'")
    assert client.get("/docs").headers["x-content-type-options"] == "nosniff"


ORIGIN = {"origin": "https://a.org"}


class TestCors:
    def test_other_origins_are_not_allowed_by_default(self, client):
        response = client.get("/v1/limits", headers=ORIGIN)
        assert "access-control-allow-origin" not in response.headers

    def test_origins_in_the_settings_are_allowed(self):
        with serving(Settings(cors_origins=["https://a.org"])) as client:
            preflight = {"access-control-request-method": "POST"}
            preflight["access-control-request-headers"] = "authorization"
            before = client.options("/v1/analyze", headers=ORIGIN | preflight)
            assert before.status_code == 200
            assert before.headers["access-control-allow-origin"] == "https://a.org"
            preflight["access-control-request-method"] = "DELETE"
            assert client.options("/v1/feedback/x", headers=ORIGIN | preflight).status_code == 200
            response = client.get("/v1/limits", headers=ORIGIN)
            assert response.headers["access-control-allow-origin"] == "https://a.org"
            assert "ETag" in response.headers["access-control-expose-headers"]
            other = client.get("/v1/limits", headers={"origin": "https://b.org"})
            assert "access-control-allow-origin" not in other.headers
