"""``<fifteen-listen>`` works in a page of another origin with a strict policy of its own.

The recording goes over a live connection; where the page's policy names no WebSocket, or the
service has no such address, it is posted.
"""

import json
import re

import pytest
from playwright.sync_api import expect

from service.web.routes.frontend import FOLDER
from tests.mobile_client.conftest import SPY
from tests.mobile_client.test_everyone import assert_accessible
from tools.server import serving
from tools.static import hosting

pytestmark = pytest.mark.slow

PAGE = """<!doctype html>
<html lang="en">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'self'; connect-src {allowed}">
<title>Another page</title>
<script type="module" src="fifteen-listen.js"></script>
<main><h1>Another page</h1><fifteen-listen service="{service}"></fifteen-listen></main>
</html>
"""
COLLECT = """() => {
  globalThis.events = [];
  for (const name of ["fifteen-state", "fifteen-running", "fifteen-answer", "fifteen-error"]) {
    addEventListener(name, ({ detail }) => events.push([name, detail]));
  }
}"""
LONG_ENOUGH = re.compile("^Stop ([1-9]|1[01])$")
TRACKS = "requests.flatMap(({ tracks }) => tracks.map((track) => track.readyState))"


@pytest.fixture
def visit_other(browser, tmp_path):
    """Open a page of another origin, which the service allows, with some more in its policy."""
    with (
        hosting(tmp_path) as origin,
        serving("--cors-origins", json.dumps([origin])) as service,
    ):
        for name in ("fifteen-listen.js", "www/js/connection.js"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((FOLDER.parent / name).read_bytes())
        context = browser.new_context()
        context.add_init_script(SPY)

        def visit(*schemes):
            allowed = [service.url.replace("http", each) for each in schemes]
            text = PAGE.format(service=service.url, allowed=" ".join(allowed))
            (tmp_path / "index.html").write_text(text)
            page = context.new_page()
            page.goto(origin)
            page.evaluate(COLLECT)
            return page

        yield visit
        context.close()


@pytest.fixture
def page(visit_other):
    """The page of another origin, whose policy allows posts and live connections."""
    return visit_other("http", "ws")


def posts_of(page):
    """Collect the addresses that the page posts to."""
    found = []
    page.on("request", lambda sent: found.append(sent.url) if sent.method == "POST" else None)
    return found


def details(page, kind):
    return [detail for name, detail in page.evaluate("events") if name == f"fifteen-{kind}"]


def record(page):
    """Record for some seconds, and wait for the answer."""
    page.get_by_role("button", name="Listen").click()
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_have_text(LONG_ENOUGH)
    stop.click()
    page.wait_for_function("() => events.some(([name]) => name === 'fifteen-answer')")


def test_it_records_and_answers_over_a_connection(page):
    posts = posts_of(page)
    assert_accessible(page)
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    status = page.get_by_role("status")
    expect(status).to_contain_text("So far: ")
    assert_accessible(page)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("() => events.some(([name]) => name === 'fifteen-answer')")
    assert posts == []
    assert details(page, "state") == ["asking", "listening", "sending", "idle"]
    assert all(each["heard_seconds"] >= 3 for each in details(page, "running"))
    (answer,) = details(page, "answer")
    assert len(answer["genres"]) == 9
    assert answer["audio"]["codec"] == "opus"
    expect(status).not_to_contain_text("So far: ")
    assert page.evaluate(TRACKS) == ["ended"]


def test_it_posts_where_the_policy_allows_no_connection(visit_other):
    page = visit_other("http")
    posts = posts_of(page)
    record(page)
    assert [post.split("/", 3)[3] for post in posts] == ["v1/analyze"]
    assert details(page, "state") == ["asking", "listening", "sending", "idle"]
    assert details(page, "running") == []
    assert len(details(page, "answer")[0]["genres"]) == 9
    assert page.evaluate(TRACKS) == ["ended"]


def test_it_posts_where_the_connection_breaks_off(page):
    posts = posts_of(page)
    page.route_web_socket("**/v1/live", lambda socket: socket.close(code=1012))
    page.reload()
    page.evaluate(COLLECT)
    record(page)
    assert len(posts) == 1
    assert len(details(page, "answer")[0]["genres"]) == 9


@pytest.mark.parametrize("leave", ["cancel()", "remove()"])
def test_every_way_out_closes_the_microphone_and_the_connection(page, leave):
    with page.expect_websocket() as opened:
        page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.wait_for_timeout(1000)  # some sound is sent
    listen = "const listen = document.querySelector('fifteen-listen')"
    state = page.evaluate(f"() => {{ {listen}; listen.{leave}; return listen.state; }}")
    assert state == "idle"
    assert page.evaluate(TRACKS) == ["ended"]
    if not opened.value.is_closed():
        opened.value.wait_for_event("close")
    assert details(page, "answer") == []


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
