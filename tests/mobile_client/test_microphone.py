"""The microphone is never open without its controls, and every way out closes it."""

import json

import pytest
from playwright.sync_api import expect

from tools.browser import FAKE_DEVICE, GRANTED, expect_answer, expect_heard, ready

pytestmark = pytest.mark.slow

TRACKS = "() => requests.flatMap(({ tracks }) => tracks.map((track) => track.readyState))"
SLOWLY = """
const now = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (constraints) => {
  await new Promise((resolve) => { globalThis.grant = resolve; });
  return now(constraints);
};
"""
DROP = """(data) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(data)], "dropped.m4a"));
  dispatchEvent(new DragEvent("drop", { dataTransfer }));
}"""


def listen(page):
    page.click("#listen")
    expect(page.locator("#listen-count")).not_to_have_text("")


@pytest.fixture
def slow(visit):
    """A page whose permission prompt stays open for a while."""
    with visit() as page:
        page.evaluate(f"() => {{ {SLOWLY} }}")
        yield page


class TestAsking:
    def test_asking_can_be_cancelled(self, slow):
        slow.click("#listen")
        expect(slow.locator("#hint")).to_contain_text("Your browser asks")
        slow.click("#cancel")
        expect(slow.locator("#listen-caption")).to_have_text("Listen")
        slow.evaluate("grant()")
        slow.wait_for_function("() => requests.length === 1")
        slow.wait_for_function(f"() => ({TRACKS})().every((state) => state === 'ended')")
        expect(slow.locator("#listen-caption")).to_have_text("Listen")

    @pytest.mark.parametrize("away", ["nav a", "footer a[href='?about']"])
    def test_a_grant_after_leaving_the_page_opens_nothing(self, slow, away):
        slow.click("#listen")
        slow.click(away)
        slow.evaluate("grant()")
        slow.wait_for_function("() => requests.length === 1")
        slow.wait_for_function(f"() => ({TRACKS})().every((state) => state === 'ended')")
        expect(slow.locator("#home")).to_be_hidden()
        slow.go_back()
        expect(slow.locator("#listen-caption")).to_have_text("Listen")

    def test_a_second_request_while_an_old_prompt_is_open(self, slow):
        slow.click("#listen")
        slow.evaluate("() => { globalThis.first = grant; }")
        slow.click("#cancel")
        slow.click("#listen")
        slow.evaluate("() => { first(); grant(); }")
        slow.wait_for_function("() => requests.length === 2")
        slow.wait_for_function(
            f"() => ({TRACKS})().filter((state) => state === 'live').length === 1"
        )
        expect(slow.locator("#cancel")).to_be_visible()


class TestListening:
    def test_a_dropped_file_does_not_hide_it(self, page, sounds):
        listen(page)
        page.evaluate(DROP, list(sounds["m4a"].read_bytes()))
        expect(page.locator("#toast")).to_contain_text("1")
        assert page.evaluate(TRACKS) == ["live"]
        expect(page.locator("#listen")).to_be_visible()
        expect(page.locator("#cancel")).to_be_visible()
        page.keyboard.press("Escape")
        page.click("nav a")
        expect(page.locator(".clips li")).to_have_count(1)

    def test_the_browsers_back_button_cancels_it(self, page):
        page.click("nav a")
        page.click(".brand")
        listen(page)
        page.go_back()
        expect(page.locator("#history")).to_be_visible()
        assert page.evaluate(TRACKS) == ["ended"]

    @pytest.mark.parametrize(
        "broken",
        [
            "AudioContext.prototype.createMediaStreamSource",
            "globalThis.AudioContext",
            "globalThis.AnalyserNode",
        ],
    )
    def test_the_picture_does_not_break_the_recording(self, page, broken):
        page.evaluate(f"() => {{ {broken} = function () {{ throw new Error('not here'); }}; }}")
        page.click("#listen")
        expect(page.locator("#listen-caption")).to_have_text("Stop")
        expect(page.locator("#so-far")).not_to_be_empty()
        page.click("#listen")
        expect_heard(page)
        assert page.evaluate(TRACKS) == ["ended"]

    def test_an_encoder_that_never_ends_does_not_keep_it(self, page):
        page.evaluate("() => { MediaRecorder.prototype.stop = () => null; }")
        page.click("#listen")
        expect(page.locator("#listen-caption")).to_have_text("Stop")
        page.click("#listen")
        expect_heard(page)
        assert page.evaluate(TRACKS) == ["ended"]

    def test_a_meter_that_does_not_run_is_not_silence(self, page):
        """Safari does this: its prompt comes between the tap and the start of the audio graph."""
        page.evaluate(
            """() => {
              Object.defineProperty(AudioContext.prototype, "state", { get: () => "suspended" });
              AnalyserNode.prototype.getFloatTimeDomainData = (values) => values.fill(0);
            }"""
        )
        page.click("#listen")
        expect(page.locator("#so-far")).not_to_be_empty()
        expect(page.get_by_role("alert")).to_be_hidden()
        page.click("#listen")
        expect_heard(page)

    @pytest.mark.parametrize(
        "broken", ["MediaRecorder.prototype.start", "globalThis.MediaRecorder"]
    )
    def test_a_recorder_that_fails_closes_the_microphone(self, page, broken):
        page.evaluate(
            f"""() => {{
              const supported = MediaRecorder.isTypeSupported;
              {broken} = function () {{ throw new DOMException("no", "NotSupportedError"); }};
              MediaRecorder.isTypeSupported = supported;
            }}"""
        )
        for _ in range(2):
            page.click("#listen")
            expect(page.get_by_role("alert")).to_contain_text("could not record")
        assert set(page.evaluate(TRACKS)) == {"ended"}
        expect(page.locator("#listen-caption")).to_have_text("Listen")


class TestTakenAway:
    END = "() => requests[0].tracks[0].dispatchEvent(new Event('ended'))"

    def test_early_shows_the_reason(self, page):
        listen(page)
        page.evaluate(self.END)
        expect(page.get_by_role("alert")).to_contain_text("The microphone stopped")
        assert page.evaluate(TRACKS) == ["ended"]

    def test_late_sends_the_recorded_part(self, page):
        page.click("#listen")
        expect(page.locator("#listen-caption")).to_have_text("Stop")
        page.evaluate(self.END)
        expect_heard(page)
        expect(page.locator("#clip .glance")).to_contain_text("The microphone stopped early")

    def test_muted_by_the_system(self, page):
        listen(page)
        page.evaluate(
            """() => {
              const [track] = requests[0].tracks;
              Object.defineProperty(track, "muted", { value: true });
              track.dispatchEvent(new Event("mute"));
            }"""
        )
        expect(page.get_by_role("alert")).to_contain_text("another app may have it")


class TestSilence:
    @pytest.fixture
    def silent(self, launch, visit, sounds):
        """A page whose microphone plays silence."""
        silence = f"--use-file-for-fake-audio-capture={sounds['silence']}"
        with visit(launch(FAKE_DEVICE, GRANTED, silence)) as page:
            yield page

    def test_silence_is_reported_soon_and_never_sent(self, silent):
        sent = []
        silent.on("request", lambda request: "/v1/analyze" in request.url and sent.append(request))
        silent.click("#listen")
        expect(silent.get_by_role("alert")).to_contain_text("next to nothing")
        assert int(silent.inner_text("#listen-count")) >= 9
        silent.click("#listen")
        expect(silent.get_by_role("alert")).to_contain_text("next to nothing")
        assert sent == []
        silent.click("nav a")
        expect(silent.locator("#history")).to_contain_text("will be listed here")


class TestPlaying:
    def test_the_player_stops_when_its_page_is_left(self, page, sounds):
        page.set_input_files("#files", sounds["long"])
        expect(page.locator("#clip[data-state=answered]")).to_be_visible()
        playing = "() => [...document.querySelectorAll('audio')].some((each) => !each.paused)"
        page.get_by_role("button", name="Play").click()
        page.wait_for_function(playing)
        page.click("nav a")
        assert not page.evaluate(playing)
        page.click(".clips a")
        page.get_by_role("button", name="Play").click()
        page.wait_for_function(playing)
        page.click("#again")
        expect(page.locator("#cancel")).to_be_visible()
        assert not page.evaluate(playing)

    def test_the_ring_moves_the_playback_position(self, page, sounds):
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        ring = page.get_by_role("slider")
        page.wait_for_function("() => document.querySelector('audio').duration > 14")
        box = ring.bounding_box()
        page.mouse.click(box["x"] + 0.95 * box["width"], box["y"] + box["height"] / 2)
        place = "() => document.querySelector('audio').currentTime"
        assert page.evaluate(place) == pytest.approx(3.75, abs=0.3)
        ring.press("ArrowRight")
        assert page.evaluate(place) == pytest.approx(4.75, abs=0.3)
        expect(ring).to_have_attribute("aria-valuetext", "0:05 / 0:15")


class TestFirstTap:
    def test_a_tap_before_the_modules_are_loaded(self, visit, server):
        with visit() as page:
            held = []
            arrived = False

            def hold(route):
                if arrived:
                    route.continue_()
                else:
                    held.append(route)

            page.route("**/js/recorder.js", hold)
            page.goto(server, wait_until="commit")
            page.click("#listen", no_wait_after=True)
            expect(page.locator("html")).to_have_attribute("data-early", "")
            arrived = True
            for route in held:
                route.continue_()
            expect(page.locator("#cancel")).to_be_visible()

    def test_indexed_db_that_never_answers(self, page):
        page.add_init_script("indexedDB.open = () => ({});")
        page.reload()
        ready(page)
        page.click("#listen")
        expect(page.locator("#listen-caption")).to_have_text("Stop")
        page.click("#listen")
        expect_heard(page)
        expect(page.locator("#clip .keeping")).to_contain_text("not saved")

    def test_texts_that_do_not_load(self, page):
        page.route("**/messages/*", lambda route: route.abort())
        page.reload()
        ready(page)
        expect(page.get_by_role("button", name="Listen")).to_be_visible()
        page.click("#listen")
        expect(page.locator("#listen-caption")).to_have_text("Stop")

    def test_a_language_that_does_not_load(self, visit):
        with visit(locale="it-IT") as page:
            page.route("**/messages/it.txt", lambda route: route.abort())
            page.reload()
            ready(page)
            assert page.get_attribute("html", "lang").startswith("en")

    def test_texts_that_never_arrive(self, visit, sounds):
        with visit(locale="it-IT") as page:
            page.route("**/messages/*", lambda _: None)  # never answers
            page.reload()
            ready(page)
            page.set_input_files("#files", sounds["m4a"])
            expect_answer(page)

    def test_the_shortcut_of_the_installed_app_starts_listening(self, page):
        page.goto("/?listen")
        expect(page.locator("#cancel")).to_be_visible()

    def test_a_reload_does_not_start_listening_again(self, page):
        page.goto("/?listen")
        listening = page.locator("#cancel")
        expect(listening).to_be_visible()
        page.reload()
        ready(page)
        page.wait_for_timeout(300)
        expect(listening).to_be_hidden()
        assert page.evaluate("requests") == []


def test_the_manifest_starts_listening(page):
    manifest = json.loads(page.request.get("/manifest.webmanifest").text())
    assert "./?listen" in [each["url"] for each in manifest["shortcuts"]]
