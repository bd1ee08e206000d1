"""The client works on another static host, under a path, with the service elsewhere."""

import json
import shutil

import pytest

from service.web.routes.frontend import FOLDER
from tools.browser import expect_answer, expect_heard, ready, record
from tools.server import Server
from tools.static import hosting

pytestmark = pytest.mark.slow


@pytest.fixture
def host(tmp_path):
    """The address of the client on a host of its own, set up as its README describes."""
    with hosting(tmp_path) as origin:
        service = Server("--cors-origins", json.dumps([origin]))
        service.wait_until_ready()
        shutil.copytree(FOLDER, tmp_path / "music")
        install(tmp_path / "music", service.url)
        yield f"{origin}/music/"
        service.stop()


def install(folder, service):
    """Change the two lines of a copy of the client that name its service."""
    page = folder / "index.html"
    text = page.read_text()
    for before, after in (
        ("connect-src 'self'", f"connect-src 'self' {service} {service.replace('http', 'ws')}"),
        ('name="fifteen-service" content=""', f'name="fifteen-service" content="{service}"'),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    page.write_text(text)


def test_the_client_uses_the_service_that_the_page_names(visit, host, sounds):
    with visit(service_workers="allow") as page:
        page.goto(host)
        ready(page)
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
        page.context.set_offline(True)
        page.reload()
        ready(page)
        expect_answer(page)


def test_a_recording_goes_up_while_it_grows(visit, host):
    with visit() as page:
        page.goto(host)
        ready(page)
        posts = []
        page.on("request", lambda sent: posts.append(sent.url) if "analyze" in sent.url else None)
        with page.expect_websocket(lambda socket: socket.url.endswith("/v1/live")):
            record(page)
        expect_heard(page)
        assert posts == []
