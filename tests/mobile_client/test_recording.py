"""A person records or chooses a clip, and sees the answer or why there is none."""

import re

import pytest
from playwright.sync_api import expect

from service.web.errors import KINDS
from service.web.problem import MALFORMED_HTTP, Kind
from tests.mobile_client.conftest import POSTS
from tools.browser import FAKE_DEVICE, GRANTED, expect_answer, expect_heard, record

pytestmark = pytest.mark.slow


@pytest.fixture
def scripts(scripts):
    """Recordings are posted: `test_live` is about the other way."""
    return [*scripts, POSTS]


BUSY = {429, 503}
PASSING = {408, 500, 507}
"""The statuses of other refusals that are not about the recording."""
UNPROCESSED = {"echoCancellation", "noiseSuppression", "autoGainControl"}


def problem(page):
    return page.locator("#clip .verdict")


class TestMicrophone:
    def test_a_recording_stops_after_fifteen_seconds(self, page):
        page.route("**/v1/analyze?timeline=false", lambda route: route.abort())  # never sure
        with page.expect_response("**/v1/analyze?timeline=true", timeout=60_000) as sent:
            record(page, 15)
        expect_heard(page)
        expect(page.locator("#clip .mood")).to_be_visible()
        details = sent.value.json()["audio"]
        assert (details["container"], details["codec"]) == ("webm", "opus")
        assert details["analysed_seconds"] == 15
        (constraints,) = page.evaluate("requests.map(({ constraints }) => constraints.audio)")
        assert {name for name in UNPROCESSED if constraints[name] is False} == UNPROCESSED
        assert constraints["channelCount"] == 1
        assert page.evaluate("requests[0].tracks.map((track) => track.readyState)") == ["ended"]

    def test_a_recording_stops_early_but_not_too_early(self, page):
        page.evaluate(
            "() => { const send = fetch; globalThis.fetch = (address, request) => "
            "{ globalThis.sent = request.body.get('file').type; return send(address, request); } }"
        )
        page.click("#listen")
        expect(page.locator("#cancel")).to_be_visible()
        page.click("#listen")  # too early: nothing happens
        expect(page.locator("#listen-caption")).to_have_text("Stop")
        assert int(page.inner_text("#listen-count")) <= 12
        page.click("#listen")
        expect_heard(page)
        assert page.evaluate("sent") == "audio/webm;codecs=opus"  # the type that the recorder gives

    def test_a_cancelled_recording_is_not_stored(self, page):
        page.click("#listen")
        expect(page.locator("#listen-count")).to_have_text(re.compile("^(1[0-4]|[1-9])$"))
        assert page.evaluate("document.getElementById('level').value") > 0.2
        assert page.evaluate(
            "document.getElementById('live').getContext('2d')"
            ".getImageData(0, 0, 999, 999).data.some((value) => value > 0)"
        )
        page.keyboard.press("Escape")
        expect(page.locator("#listen-caption")).to_have_text("Listen")
        assert page.evaluate("requests[0].tracks.map((track) => track.readyState)") == ["ended"]
        page.click("nav a")
        expect(page.locator("#history")).to_contain_text("What you record")

    @pytest.mark.parametrize(
        ("flags", "reason"),
        [
            ([FAKE_DEVICE, "--deny-permission-prompts"], "not allowed"),
            ([GRANTED], "no microphone"),
        ],
    )
    def test_no_microphone(self, launch, visit, sounds, flags, reason):
        with visit(launch(*flags)) as page:
            page.click("#listen")
            expect(page.get_by_role("alert")).to_contain_text(reason)
            page.set_input_files("#files", sounds["m4a"])
            expect_answer(page)

    def test_a_microphone_that_another_app_uses(self, page):
        page.evaluate(
            "() => { navigator.mediaDevices.getUserMedia = async () => "
            "{ throw new DOMException('in use', 'NotReadableError'); } }"
        )
        page.click("#listen")
        expect(page.get_by_role("alert")).to_contain_text("another app may have it")


class TestFiles:
    def test_an_m4a_file(self, page, sounds):
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        expect(page.locator(".bars li")).to_have_count(9)
        expect(page.locator(".gauges > div")).to_have_count(3)
        assert page.get_by_role("img", name=re.compile("Mood .*, Energy")).is_visible()
        expect(page.locator(".keeping")).to_contain_text("clip.m4a")

    def test_several_files(self, page, sounds):
        page.set_input_files("#files", [sounds["m4a"], sounds["short"], sounds["silence"]])
        rows = page.locator(".clips li")
        expect(rows.filter(has_text="house")).to_have_count(1)
        expect(rows.filter(has_text="No answer")).to_have_count(1)
        expect(rows.filter(has_text="Silence")).to_have_count(1)

    def test_a_dropped_file(self, page, sounds):
        data = list(sounds["m4a"].read_bytes())
        page.evaluate(
            """(data) => {
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([new Uint8Array(data)], "dropped.m4a"));
              dispatchEvent(new DragEvent("dragover", { dataTransfer }));
              dispatchEvent(new DragEvent("drop", { dataTransfer }));
            }""",
            data,
        )
        expect_answer(page)
        expect(page.locator("#dropping")).to_be_hidden()

    def test_silence_is_no_genre(self, page, sounds):
        page.set_input_files("#files", sounds["silence"])
        expect_answer(page, "Silence")
        expect(problem(page)).to_contain_text("next to nothing")
        expect(page.locator(".bars")).to_be_hidden()
        page.click(".figures > summary")
        expect(page.locator(".bars")).to_be_visible()


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "reason", "advice"),
        [
            ("short", "at least 3 s of audio; this is 1.0 s.", "fifteen seconds are best"),
            ("text", "This is not audio", "Choose another recording"),
        ],
    )
    def test_a_refusal_shows_the_reason_and_the_next_step(self, page, sounds, name, reason, advice):
        page.set_input_files("#files", sounds[name])
        expect(problem(page)).to_contain_text(reason)
        expect(page.locator(".glance")).to_contain_text(advice)

    def test_retry_keeps_the_recording(self, page, sounds):
        page.route("**/v1/analyze*", lambda route: route.fulfill(status=500), times=1)
        page.set_input_files("#files", sounds["m4a"])
        expect(problem(page)).to_have_text("HTTP 500")
        page.get_by_role("button", name="Try again").click()
        expect_answer(page)

    def test_a_retry_is_offered_only_where_it_can_help(self, page, sounds):
        """Each kind of problem that the service has, and a proxy's refusals without a type."""
        refusals = []

        def refuse(route):
            route.fulfill(status=refusals[-1]["status"], json=refusals[-1])

        page.route("**/v1/analyze*", refuse)
        kinds = {*KINDS.values(), MALFORMED_HTTP, *(Kind(None, each) for each in (403, 413, 500))}
        for kind in sorted(kinds, key=str):
            refusals.append(kind.problem("No.").model_dump(exclude_none=True))
            page.set_input_files("#files", sounds["m4a"])
            busy = kind.status in BUSY
            expect(page.locator("#clip h1")).to_have_text("Busy" if busy else "No answer")
            found = page.locator("#clip")
            passes = kind.status in BUSY | PASSING
            expect(found.get_by_role("button", name="Try again")).to_have_count(int(passes))
            says = kind.slug != "unauthorized" and not passes
            expect(found.get_by_text("Choose another recording")).to_have_count(int(says))
            expect(found.locator(".key")).to_have_count(int(kind.slug == "unauthorized"))
            found.get_by_role("button", name="Delete").click()

    def test_a_busy_service_is_retried_after_its_delay(self, page, sounds):
        def busy(route):
            route.fulfill(
                status=503,
                headers={"Retry-After": "2"},
                json={"type": "urn:problem-type:fifteen:not-ready", "detail": "Starting."},
            )

        page.route("**/v1/analyze*", busy, times=1)
        page.set_input_files("#files", sounds["m4a"])
        expect(page.locator("#clip h1")).to_have_text("Busy")
        expect(problem(page)).to_contain_text("next try is in 2 s")
        expect_answer(page)
