"""Every test that docs/SECURITY.md names exists; and security tests without another place."""

import ast
import re
import socket
from functools import cache
from pathlib import Path

import pytest

from service.settings import Settings
from service.web.auth import digest_of
from tests.http import assert_problem, post, serving

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", PAGE)))
OPEN = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}


@cache
def named_in(path):
    """Return the names of the tests in a file, as pytest names them."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {prefix + each.name for each in inner if isinstance(each, ast.FunctionDef)}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_the_page_names_exists(named):
    path, _, name = named.partition("::")
    assert name in named_in(path)


def test_every_test_like_name_on_the_page_was_found():
    assert len(NAMED) > 30
    assert set(re.findall(r"tests/[^`\s]*::[^`\s,|]*", PAGE)) == set(NAMED)


def test_every_item_of_the_list_names_a_test():
    items = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [item.partition(":")[0] for item in items[:10]] == [f"API{n}" for n in range(1, 11)]
    for item in items:
        assert "`tests/" in item, item.partition("\n")[0]


def test_every_address_but_the_probes_needs_a_key():
    with serving(Settings(api_keys={"me": digest_of("one")})) as client:
        paths = client.get("/openapi.json").json()["paths"]
        assert paths.keys() > OPEN
        for path, operations in paths.items():
            for method in operations:
                response = client.request(method, path.replace("{name}", "fifteen"))
                if path in OPEN:
                    assert response.status_code == 200
                else:
                    assert_problem(response, 401, "unauthorized")


@pytest.mark.parametrize(
    "upload",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}/a.mp3\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}/a.mp3'\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'>"
        "<BaseURL>{}/</BaseURL></MPD>",
        "[playlist]\nFile1={}/a.mp3\n",
        "<asx version='3.0'><entry><ref href='{}/a.mp3'/></entry></asx>",
        "RTSPtextRTSP://{}/a",
    ],
    ids=["m3u8", "concat", "dash", "pls", "asx", "rtsp"],
)
def test_nothing_that_an_upload_names_is_fetched(client, upload):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert_problem(post(client, upload.format(address).encode()), 422, "not-audio")
        with pytest.raises(BlockingIOError):  # no connection
            listening.accept()
