import httpx2 as httpx
import pytest


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/v1/limits", "/docs"])
def test_head_is_get_without_the_body(client, path):
    get, head = (send(path, headers={"x-request-id": "a"}) for send in (client.get, client.head))
    assert head.status_code == 200
    assert head.headers == get.headers
    assert head.content == b""
    assert get.content


def test_head_of_an_unknown_address(client):
    assert client.head("/nowhere").status_code == 404


def test_the_connection_stays_usable(server):
    with httpx.Client(base_url=server) as client:
        assert client.head("/v1/models").content == b""
        assert client.get("/healthz").json() == {"status": "ok"}
