"""Keep listening without a live connection: whole posts of a running window, in bounded memory."""

import re

import pytest
from playwright.sync_api import expect

from tests.mobile_client.conftest import POSTS
from tests.mobile_client.test_everyone import assert_accessible, assert_fits
from tests.mobile_client.test_looks import OUTSIDE
from tools.browser import FAKE_DEVICE, GRANTED, expect_heard, ready

pytestmark = pytest.mark.slow

WATCH = """
globalThis.recorders = [];
globalThis.most = 0;
const Real = MediaRecorder;
globalThis.MediaRecorder = class extends Real {
  constructor(...given) { super(...given); recorders.push(this); }
  start(...given) {
    super.start(...given);
    most = Math.max(most, recorders.filter(({ state }) => state === "recording").length);
  }
};
globalThis.locks = [];
navigator.wakeLock.request = async () => {
  const lock = { released: false, release() { this.released = true; } };
  locks.push(lock);
  return lock;
};
"""
"""Counts recorders and wake locks."""

TRACKS = "() => requests.flatMap(({ tracks }) => tracks.map((track) => track.readyState))"
HELD = "locks.filter(({ released }) => !released).length"
LIVE = "**/v1/analyze?timeline=false"


def keep(page):
    page.click("#listen")
    page.get_by_role("button", name="Keep listening").click()
    expect(page.locator("#listen-count")).to_have_text(re.compile(r"^\d+:\d\d$"))


def wait(page, clock):
    """Wait until it has listened so long, less than ten minutes."""
    reached = "(clock) => document.querySelector('#listen-count').textContent >= clock"
    page.wait_for_function(reached, arg=clock, timeout=60_000)


@pytest.fixture
def scripts(scripts):
    return [*scripts, POSTS]


@pytest.fixture
def answers(page):
    """The page's live answers, as they come."""
    page.add_init_script(WATCH)
    page.reload()
    ready(page)
    found = []
    page.on(
        "response",
        lambda response: (
            found.append(response.json()) if response.url.endswith("timeline=false") else None
        ),
    )
    return found


def test_it_goes_on_and_its_timeline_grows(page, answers):
    keep(page)
    wait(page, "0:09")
    bars = page.locator("#heard .windows i")
    early = bars.count()
    assert early >= 1
    assert page.evaluate(OUTSIDE) == []
    wait(page, "0:32")
    assert page.evaluate(TRACKS) == ["live"]
    grown = bars.count()
    assert grown > early
    expect(page.locator("#so-far")).to_contain_text("Now: ")
    expect(page.locator("#heard .legend")).not_to_be_empty()
    for control in ("#listen", "#cancel"):
        expect(page.locator(control)).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    # Bounded: a few recorders, none older than the window; whole files of the last seconds.
    assert page.evaluate("most") <= 4
    lengths = [each["audio"]["duration_seconds"] for each in answers]
    assert 4 <= len(lengths) <= 9
    assert max(lengths) <= 16
    assert min(lengths[4:]) >= 9
    assert page.evaluate(HELD) == 1

    page.click("#listen")
    expect_heard(page)
    expect(page.locator(".glance .warning")).to_have_text(
        re.compile(r"Listened for 0:(2[7-9]|3\d);")
    )
    assert page.evaluate(TRACKS) == ["ended"]
    assert page.evaluate(HELD) == 0
    assert page.evaluate("recorders.every(({ state }) => state === 'inactive')")
    assert page.locator(".timeline .windows i").count() >= grown
    assert page.locator(".timeline ol button").count() == 0  # its sound is not kept
    length = "() => document.querySelector('audio').duration"
    page.wait_for_function(f"() => ({length})() > 8 && ({length})() < 16")
    assert_accessible(page)
    page.reload()
    ready(page)
    expect(page.locator(".timeline .windows i").first).to_be_visible()
    expect(page.locator(".timeline ol")).to_contain_text("0:00")


def test_stopped_within_fifteen_seconds_it_is_a_recording(page, answers):
    keep(page)
    wait(page, "0:07")
    with page.expect_response("**/v1/analyze?timeline=true") as sent:
        page.click("#listen")
    assert 5 < sent.value.json()["audio"]["duration_seconds"] < 9
    expect_heard(page)


def test_its_timeline_is_kept_though_its_last_answer_was_early(page):
    keep(page)
    expect(page.locator("#heard .windows i")).to_have_count(1)
    page.route(LIVE, lambda route: route.abort())
    wait(page, "0:16")
    page.click("#listen")
    expect(page.locator(".glance .warning")).to_have_text(re.compile(r"Listened for 0:0\d;"))


def test_the_browsers_back_button_stops_it_and_keeps_the_timeline(page):
    page.click("nav a")
    page.click(".brand")
    keep(page)
    wait(page, "0:21")
    page.go_back()
    expect(page.locator(".clips li")).to_have_count(1)
    assert page.evaluate(TRACKS) == ["ended"]
    expect(page.locator("#history")).to_be_visible()


def test_cancelling_keeps_nothing(page, answers):
    keep(page)
    wait(page, "0:18")
    page.click("#cancel")
    expect(page.locator("#toast")).to_contain_text("Deleted: Recording")
    expect(page.locator("#listen-caption")).to_have_text("Listen")
    assert_accessible(page)
    assert page.evaluate(TRACKS) == ["ended"]
    assert page.evaluate("recorders.every(({ state }) => state === 'inactive')")
    page.click("nav a")
    expect(page.locator("#history")).to_contain_text("What you record")


@pytest.mark.parametrize("answering", [True, False])
def test_cancelling_can_be_undone(page, answering):
    """Without any answer, what can come back is the last sound."""
    if not answering:
        page.route(LIVE, lambda route: route.abort())
    keep(page)
    wait(page, "0:18")
    page.click("#cancel")
    assert page.evaluate(TRACKS) == ["ended"]
    page.get_by_role("button", name="Undo").click()
    expect_heard(page)
    length = "() => document.querySelector('#clip audio').duration"
    page.wait_for_function(f"() => ({length})() > 8 && ({length})() < 16")
    notes = page.locator(".glance .warning").filter(has_text=re.compile(r"Listened for 0:1\d;"))
    expect(notes).to_have_count(1 if answering else 0)
    page.reload()
    ready(page)
    expect_heard(page)


def test_undoing_does_not_end_the_next_recording(page):
    keep(page)
    wait(page, "0:18")
    page.click("#cancel")
    page.click("#listen")
    expect(page.locator("#listen-caption")).to_have_text("Listening…")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_have_text("Added to the history: 1")
    expect(page.locator("#listen-caption")).to_have_text("Stop")
    page.keyboard.press("Escape")
    page.click("nav a")
    expect(page.locator(".clips li")).to_have_count(1)


def test_a_short_one_is_cancelled_as_any_recording(page):
    keep(page)
    wait(page, "0:05")
    page.click("#cancel")
    expect(page.locator("#toast")).to_have_text("Cancelled. Nothing is kept.")


def test_escape_ends_it_and_keeps_it(page, answers):
    keep(page)
    wait(page, "0:18")
    page.keyboard.press("Escape")
    expect_heard(page)
    expect(page.locator(".glance .warning")).to_have_text(re.compile(r"Listened for 0:1\d;"))
    assert page.evaluate(TRACKS) == ["ended"]


def test_a_busy_service_is_asked_again_after_its_delay(page):
    asked = []

    def busy(route):
        asked.append(page.inner_text("#listen-count"))
        route.fulfill(status=503, headers={"Retry-After": "8"}, json={"detail": "busy"})

    keep(page)
    page.route(LIVE, busy, times=1)
    expect(page.locator("#so-far")).to_have_text("No answer")
    assert page.evaluate(TRACKS) == ["live"]
    with page.expect_response(LIVE, timeout=20_000) as response:
        pass
    assert response.value.status == 200
    expect(page.locator("#so-far")).to_contain_text("Now: ")
    assert len(asked) == 1


def test_silence_is_not_sent_and_is_in_the_timeline(launch, visit, sounds):
    quiet = launch(FAKE_DEVICE, GRANTED, f"--use-file-for-fake-audio-capture={sounds['silence']}")
    with visit(quiet) as page:
        sent = []
        page.on("request", lambda request: sent.append(request.url) if "/v1/" in request.url else 0)
        keep(page)
        wait(page, "0:09")
        assert not [url for url in sent if "analyze" in url]
        expect(page.locator("#heard .windows i")).to_have_count(1)
        expect(page.get_by_role("alert")).to_contain_text("next to nothing")


def test_the_screen_stays_on_when_the_page_comes_back(page, answers):
    keep(page)
    assert page.evaluate("locks.length") == 1
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("locks.length") == 2
    assert page.evaluate(HELD) == 1


def test_a_recorder_that_cannot_begin_ends_it_and_keeps_it(page, answers):
    keep(page)
    page.evaluate("() => { MediaRecorder.prototype.start = () => { throw new Error('no'); }; }")
    expect(page.locator("#clip .warning").first).to_contain_text("stopped early", timeout=30_000)
    assert page.evaluate(TRACKS) == ["ended"]


def test_a_hidden_page_takes_nothing_for_silence(page, answers):
    """It has no frames, so its last measure is old."""
    page.evaluate("() => { AnalyserNode.prototype.getFloatTimeDomainData = (it) => it.fill(0); }")
    keep(page)
    expect(page.get_by_role("alert")).to_contain_text("next to nothing")
    assert answers == []
    page.evaluate("() => Object.defineProperty(document, 'hidden', { get: () => true })")
    expect(page.locator("#so-far")).to_contain_text("Now: ")


def test_speech_is_no_music_in_the_timeline(page):
    def talk(route):
        answer = route.fetch().json()
        route.fulfill(json=answer | {"verdict": "not_music", "mood": None})

    page.route(LIVE, talk)
    keep(page)
    expect(page.locator("#so-far")).to_have_text("Now: No music")
    expect(page.locator("#heard .windows i").first).to_have_attribute("data-hue", "none")
    expect(page.locator("#heard .windows i")).to_have_count(2)
    wait(page, "0:16")
    page.click("#listen")
    expect(page.locator(".timeline ol")).to_contain_text("No music")
