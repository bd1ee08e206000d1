"""``<fifteen-listen>`` works in a page of another origin with a strict policy of its own."""

import json
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from service.web.routes.frontend import FOLDER
from tests.mobile_client.conftest import SPY
from tests.mobile_client.test_everyone import assert_accessible
from tools.server import serving

pytestmark = pytest.mark.slow

PAGE = """<!doctype html>
<html lang="en">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'self'; connect-src {service}">
<title>Another page</title>
<script type="module" src="fifteen-listen.js"></script>
<main><h1>Another page</h1><fifteen-listen service="{service}"></fifteen-listen></main>
</html>
"""
COLLECT = """() => {
  globalThis.events = [];
  for (const name of ["fifteen-state", "fifteen-answer", "fifteen-error"]) {
    addEventListener(name, ({ detail }) => events.push([name, detail]));
  }
}"""
LONG_ENOUGH = re.compile("^Stop ([1-9]|1[01])$")
TRACKS = "requests.flatMap(({ tracks }) => tracks.map((track) => track.readyState))"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Log nothing."""


@pytest.fixture
def page(browser, tmp_path):
    """The page of another origin, which the service allows."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as httpd:
        origin = f"http://127.0.0.1:{httpd.server_port}"
        with serving("--cors-origins", json.dumps([origin])) as service:
            module = FOLDER.parent / "fifteen-listen.js"
            (tmp_path / module.name).write_bytes(module.read_bytes())
            (tmp_path / "index.html").write_text(PAGE.format(service=service.url))
            thread = threading.Thread(target=httpd.serve_forever)
            thread.start()
            context = browser.new_context()
            context.add_init_script(SPY)
            page = context.new_page()
            page.goto(origin)
            page.evaluate(COLLECT)
            yield page
            context.close()
            httpd.shutdown()
            thread.join()


def test_it_records_and_answers(page):
    assert_accessible(page)
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_have_text(LONG_ENOUGH)
    assert_accessible(page)
    stop.click()
    page.wait_for_function("() => events.some(([name]) => name === 'fifteen-answer')")
    events = page.evaluate("events")
    states = [detail for name, detail in events if name == "fifteen-state"]
    assert states == ["asking", "listening", "sending", "idle"]
    (answer,) = [detail for name, detail in events if name == "fifteen-answer"]
    assert page.get_by_role("status").inner_text() != ""
    assert len(answer["genres"]) == 9
    assert page.evaluate(TRACKS) == ["ended"]


@pytest.mark.parametrize("leave", ["cancel()", "remove()"])
def test_every_way_out_closes_the_microphone(page, leave):
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    listen = "const listen = document.querySelector('fifteen-listen')"
    state = page.evaluate(f"() => {{ {listen}; listen.{leave}; return listen.state; }}")
    assert state == "idle"
    assert page.evaluate(TRACKS) == ["ended"]


def test_an_unreachable_service_is_an_error(page):
    page.evaluate(
        "document.querySelector('fifteen-listen').setAttribute('service', 'http://127.0.0.1:9')"
    )
    page.get_by_role("button", name="Listen").click()
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_have_text(LONG_ENOUGH)
    stop.click()
    expect(page.get_by_role("status")).to_have_text("The service cannot be reached.")
    error = page.evaluate("events.find(([name]) => name === 'fifteen-error')[1]")
    assert error["type"] == "unreachable"
