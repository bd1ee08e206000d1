"""The mobile client's files over HTTP; tests/mobile_client tests them in a browser."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from service.settings import DEVICE_NUMBERS, Settings
from service.web.errors import MEDIA_TYPE
from service.web.routes.frontend import DEVICE_WORKER, FOLDER, PAGE
from tests.http import serving

FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
EXPECTED_TYPES = {
    ".html": "text/html",
    ".js": "javascript",
    ".css": "text/css",
    ".txt": "text/plain",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
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


def test_a_machine_without_a_list_of_types():
    """Python 3.11 and 3.12 do not know WebP by themselves; a slim image has no such list."""
    code = """if True:
        import mimetypes
        mimetypes.knownfiles.clear()
        from service.web.routes import frontend
        print({mimetypes.guess_type(path)[0] for path in frontend.FOLDER.rglob("*.*")})
    """
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "None" not in found
    assert "image/webp" in found


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


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("device")
    for name in (DEVICE_NUMBERS, DEVICE_WORKER, "answer.js"):
        (folder / name).write_text("{}")
    with serving(Settings(device=folder)) as client:
        yield client


class TestDevice:
    """The folder of `make device`, which is off by default."""

    def test_it_is_off_by_default(self, client):
        assert client.get(f"/device/{DEVICE_NUMBERS}").status_code == 404

    def test_only_its_worker_may_compile(self, installed):
        policies = {
            name: installed.get(f"/{name}").headers["content-security-policy"]
            for name in ("", f"device/{DEVICE_WORKER}", "device/answer.js")
        }
        worker = policies.pop(f"device/{DEVICE_WORKER}")
        assert "script-src 'self' 'wasm-unsafe-eval';" in worker
        assert worker.startswith("default-src 'none'; ")
        assert "unsafe-inline" not in worker
        assert not any("unsafe" in policy for policy in policies.values())

    def test_files_are_revalidated(self, installed):
        response = installed.get(f"/device/{DEVICE_NUMBERS}")
        assert (response.status_code, response.text) == (200, "{}")
        assert response.headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize("path", ["/device", "/device/", "/device/../app.py", "/device/x.js"])
    def test_there_is_nothing_else(self, installed, path):
        assert installed.get(path).status_code == 404

    def test_another_folder_is_refused(self, tmp_path):
        with pytest.raises(ValidationError, match="make device"):
            Settings(device=tmp_path)
