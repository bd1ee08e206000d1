"""The queue sends every clip once, and no clip blocks another."""

import json
import re
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from service.schemas import ANALYSIS
from tests.mobile_client.conftest import POSTS, STATES
from tools.browser import expect_answer, expect_heard, open_client, ready, record

pytestmark = pytest.mark.slow


@pytest.fixture
def scripts(scripts):
    """Recordings are posted: `test_live` is about the other way."""
    return [*scripts, POSTS]


ANALYZE = "**/v1/analyze*"
FOLDER = """async (data) => {
  const sound = new File([new Uint8Array(data)], "01 one.m4a");
  const fileEntry = (file) => ({ isDirectory: false, name: file.name, file: (done) => done(file) });
  const folder = (name, children) => ({
    isDirectory: true,
    name,
    createReader: () => {
      const left = [[...children], []];
      return { readEntries: (done) => done(left.shift()) };
    },
  });
  const gone = {
    isDirectory: false,
    name: "02 gone.mp3",
    file: (done, fail) => fail(new DOMException("", "NotFoundError")),
  };
  const cover = fileEntry(new File(["x"], "cover.jpg"));
  const album = folder("album", [folder("disc", [fileEntry(sound)]), cover, gone]);
  const drop = new Event("drop");
  const getAsFile = () => new File([], "album");
  drop.dataTransfer = { items: [{ kind: "file", webkitGetAsEntry: () => album, getAsFile }] };
  dispatchEvent(drop);
}"""


def name_of(request):
    """Return the name of the file in a request."""
    body = request.post_data_buffer or b""
    return re.search(rb'filename="([^"]*)"', body)[1].decode()


def rows(page):
    return page.locator(".clips li")


def several(sounds, *names):
    data = sounds["m4a"].read_bytes()
    return [{"name": name, "mimeType": "audio/mp4", "buffer": data} for name in names]


@pytest.fixture
def answering(page):
    """Answer the page's requests with the documented answer; return the names of the files sent."""
    sent = []

    def answer(route):
        sent.append(name_of(route.request))
        route.fulfill(json=ANALYSIS)

    page.route(ANALYZE, answer)
    return sent


class TestFiles:
    def test_a_dropped_folder(self, page, sounds, tmp_path):
        (tmp_path / "album" / "disc").mkdir(parents=True)
        for name in ("disc/01.m4a", "02.m4a"):
            (tmp_path / "album" / name).write_bytes(sounds["m4a"].read_bytes())
        (tmp_path / "album" / "cover.jpg").write_text("no sound")
        session = page.context.new_cdp_session(page)
        data = {"items": [], "files": [str(tmp_path / "album")], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": 100, "y": 300, "data": data}
            session.send("Input.dispatchDragEvent", event)
        expect(rows(page).filter(has_text="house")).to_have_count(2)
        expect(rows(page)).to_have_count(2)

    def test_a_folder_with_a_file_that_disappears(self, page, sounds):
        page.evaluate(FOLDER, list(sounds["m4a"].read_bytes()))
        expect(rows(page)).to_have_count(2)
        expect(rows(page).filter(has_text="01 one.m4a")).to_contain_text("house")
        expect(rows(page).filter(has_text="02 gone.mp3")).to_contain_text("No answer")
        page.get_by_role("link", name="02 gone.mp3").click()
        expect(page.locator("#clip .verdict")).to_contain_text("cannot be read")
        expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        expect(page.get_by_role("button", name="Play")).to_have_count(0)

    def test_a_file_that_changes_before_it_is_sent(self, page, sounds, tmp_path):
        file = tmp_path / "changing.m4a"
        file.write_bytes(sounds["m4a"].read_bytes())
        page.context.set_offline(True)
        page.set_input_files("#files", file)
        expect(page.locator("#clip h1")).to_have_text("Kept for later")
        file.unlink()
        page.context.set_offline(False)
        expect_answer(page)

    def test_an_unreadable_recording_does_not_block_the_queue(self, page, sounds, answering):
        page.evaluate(
            """() => {
              const read = Blob.prototype.slice;
              let first = true;
              Blob.prototype.slice = function (...place) {
                if (!first) return read.apply(this, place);
                first = false;
                const error = new DOMException("", "NotReadableError");
                return { arrayBuffer: () => Promise.reject(error) };
              };
            }"""
        )
        page.set_input_files("#files", several(sounds, "bad.m4a", "good.m4a"))
        expect(rows(page).filter(has_text="good.m4a")).to_contain_text("house")
        expect(rows(page).filter(has_text="bad.m4a")).to_contain_text("No answer")

    def test_a_file_that_is_too_large_is_not_uploaded(self, page, answering):
        page.wait_for_function(
            "() => performance.getEntriesByName(location.origin + '/v1/limits').length"
        )
        page.evaluate(
            """() => {
              const file = new File([], "large.wav");
              Object.defineProperty(file, "size", { value: 1e12 });
              const drop = new Event("drop");
              drop.dataTransfer = { items: [{ kind: "file", getAsFile: () => file }] };
              dispatchEvent(drop);
            }"""
        )
        expect(page.locator("#clip .verdict")).to_contain_text("too large")
        assert answering == []


class TestFailures:
    @pytest.mark.parametrize("status", [None, 502, 503, 500])
    def test_a_clip_that_fails_does_not_block_the_next(self, page, sounds, status):
        def answer(route):
            if name_of(route.request) != "bad.m4a":
                route.fulfill(json=ANALYSIS)
            elif status is None:
                route.abort()
            else:
                route.fulfill(status=status, headers={"Retry-After": "3600"}, json={"detail": "no"})

        page.route(ANALYZE, answer)
        page.set_input_files("#files", several(sounds, "bad.m4a", "one.m4a", "two.m4a"))
        for name in ("one.m4a", "two.m4a"):
            expect(rows(page).filter(has_text=name)).to_contain_text("house")
        expect(rows(page).filter(has_text="bad.m4a")).not_to_contain_text("house")

    def test_a_request_that_hangs_times_out(self, visit, sounds):
        with visit() as page:
            page.clock.install()
            open_client(page)
            page.route(ANALYZE, lambda route: None)
            page.set_input_files("#files", sounds["m4a"])
            expect(page.locator("#clip h1")).to_have_text("Analysing…")
            page.wait_for_timeout(500)
            page.clock.fast_forward(120_000)
            expect(page.locator("#clip h1")).to_have_text("Not sent yet")
            page.unroute(ANALYZE)
            page.get_by_role("button", name="Try again").click()
            expect_answer(page)

    def test_offline_every_waiting_clip_shows_the_reason(self, page, sounds):
        page.context.set_offline(True)
        page.set_input_files("#files", several(sounds, "one.m4a", "two.m4a", "three.m4a"))
        for row in range(3):
            expect(rows(page).nth(row)).to_contain_text("Kept for later")
        page.context.set_offline(False)
        for row in range(3):
            expect(rows(page).nth(row)).to_contain_text("house")


class TestOrder:
    def test_a_recording_goes_before_a_batch(self, page, sounds):
        sent, held = [], []

        def answer(route):
            if "timeline=false" in route.request.url:
                route.abort()
                return
            name = name_of(route.request)
            sent.append(name)
            if name == "0.m4a":
                held.append(route)  # a slow answer
            else:
                route.fulfill(json=ANALYSIS)

        page.route(ANALYZE, answer)
        page.set_input_files("#files", several(sounds, *(f"{n}.m4a" for n in range(6))))
        page.click("#again")
        expect(page.locator("#listen-caption")).to_have_text("Stop")
        page.click("#listen")
        expect_heard(page)
        assert "recording" in sent
        assert "5.m4a" not in sent
        held[0].fulfill(json=ANALYSIS)
        page.click("nav a")
        expect(rows(page).filter(has_text="house")).to_have_count(7)


class TestDeleting:
    def test_deleting_aborts_the_upload(self, page, sounds):
        page.route(ANALYZE, lambda route: None)  # it never ends
        page.set_input_files("#files", sounds["m4a"])
        with page.expect_event("requestfailed") as failed:
            page.get_by_role("button", name="Delete").click()
        assert "analyze" in failed.value.url
        expect(page.locator("#history")).to_contain_text("will be listed here")

    def test_it_can_be_undone(self, page, sounds):
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        page.get_by_role("button", name="Delete").click()
        expect(rows(page)).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(rows(page)).to_have_count(1)
        page.wait_for_function(f"async () => String(await ({STATES})()) === 'answered'")
        page.reload()
        ready(page)
        expect(rows(page)).to_contain_text("house")


class TestTwoTabs:
    @pytest.fixture
    def tabs(self, page):
        """Two tabs of one browser, and the names of all files that they send."""
        other = page.context.new_page()
        open_client(other)
        network = SimpleNamespace(up=False, sent=[])

        def answer(route):
            if not network.up:
                route.abort()
                return
            network.sent.append(name_of(route.request))
            route.fulfill(json=ANALYSIS)

        page.context.route(
            "**/healthz", lambda route: route.fallback() if network.up else route.abort()
        )
        page.context.route(ANALYZE, answer)
        return page, other, network

    def test_each_clip_is_sent_once(self, tabs, sounds):
        one, two, network = tabs
        one.set_input_files("#files", several(sounds, "a.m4a", "b.m4a", "c.m4a"))
        expect(rows(one).filter(has_text="Kept for later")).to_have_count(3)
        two.click("nav a")
        expect(rows(two)).to_have_count(3)
        network.up = True
        for tab in (one, two):
            tab.evaluate("dispatchEvent(new Event('online'))")
        for tab in (one, two):
            expect(rows(tab).filter(has_text="house")).to_have_count(3)
        assert sorted(network.sent) == ["a.m4a", "b.m4a", "c.m4a"]

    def test_a_clip_deleted_in_one_tab_is_gone_in_both(self, tabs, sounds):
        one, two, network = tabs
        one.set_input_files("#files", sounds["m4a"])
        expect(one.locator("#clip h1")).to_have_text("Kept for later")
        two.click("nav a")
        expect(rows(two)).to_have_count(1)
        one.get_by_role("button", name="Delete").click()
        expect(rows(two)).to_have_count(0)
        network.up = True
        for tab in (one, two):
            tab.evaluate("dispatchEvent(new Event('online'))")
        one.wait_for_timeout(1500)
        one.reload()
        ready(one)
        expect(one.locator("#history")).to_contain_text("will be listed here")
        assert network.sent == []


def test_a_recording_sends_live_requests_and_one_last_request(page):
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    record(page, 5)
    expect_heard(page)
    queries = [url.partition("?")[2] for url in sent if "/v1/analyze" in url]
    assert queries.count("timeline=true") == 1
    assert json.dumps(sorted(set(queries))) in (
        '["timeline=true"]',
        '["timeline=false", "timeline=true"]',
    )
