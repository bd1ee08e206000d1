"""The client works with screen readers, keyboards, all languages, both directions, any width."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from service.web.routes.frontend import FOLDER
from tests.mobile_client.test_files import messages
from tools.browser import expect_answer, ready

pytestmark = pytest.mark.slow

LANGUAGES = sorted(path.stem for path in (FOLDER / "messages").glob("*.txt"))


def assert_accessible(page):
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def assert_fits(page):
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


class TestAccessibility:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing(self, visit, sounds, scheme):
        with visit(color_scheme=scheme, reduced_motion="reduce") as page:
            assert_accessible(page)
            page.click("#listen")
            expect(page.locator("#listen-caption")).to_have_text("Stop")
            assert_accessible(page)
            page.keyboard.press("Escape")
            for name, title in (("m4a", "house"), ("silence", "Silence"), ("text", "No answer")):
                page.set_input_files("#files", sounds[name])
                expect_answer(page, title)
                assert_accessible(page)
            page.click("nav a")
            expect(page.locator(".clips li")).to_have_count(3)
            assert_accessible(page)

    def test_the_keyboard_alone_is_enough(self, page, sounds):
        focused = "document.activeElement.id || document.activeElement.textContent.trim()"
        reached = []
        for _ in range(4):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(focused))
        assert reached == ["Fifteen", "History", "listen", "files"]
        page.focus("#listen")
        page.keyboard.press("Enter")
        expect(page.locator("#cancel")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#cancel")).to_be_hidden()

    def test_a_late_history_leaves_the_focus_where_it_is(self, page):
        page.add_init_script("indexedDB.open = () => ({});")  # is given up after a while
        page.goto("/?about")
        ready(page)
        dark = page.get_by_role("button", name="Dark")
        dark.focus()
        expect(page.get_by_role("status")).to_contain_text("keeps no history")
        expect(dark).to_be_focused()
        page.goto("/?history")
        ready(page)
        expect(page.get_by_role("heading", name="History")).to_be_visible()

    def test_a_screen_reader_announces_an_answer(self, page, sounds):
        page.set_input_files("#files", sounds["m4a"])
        expect(page.get_by_role("status")).to_contain_text("house, ")
        expect(page).to_have_title("house, joyful · Fifteen")
        page.set_input_files("#files", sounds["short"])
        expect(page.get_by_role("status")).to_contain_text("at least 3 s")
        page.click("nav a")
        expect(page.locator("#history h1")).to_be_focused()

    def test_reduced_motion_is_respected(self, visit):
        moving = "document.getAnimations().length"
        with visit(reduced_motion="no-preference") as page:
            assert page.evaluate(moving) > 0
        with visit(reduced_motion="reduce") as page:
            assert page.evaluate(moving) == 0


class TestLanguages:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_each_language(self, visit, sounds, language):
        """The longest words fit into the narrowest window, too."""
        texts = messages(FOLDER / "messages" / f"{language}.txt")
        viewport = {"width": 320, "height": 640}
        with visit(locale=f"{language}-{language.upper()}", viewport=viewport) as page:
            assert page.get_attribute("html", "lang").split("-")[0] == language
            expect(page.get_by_role("button", name=texts["listen"])).to_be_visible()
            assert_fits(page)
            page.set_input_files("#files", sounds["m4a"])
            expect(page.locator("#clip .mood")).to_have_text(texts["mood.joyful"])
            assert_fits(page)
            overflowing = page.evaluate(
                "() => [...document.querySelectorAll('#clip :is(h1, h2, p, dt, dd, span, b)')]"
                ".filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth)"
                ".map((each) => each.textContent)"
            )
            assert overflowing == []

    def test_any_other_language_is_english(self, visit):
        with visit(locale="ja-JP") as page:
            assert page.get_attribute("html", "lang") == "en"

    def test_right_to_left(self, page, sounds):
        page.evaluate("document.documentElement.dir = 'rtl'")
        assert_fits(page)
        brand, history = page.locator(".brand").bounding_box(), page.locator("nav").bounding_box()
        assert brand["x"] > history["x"]
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        assert_fits(page)
        fill = page.locator(".bars .fill").first
        track = page.locator(".bars .track").first
        ends = [
            place["x"] + place["width"] for place in (fill.bounding_box(), track.bounding_box())
        ]
        assert ends[0] == pytest.approx(ends[1], abs=1)


class TestSharing:
    def test_the_system_shares_the_picture(self, visit, sounds):
        with visit(reduced_motion="reduce") as page:
            page.evaluate(
                """() => {
                  navigator.canShare = () => true;
                  navigator.share = async (shared) => { globalThis.shared = shared; };
                }"""
            )
            page.set_input_files("#files", sounds["m4a"])
            expect_answer(page)
            page.get_by_role("button", name="Share").click()
            page.wait_for_function("() => globalThis.shared")
            assert page.evaluate("shared.text").startswith("house, joyful · ")
            picture = page.evaluate(
                "() => createImageBitmap(shared.files[0]).then((it) => [it.width, it.height])"
            )
            assert picture == [1080, 1350]

    def test_without_system_sharing_the_clipboard_or_a_file_takes_it(self, page, sounds):
        page.evaluate("() => { navigator.canShare = undefined; }")
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Share").click()
        expect(page.get_by_role("status")).to_contain_text("clipboard")
        types = "() => navigator.clipboard.read().then(([item]) => item.types)"
        assert page.evaluate(types) == ["image/png"]
        page.evaluate("() => { navigator.clipboard.write = () => Promise.reject(new Error()); }")
        with page.expect_download() as download:
            page.get_by_role("button", name="Share").click()
        assert download.value.path().read_bytes().startswith(b"\x89PNG")
