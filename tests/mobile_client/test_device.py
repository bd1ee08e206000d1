"""The client answers on the device: as the service does, also without a network."""

import base64
import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from service.analysis import analyze
from service.schemas import PROBLEM_TYPES
from service.web.routes.frontend import WORKER_POLICY
from tests.mobile_client.test_everyone import LANGUAGES
from tools import device, signals
from tools.browser import CLIP, expect_answer, expect_heard, open_client, ready, record

pytestmark = pytest.mark.slow

TOLERANCE = 0.01  # of every probability and emotion
ANSWER = """async (file) => {
  const { analyze } = await import("/device/answer.js");
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  return analyze(new Blob([bytes]), true).catch(({ problem }) => ({ problem }));
}"""


@pytest.fixture
def visit_installed(visit, installed):
    """Open the client of that service, with its service worker."""
    return lambda **person: visit(base_url=installed.url, service_workers="allow", **person)


@pytest.fixture(scope="module")
def opened(browser, installed):
    """A page of that service, whose worker has started."""
    page = browser.new_page(base_url=installed.url)
    open_client(page)
    yield page
    page.close()


@pytest.fixture
def installed_page(visit_installed):
    """That client on a phone."""
    with visit_installed() as page:
        yield page


def answer(page, data):
    """The answer of the device to a recording."""
    return page.evaluate(ANSWER, base64.b64encode(data).decode())


def assert_same(found, expected):
    """Every score and every word of the device's answer is that of the service."""
    expected = expected.model_dump(mode="json")
    assert found["device"]
    assert found["model"] == expected["model"]
    for name in ("verdict", "genre", "mood"):
        assert found[name] == expected[name]
    for name in ("music", "known", "valence", "energy", "danceability"):
        assert found[name] == pytest.approx(expected[name], abs=TOLERANCE)
    genres = {each["genre"]: each["probability"] for each in expected["genres"]}
    for each in found["genres"]:
        assert each["probability"] == pytest.approx(genres[each["genre"]], abs=TOLERANCE)
    assert found["genres"] == sorted(found["genres"], key=lambda each: -each["probability"])
    for name, limits in expected["emotion"].items():
        assert found["emotion"][name]["low"] == pytest.approx(limits["low"], abs=TOLERANCE)
        assert found["emotion"][name]["high"] == pytest.approx(limits["high"], abs=TOLERANCE)
        place = found["emotion"][name]["percentile"]
        assert place == pytest.approx(limits["percentile"], abs=100 * TOLERANCE)
    assert [each["genre"] for each in found["timeline"]] == [
        each["genre"] for each in expected["timeline"]
    ]
    facts = ("channels", "truncated")
    assert [found["audio"][name] for name in facts] == [expected["audio"][name] for name in facts]
    for name in ("duration_seconds", "analysed_seconds"):
        assert found["audio"][name] == pytest.approx(expected["audio"][name], abs=0.05)
    assert found["audio"]["peak_dbfs"] == pytest.approx(expected["audio"]["peak_dbfs"], abs=0.3)


ENCODINGS = ["wav", "flac", "mp3", "m4a", "fragmented-mp4", "adts", "opus", "webm", "vorbis"]
RATE = 44_100
GROOVE = signals.groove(15.5, RATE)
NOISE = np.random.default_rng(0).normal(0, 0.1, 10 * RATE).astype(np.float32)
PARTS = np.concatenate([signals.groove(15, RATE), np.zeros(15 * RATE, np.float32), NOISE])
SIGNALS = {
    "short": np.stack([signals.groove(4, RATE)]),
    "parts": np.stack([PARTS, PARTS]),
    "noise": np.stack([NOISE, np.roll(NOISE, 99)]),
    "swapped": np.stack([GROOVE, -GROOVE]),
    "quiet": GROOVE[None] * 0.01,
    "silence": np.zeros((2, 5 * RATE), np.float32),
    "clipped": (GROOVE[None] * 20).clip(-1, 1),
    "tone": signals.sine(6, 440, RATE)[None] * np.float32(0.5),
}


class TestAnswers:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_of_every_encoding(self, opened, model, encoding):
        data = signals.encode(signals.groove(15.5, 48_000), 48_000, encoding, 2)
        assert_same(answer(opened, data), analyze(data, model, timeline=True))

    def test_of_the_clip(self, opened, model):
        data = CLIP.read_bytes()
        assert_same(answer(opened, data), analyze(data, model, timeline=True))

    @pytest.mark.parametrize("name", SIGNALS)
    def test_of_signals(self, opened, model, name):
        data = signals.float_wav(SIGNALS[name], RATE)
        expected = analyze(data, model, timeline=True)
        found = answer(opened, data)
        assert_same(found, expected)
        assert {each["type"] for each in found["warnings"]} == {
            each.type for each in expected.warnings
        }

    def test_of_what_the_browser_records(self, opened, model):
        """A recording by MediaRecorder, as the client makes it."""
        data = base64.b64decode(opened.evaluate(RECORDING))
        assert_same(answer(opened, data), analyze(data, model, timeline=True))

    def test_too_short(self, opened):
        problem = answer(opened, signals.wav(signals.sine(1), RATE))["problem"]
        assert problem["type"] == f"{PROBLEM_TYPES}clip-too-short"

    def test_what_the_browser_cannot_decode_has_none(self, opened):
        assert answer(opened, signals.encode(GROOVE, RATE, "aiff")) is None


RECORDING = """async () => {
  const context = new AudioContext();
  const to = context.createMediaStreamDestination();
  for (const hertz of [110, 165, 220]) {
    const tone = new OscillatorNode(context, { frequency: hertz, type: "sawtooth" });
    tone.connect(new GainNode(context, { gain: 0.1 })).connect(to);
    tone.start();
  }
  const recorder = new MediaRecorder(to.stream);
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start(500);
  while (parts.length < 9) await new Promise((resolve) => setTimeout(resolve, 100));
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""
HIDE = """() => {
  Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
TAGS = "async () => (await (await navigator.serviceWorker.ready).sync.getTags())"
KEPT = "async () => (await (await caches.open('device')).keys()).length"
COMPILE = """() => WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))
  .then(() => "compiled", (error) => error.message)"""


def about(page):
    page.click("footer a[href='?about']")


def install(page, here="On this device"):
    """Download what the answers need, as a person does."""
    about(page)
    page.click("#on-device button")
    expect(page.locator("#on-device .choice[aria-pressed=true]")).to_have_text(here)
    page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")


def note(page):
    return page.locator("#clip .keeping .note")


class TestClient:
    def test_it_offers_a_download_of_a_stated_size(self, installed_page, device_folder):
        found = json.loads((device_folder / device.DEVICE_NUMBERS).read_text())
        size = sum(each["bytes"] for each in found["files"].values())
        about(installed_page)
        button = installed_page.locator("#on-device button")
        expect(button).to_have_text(f"Download ({round(size / 1e6, 1):g} MB)")

    def test_nothing_is_offered_where_nothing_is_installed(self, page):
        with page.expect_response("**/device/offer.js") as response:
            about(page)
        assert response.value.status == 404
        expect(page.locator("#on-device")).to_have_count(0)

    def test_it_works_in_flight_mode(self, installed_page, sounds):
        page = installed_page
        install(page)
        page.context.set_offline(True)
        page.reload()
        ready(page)
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        expect(note(page)).to_contain_text("Answered on this device")
        page.goto(page.url.partition("?")[0])
        ready(page)
        record(page, 4)
        expect_heard(page)
        expect(note(page)).to_contain_text("Answered on this device")

    def test_nothing_is_sent(self, installed_page, sounds):
        page, sent = installed_page, []
        install(page)
        page.on("request", lambda request: sent.append(request.method))
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        assert "POST" not in sent

    def test_the_page_says_where_recordings_go(self, installed_page):
        page = installed_page
        install(page)
        sentence = page.locator("#about [data-text=privacy]")
        expect(sentence).to_contain_text("analysed on this device")
        expect(page.locator("footer [data-text=privacy]")).to_contain_text("on this device")
        page.goto("/")
        ready(page)
        footer = page.locator("footer [data-text=privacy]")
        expect(footer).to_contain_text("analysed on this device")
        about(page)
        service = page.locator("#on-device .choice[aria-pressed=false]")
        service.focus()
        page.keyboard.press("Enter")
        expect(sentence).to_contain_text("Only the recording itself is sent")
        pressed = page.locator("#on-device .choice[aria-pressed=true]")
        expect(pressed).to_have_text("By the service")
        expect(pressed).to_be_focused()
        page.click(".brand")
        expect(footer).to_contain_text("Only the recording itself is sent")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_it_says_so_in_every_language(self, visit_installed, language):
        texts = json.loads((device.MODULES / "texts.json").read_text())[language]
        with visit_installed(locale=language) as page:
            install(page, texts["here"])
            expect(page.locator("#about [data-text=privacy]")).to_have_text(texts["privacy"])

    def test_the_person_can_go_back_to_the_service(self, installed_page, sounds):
        page = installed_page
        install(page)
        page.click("#on-device .choice[aria-pressed=false]")
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        expect(note(page)).not_to_contain_text("device")

    def test_what_the_browser_cannot_decode_goes_to_the_service(self, installed_page, tmp_path):
        page = installed_page
        install(page)
        path = tmp_path / "groove.aiff"
        path.write_bytes(signals.encode(GROOVE, RATE, "aiff"))
        page.set_input_files("#files", path)
        expect_heard(page)
        expect(note(page)).to_contain_text("Answered by the service")

    def test_the_files_can_be_removed(self, installed_page):
        page = installed_page
        install(page)
        page.click("#on-device .plain")
        expect(page.locator("#on-device .plain")).to_contain_text("Download")
        assert page.evaluate(KEPT) == 0

    def test_a_newer_version_is_offered(self, installed_page, device_folder):
        page = installed_page
        install(page)
        newer = json.loads((device_folder / device.DEVICE_NUMBERS).read_text())
        newer["version"] = "newer"
        page.context.route("**/device.json?newest", lambda route: route.fulfill(json=newer))
        page.reload()
        ready(page)
        update = page.locator("#on-device button:has-text('Update')")
        update.click()
        expect(page.locator("#on-device .choice")).to_have_count(2)
        expect(update).to_have_count(0)
        assert page.evaluate(KEPT) == len(newer["files"]) + 1

    def test_a_download_that_stalls_is_given_up(self, installed_page):
        page = installed_page

        def hasten(route):
            text = route.fetch().text()
            assert text.count("20_000") == 1
            route.fulfill(body=text.replace("20_000", "500"), content_type="text/javascript")

        page.context.route("**/device/keep.js", hasten)
        page.context.route("**/fifteen.onnx.gzip?fresh", lambda _: None)  # never answers
        about(page)
        page.click("#on-device button")
        expect(page.locator("#on-device [role=status]")).to_contain_text("failed")
        expect(page.locator("#on-device button")).to_be_enabled()

    def test_a_changed_file_is_refused(self, installed_page):
        page = installed_page
        page.context.route("**/verdict.js?fresh", lambda route: route.fulfill(body="alert()"))
        about(page)
        page.click("#on-device button")
        expect(page.locator("#on-device [role=status]")).to_contain_text("failed")
        assert page.evaluate(KEPT) == 0

    def test_nothing_is_handed_to_background_sync(self, installed_page, tmp_path):
        """The service worker would send what waits to the service."""
        page = installed_page
        install(page)
        page.reload()  # a page that the worker controls
        ready(page)
        page.context.route(re.compile("/(v1/|healthz)"), lambda route: route.abort())
        path = tmp_path / "groove.aiff"
        path.write_bytes(signals.encode(GROOVE, RATE, "aiff"))
        page.set_input_files("#files", path)
        expect(page.locator("#clip h1")).to_have_text("Kept for later")
        page.evaluate(HIDE)
        assert page.evaluate(TAGS) == []

    def test_only_the_worker_may_compile(self, installed_page):
        assert "wasm-unsafe-eval" in WORKER_POLICY
        assert "Content Security Policy" in installed_page.evaluate(COMPILE)
