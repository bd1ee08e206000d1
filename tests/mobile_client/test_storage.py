"""Storage in the browser: full disks, other versions, many recordings, import and export."""

import csv
import io
import json
import zipfile

import pytest
from playwright.sync_api import expect

from service.schemas import ANALYSIS
from tools.browser import expect_answer, open_client, ready

pytestmark = pytest.mark.slow

FILL = """(data) => new Promise((resolve) => {
  const { count, answer } = data;
  const levels = new Uint8Array(6000).fill(200);
  const opening = indexedDB.open("fifteen", 1);
  opening.onsuccess = () => {
    const transaction = opening.result.transaction("clips", "readwrite");
    for (let n = 0; n < count; n++) {
      const created = new Date(Date.UTC(2026, 0, 1) - n * 3600e3 * 7).toISOString();
      transaction.objectStore("clips").put({
        id: `clip-${n}`, created, name: `${n}.mp3`, audio: new Blob(["x"]), levels, answer,
        state: "answered", why: null, retryAt: null, problem: null,
      });
    }
    transaction.oncomplete = () => { opening.result.close(); resolve(null); };
  };
})"""


def rows(page):
    return page.locator(".clips li")


@pytest.fixture
def diary(visit):
    """A page with two hundred recordings."""
    with visit() as page:
        page.evaluate(FILL, {"count": 200, "answer": ANALYSIS})
        page.goto("/?history")
        ready(page)
        expect(rows(page).first).to_be_visible()
        yield page


class TestFull:
    def test_a_full_disk_is_reported_and_space_can_be_freed(self, page, sounds, server):
        session = page.context.new_cdp_session(page)
        quota = {"origin": server, "quotaSize": 100_000}
        session.send("Storage.overrideQuotaForOrigin", quota)
        page.set_input_files("#files", sounds["long"])
        expect(page.locator("#toast")).to_contain_text("no space left")
        expect(page.locator("#clip .keeping")).to_contain_text("not saved")
        page.locator("#toast").get_by_role("button", name="Free space").click()
        expect(rows(page)).to_contain_text("not saved")
        expect(rows(page)).to_contain_text("house")  # only the sound of an answered clip is freed
        page.once("dialog", lambda dialog: dialog.accept())
        page.locator(".foot").get_by_role("button", name="Free space").click()
        expect(page.locator(".foot")).to_contain_text("take 0 MB")

    def test_the_used_space_is_shown(self, page, sounds):
        page.set_input_files("#files", sounds["long"])
        page.click("nav a")
        expect(page.locator(".foot")).to_contain_text("take 2.2 MB")

    def test_the_client_requests_persistent_storage(self, page, sounds):
        page.evaluate(
            "() => { navigator.storage.persist = async () => { globalThis.persisted = true; } }"
        )
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        assert page.evaluate("persisted")


class TestVersions:
    def test_a_newer_version_is_not_blocked_by_this_tab(self, page, sounds):
        upgraded = page.evaluate(
            """() => new Promise((resolve) => {
              const request = indexedDB.open("fifteen", 2);
              request.onblocked = () => resolve("blocked");
              request.onsuccess = () => resolve("upgraded");
            })"""
        )
        assert upgraded == "upgraded"
        expect(page.locator("#toast")).to_contain_text("new version")
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)

    def test_an_update_reaches_an_open_tab(self, visit):
        with visit(service_workers="allow") as page:
            page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
            page.reload()
            ready(page)
            page.evaluate(
                """async () => {
                  await navigator.serviceWorker.register("service-worker.js?next");
                }"""
            )
            offer = page.locator("#toast")
            expect(offer).to_contain_text("new version")
            with page.expect_navigation():
                offer.get_by_role("button", name="Reload").click()
            ready(page)
            script = page.evaluate("navigator.serviceWorker.controller.scriptURL")
            assert script.endswith("?next")

    def test_an_update_does_not_take_what_is_not_saved(self, visit, sounds):
        with visit(service_workers="allow") as page:
            page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
            page.add_init_script("indexedDB.open = () => { throw new Error('none'); };")
            page.reload()
            ready(page)
            page.set_input_files("#files", sounds["m4a"])
            expect_answer(page)
            page.evaluate(
                """async () => {
                  Object.defineProperty(document, "hidden", { get: () => true });
                  await navigator.serviceWorker.register("service-worker.js?next");
                }"""
            )
            expect(page.locator("#toast")).to_contain_text("new version")
            page.wait_for_timeout(500)
            expect(page.locator("#clip h1")).to_have_text("house")


class TestMany:
    def test_rows_and_rings_are_created_when_they_are_needed(self, diary):
        assert rows(diary).count() <= 60
        before = rows(diary).count()
        diary.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(rows(diary).nth(before)).to_be_attached()
        drawn = "[...document.querySelectorAll('.clips canvas')].filter((it) => it.width !== 300)"
        assert diary.evaluate(f"{drawn}.length") < rows(diary).count()

    def test_a_change_touches_one_row(self, diary):
        changes = diary.evaluate(
            """async () => {
              const touched = new Set();
              const observer = new MutationObserver((records) => {
                for (const { target } of records) {
                  const node = target.nodeType === 1 ? target : target.parentElement;
                  touched.add(node.closest("li")?.dataset.id ?? node.className);
                }
              });
              const all = { subtree: true, childList: true, characterData: true, attributes: true };
              observer.observe(document.querySelector(".days"), all);
              const store = await import("/js/store.js");
              await store.change("clip-3", { name: "renamed" });
              await new Promise((resolve) => setTimeout(resolve, 300));
              return [...touched];
            }"""
        )
        assert changes == ["clip-3"]
        expect(diary.locator("[data-id=clip-3]")).to_contain_text("renamed")

    def test_a_tap_during_a_change_is_not_lost(self, diary):
        diary.locator("[data-id=clip-1] b").hover()
        diary.mouse.down()
        diary.evaluate(
            """async () => {
              const store = await import("/js/store.js");
              await store.change("clip-1", { name: "renamed" });
              store.add({ name: "new", audio: new Blob(["x"]) });
            }"""
        )
        diary.mouse.up()
        expect(diary.locator("#clip h1")).to_have_text("house")

    def test_back_restores_the_scroll_position(self, diary):
        diary.evaluate("scrollTo(0, 700)")
        diary.wait_for_timeout(200)
        place = diary.evaluate("scrollY")
        diary.evaluate("document.querySelector('[data-id=clip-9] a').click()")
        expect(diary.locator("#clip h1")).to_be_visible()
        assert diary.evaluate("scrollY") == 0
        diary.go_back()
        diary.wait_for_function(f"() => Math.abs(scrollY - {place}) < 5")

    def test_deleting_by_keyboard_focuses_the_neighbour(self, diary):
        diary.locator("[data-id=clip-1] button").focus()
        diary.keyboard.press("Enter")
        expect(diary.locator("[data-id=clip-1]")).to_have_count(0)
        expect(diary.locator("[data-id=clip-2] button")).to_be_focused()

    def test_search_and_filter(self, diary):
        diary.get_by_role("searchbox").fill("17.mp3")
        expect(rows(diary)).to_have_count(2)  # 17 and 117
        diary.get_by_role("searchbox").fill("jazz")
        expect(diary.locator("#history")).to_contain_text("Nothing matches")
        diary.get_by_role("searchbox").fill("")
        diary.get_by_role("button", name="serene").click()
        expect(rows(diary)).to_have_count(0)
        diary.get_by_role("button", name="joyful").click()
        expect(rows(diary).first).to_be_visible()


class TestInAndOut:
    def test_an_export_can_be_imported(self, page, sounds):
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        page.click("nav a")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export as JSON").click()
        exported = download.value.path().read_bytes()
        page.get_by_role("button", name="Delete").first.click()
        expect(rows(page)).to_have_count(0)
        page.click(".brand")
        page.set_input_files("#files", sounds["silence"])
        page.click("nav a")
        importing = page.locator(".foot input")
        importing.set_input_files({"name": "x.json", "mimeType": "", "buffer": exported})
        expect(rows(page)).to_have_count(2)
        importing.set_input_files({"name": "x.json", "mimeType": "", "buffer": b'[{"a": 1}]'})
        expect(page.locator("#toast")).to_contain_text("not an export")

    def test_a_table_for_spreadsheets(self, page, sounds):
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        page.click("nav a")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export as CSV").click()
        content = download.value.path().read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        (line,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        assert line["mood"] == "joyful"
        assert float(line["seconds"]) == pytest.approx(15, abs=0.1)
        assert float(line["valence_low"]) < float(line["valence"]) < float(line["valence_high"])

    def test_a_label_is_stored_and_exported_with_its_recording(self, page, sounds):
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        page.get_by_text("Not house?").click()
        page.get_by_role("button", name="blues", exact=True).first.click()
        expect(page.get_by_text("You say: blues")).to_be_visible()
        page.reload()
        ready(page)
        expect(page.get_by_text("You say: blues")).to_be_visible()
        page.click("nav a")
        with page.expect_download() as download:
            page.get_by_role("button", name="Labels").click()
        archive = zipfile.ZipFile(download.value.path())
        assert archive.testzip() is None
        sound, table = archive.namelist()
        assert sound.startswith("blues/")
        assert archive.read(sound) == sounds["m4a"].read_bytes()
        (line,) = csv.DictReader(io.StringIO(archive.read(table).decode()))
        assert (line["file"], line["label"], line["answered"]) == (sound, "blues", "house")

    def test_an_imported_answer_can_be_labelled(self, page):
        page.evaluate(FILL, {"count": 1, "answer": json.loads(json.dumps(ANALYSIS))})
        open_client(page)
        page.goto("/?clip=clip-0")
        expect_answer(page)


def test_a_missing_recording_is_reported(page):
    page.goto("/?clip=nothing")
    ready(page)
    expect(page.locator("#toast")).to_contain_text("not here any more")
    expect(page.locator("#history")).to_be_visible()
    expect(page).to_have_title("History · Fifteen")
