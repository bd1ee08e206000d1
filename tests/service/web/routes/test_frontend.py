"""The mobile client's files over HTTP; tests/mobile_client tests them in a browser."""

import pytest

from service.web.errors import MEDIA_TYPE
from service.web.routes.frontend import FOLDER, PAGE

FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
EXPECTED_TYPES = {
    ".html": "text/html",
    ".js": "javascript",
    ".css": "text/css",
    ".txt": "text/plain",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}


@pytest.mark.parametrize("name", FILES)
def test_every_file(client, name):
    response = client.get(f"/{name}")
    assert response.status_code == 200
    assert response.content == (FOLDER / name).read_bytes()
    suffix = (FOLDER / name).suffix
    assert EXPECTED_TYPES[suffix] in response.headers["content-type"]
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_page(client):
    response = client.get("/")
    assert response.content == (FOLDER / PAGE).read_bytes()
    policy = response.headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors 'none'")
    assert "unsafe" not in policy


def test_an_unchanged_file_is_not_modified(client):
    etag = client.get("/").headers["etag"]
    response = client.get("/", headers={"if-none-match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/js", "/js/", "/../service/app.py", "/%2e%2e/README.md", "/share"]
)
def test_unknown_addresses_are_problems(client, path):
    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, MEDIA_TYPE)


def test_other_methods(client):
    response = client.post("/")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_it_is_not_in_the_interface(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert not {f"/{name}" for name in ("", *FILES)} & paths.keys()
