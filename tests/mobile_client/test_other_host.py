"""The same files on another static host, under a path, with the service elsewhere."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service.schemas import ANALYSIS
from service.web.client import FOLDER
from tests.mobile_client.conftest import expect_answer, ready


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def host(tmp_path, server):
    """The address of the client on a host of its own, set up as its README tells."""
    shutil.copytree(FOLDER, tmp_path / "music")
    page = tmp_path / "music" / "index.html"
    text = page.read_text()
    for before, after in (
        ("connect-src 'self'", f"connect-src 'self' {server}"),
        ('name="fifteen-service" content=""', f'name="fifteen-service" content="{server}"'),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    page.write_text(text)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/music/"
        httpd.shutdown()
        thread.join()


def test_the_service_is_where_the_page_says(visit, host, server, sounds):
    def allowing(route):
        """Answer as a service that allows this origin."""
        route.fulfill(json=ANALYSIS, headers={"Access-Control-Allow-Origin": "*"})

    with visit(service_workers="allow") as page:
        page.goto(host)
        ready(page)
        page.route(f"{server}/v1/analyze*", allowing)
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
        page.context.set_offline(True)
        page.reload()
        ready(page)
        expect_answer(page)
