import gzip

import httpx2 as httpx
import pytest

from service.app import SMALL_BYTES
from service.web.routes.frontend import FOLDER

PLAIN, PACKED = {"accept-encoding": "identity"}, {"accept-encoding": "gzip"}


@pytest.fixture(scope="module")
def browser(server):
    """A client of a real server that decodes nothing by itself."""
    with httpx.Client(base_url=server) as client:
        yield client


def raw(client, path, headers, method="GET"):
    """The response, and its body as it came over the socket."""
    with client.stream(method, path, headers=headers) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize("path", ["/", "/v1/models/fifteen", "/openapi.json"])
def test_text_is_compressed_for_a_client_that_accepts_it(browser, path):
    plain, content = raw(browser, path, PLAIN)
    packed, body = raw(browser, path, PACKED)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == content
    assert len(body) < 0.6 * len(content)
    for response in (plain, packed):
        assert "Accept-Encoding" in response.headers["vary"]


def test_the_text_of_the_web_app_is_smaller_by_half(browser):
    names = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.[jc]s*")]
    assert names
    sizes = [[len(raw(browser, f"/{name}", each)[1]) for name in names] for each in (PLAIN, PACKED)]
    assert sum(sizes[1]) < 0.5 * sum(sizes[0])


def test_pictures_and_small_answers_are_sent_as_they_are(browser):
    for path in ("/icons/192.png", "/healthz"):
        response, body = raw(browser, path, PACKED)
        assert response.status_code == 200
        assert "content-encoding" not in response.headers
        assert path != "/healthz" or len(body) < SMALL_BYTES


def test_a_head_has_the_headers_of_the_get(browser):
    got, body = raw(browser, "/v1/models/fifteen", PACKED)
    head, nothing = raw(browser, "/v1/models/fifteen", PACKED, "HEAD")
    assert nothing == b""
    for name in ("content-encoding", "content-length", "vary"):
        assert head.headers[name] == got.headers[name]
    assert int(got.headers["content-length"]) == len(body)


def test_an_answer_keeps_its_etag(client, clips):
    form = {"file": ("clip", clips["wav"])}
    plain, packed = (
        client.post("/v1/analyze", files=form, headers=each) for each in (PLAIN, PACKED)
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] == plain.headers["etag"]
    assert packed.json()["genres"] == plain.json()["genres"]
