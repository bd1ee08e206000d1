"""The recording goes up once, while it grows; where that fails, whole recordings are posted."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.mobile_client.conftest import POSTS
from tools.browser import FAKE_DEVICE, GRANTED, expect_heard, ready, record

pytestmark = pytest.mark.slow

COUNT = """
globalThis.sockets = [];
const Plain = WebSocket;
globalThis.WebSocket = class extends Plain {
  constructor(url) {
    super(url);
    const mine = { socket: this, sent: [], got: [], bytes: 0 };
    sockets.push(mine);
    this.addEventListener("message", ({ data }) => mine.got.push(JSON.parse(data)));
    this.addEventListener("close", ({ code }) => { mine.code = code; });
  }
  send(data) {
    const mine = sockets.find(({ socket }) => socket === this);
    if (typeof data === "string") mine.sent.push(JSON.parse(data)); else mine.bytes += data.size;
    super.send(data);
  }
};
"""
"""Records the page's sockets, and what went over them."""

KINDS = "sockets.map(({ got }) => got.map(({ message }) => message))"
STARTS = "sockets.map(({ sent }) => sent[0])"
LONG = "document.querySelector('#listen-count').textContent"


@pytest.fixture
def scripts(scripts):
    return [*scripts, COUNT]


@pytest.fixture
def posts(page):
    """The addresses that recordings are posted to."""
    found = []
    page.on("request", lambda sent: found.append(sent.url) if "analyze" in sent.url else None)
    return found


def expect_running(page):
    page.wait_for_function(
        "() => sockets.at(-1)?.got.some(({ message }) => message === 'running')", timeout=30_000
    )


def keep(page):
    page.click("#listen")
    page.get_by_role("button", name="Keep listening").click()


def test_one_upload_has_running_answers_and_the_final_one(page, posts):
    page.click("#listen")
    expect_running(page)
    expect(page.locator("#so-far")).to_contain_text(re.compile("So far|Sure"))
    page.click("#listen")
    expect_heard(page)
    assert posts == []
    assert page.evaluate("sockets.length") == 1
    kinds = page.evaluate(KINDS)[0]
    assert (kinds[0], kinds[-1]) == ("ready", "final")
    assert page.evaluate(STARTS) == [{"message": "start", "timeline": True}]
    answer = page.evaluate("sockets[0].got.at(-1).analysis")
    page.click("nav a")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON").click()
    (entry,) = json.loads(download.value.path().read_text())
    assert entry["answer"] == answer
    assert answer["audio"]["codec"] == "opus"


def test_a_service_with_a_key_takes_it_from_the_first_message(page):
    page.evaluate("() => localStorage.setItem('fifteen-key', 'a-key')")
    page.reload()
    ready(page)
    record(page)
    expect_heard(page)
    assert page.evaluate(STARTS)[0]["key"] == "a-key"


def test_silence_is_not_sent(launch, visit, sounds):
    quiet = launch(FAKE_DEVICE, GRANTED, f"--use-file-for-fake-audio-capture={sounds['silence']}")
    with visit(quiet) as page:
        record(page)
        expect(page.get_by_role("alert")).to_contain_text("next to nothing")
        assert page.evaluate("sockets.length") == 0


def test_a_cancelled_recording_is_given_up(page, posts):
    page.click("#listen")
    expect_running(page)
    page.click("#cancel")
    page.wait_for_function("() => sockets[0].code")
    assert "end" not in page.evaluate("sockets[0].sent.map(({ message }) => message)")
    assert posts == []


@pytest.mark.parametrize("at", ["ready", "running"])
def test_a_connection_that_breaks_off_costs_nothing(page, posts, at):
    page.click("#listen")
    seen = f"() => sockets[0]?.got.some(({{ message }}) => message === '{at}')"
    page.wait_for_function(seen, timeout=30_000)
    page.evaluate("() => sockets[0].socket.close()")
    with page.expect_response("**/v1/analyze?timeline=false", timeout=30_000):
        pass  # the answers go on
    page.click("#listen")
    expect_heard(page)
    assert page.evaluate("sockets.length") == 1
    assert posts[-1].endswith("timeline=true")


def test_a_connection_that_breaks_off_at_the_end_costs_nothing(page, posts):
    page.evaluate(
        """() => {
          const { send } = WebSocket.prototype;
          WebSocket.prototype.send = function (data) {
            if (String(data).includes('"end"')) this.close();
            else send.call(this, data);
          };
        }"""
    )
    record(page)
    expect_heard(page)
    assert posts[-1].endswith("timeline=true")


def test_a_refusal_over_the_connection_is_told_by_the_post(page):
    """A key that the service asks for, and does not get."""
    page.route_web_socket(
        "**/v1/live",
        lambda socket: (
            socket.send('{"message": "problem", "status": 401}') or socket.close(code=4401)
        ),
    )
    refused = {"type": "urn:problem-type:fifteen:unauthorized", "detail": "Send a key."}
    page.route("**/v1/analyze*", lambda route: route.fulfill(status=401, json=refused))
    page.reload()
    ready(page)
    record(page)
    expect(page.locator("#clip .verdict")).to_contain_text("Send a key.")
    expect(page.get_by_label("Key")).to_be_visible()


class TestWithoutConnections:
    @pytest.fixture
    def scripts(self, scripts):
        return [*scripts, POSTS]

    def test_whole_recordings_are_posted(self, page, posts):
        page.click("#listen")
        expect(page.locator("#so-far")).to_contain_text(re.compile("So far|Sure"))
        page.click("#listen")
        expect_heard(page)
        assert {url.split("=")[-1] for url in posts} == {"true", "false"}

    def test_a_proxy_that_never_answers_is_not_waited_for(self, page, posts):
        page.evaluate(
            "() => { globalThis.WebSocket = class extends EventTarget "
            "{ bufferedAmount = 0; close() {} send() {} }; }"
        )
        page.click("#listen")
        expect(page.locator("#so-far")).to_contain_text(re.compile("So far|Sure"))
        page.click("#listen")
        expect_heard(page)


class TestKeepListening:
    def test_a_window_rolls_over_one_connection(self, page, posts):
        keep(page)
        bars = page.locator("#heard .windows i")
        expect(bars).to_have_count(3, timeout=40_000)
        expect(page.locator("#so-far")).to_contain_text("Now: ")
        last = page.evaluate(STARTS)[-1]
        assert last == {"message": "start", "rolling": True, "rolling_seconds": 15}
        assert page.evaluate("sockets.length") <= 2  # one from before the button
        page.wait_for_function(f"() => {LONG} >= '0:17'")
        page.click("#listen")
        expect_heard(page)
        expect(page.locator(".glance .warning")).to_contain_text("Listened for 0:")
        expect(page.locator(".gauges .value").first).to_contain_text(re.compile("than|among"))
        expect(page.locator(".timeline .windows i")).not_to_have_count(0)
        expect(page.locator(".sound")).to_have_count(0)  # a running answer has no tempo and key
        assert posts == []
        assert page.evaluate("sockets.every(({ socket }) => socket.readyState > 1)")

    def test_it_goes_on_with_posts_where_the_connection_breaks_off(self, page, posts):
        keep(page)
        expect_running(page)
        page.evaluate("() => sockets.at(-1).socket.close()")
        with page.expect_response("**/v1/analyze?timeline=false", timeout=30_000):
            pass
        expect(page.locator("#so-far")).to_contain_text("Now: ")
        page.click("#cancel")
        expect(page.locator("#listen-caption")).to_have_text("Listen")

    def test_silence_ends_the_connection_and_sound_begins_another(self, page):
        keep(page)
        expect_running(page)
        count = page.evaluate("sockets.length")
        page.evaluate(
            "() => { globalThis.real = AnalyserNode.prototype.getFloatTimeDomainData; "
            "AnalyserNode.prototype.getFloatTimeDomainData = (it) => it.fill(0); }"
        )
        expect(page.get_by_role("alert")).to_contain_text("next to nothing", timeout=40_000)
        page.wait_for_function("() => sockets.at(-1).code")
        page.evaluate("() => { AnalyserNode.prototype.getFloatTimeDomainData = real; }")
        page.wait_for_function("(count) => sockets.length > count", arg=count, timeout=30_000)
        expect_running(page)
        page.click("#cancel")
