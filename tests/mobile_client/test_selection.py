"""History: filters by genre and mood, and several clips at once."""

import json
import re

import pytest
from playwright.sync_api import expect

from service.schemas import ANALYSIS
from tests.mobile_client.test_everyone import assert_accessible, assert_fits
from tools.browser import open_client

pytestmark = pytest.mark.slow

KINDS = [
    ("a", "confident", "house", "joyful"),
    ("b", "confident", "jazz", "serene"),
    ("c", "confident", "jazz", "joyful"),
    ("d", "mixed", "rap", "tense"),
    ("e", "silence", "rap", None),
]
"""Name, verdict, genre and mood of each clip."""

OTHERS = [each["genre"] for each in ANALYSIS["genres"]]


def entry(place, name, verdict, genre, mood):
    names = [genre, *(each for each in OTHERS if each != genre)]
    genres = [{"genre": each, "probability": 0.5 / (1 + i)} for i, each in enumerate(names)]
    answer = ANALYSIS | {"verdict": verdict, "genre": genre, "mood": mood, "genres": genres}
    created = f"2026-11-0{place + 1}T10:00:00.000Z"
    return {"id": f"id-{name}", "created": created, "name": name, "answer": answer}


@pytest.fixture
def diary(page):
    """The history, with a clip of each kind; the newest is first."""
    entries = [entry(place, *kind) for place, kind in enumerate(KINDS)]
    page.click("nav a")
    page.set_input_files("#files", [])
    import_into(page, entries)
    return page


def import_into(page, entries):
    """Store clips, as an import does."""
    page.evaluate(
        """async (entries) => {
          const { read } = await import("./js/export.js");
          const store = await import("./js/store.js");
          for (const clip of await read(new Blob([JSON.stringify(entries)]))) store.restore(clip);
        }""",
        entries,
    )
    expect(page.locator(".clips li")).to_have_count(len(entries))


def expect_names(page, expected):
    """Wait for rows: they change once the finger is up."""
    expect(page.locator(".clips .note")).to_have_text(
        [re.compile(f"^{each} ") for each in expected]
    )


def boxes(page):
    return page.get_by_role("checkbox")


class TestFilters:
    def test_the_genres_are_those_of_the_answers(self, diary):
        second = next(each for each in OTHERS if each != "rap")  # of the torn answer
        listed = diary.get_by_role("combobox").locator("option")
        expected = sorted({"house", "jazz", "rap", second})
        expect(listed).to_have_text(["Genres", *(each[0].upper() + each[1:] for each in expected)])

    def test_where_no_clip_has_a_genre_the_filter_keeps_its_name(self, page):
        page.click("nav a")
        import_into(page, [entry(0, *KINDS[-1])])
        expect(page.get_by_role("combobox").locator("option")).to_have_text(["Genres"])

    def test_genre_and_mood_filter_together(self, diary):
        genre = diary.get_by_role("combobox")
        genre.select_option("jazz")
        expect_names(diary, ["c", "b"])
        diary.get_by_role("button", name="joyful").click()
        expect_names(diary, ["c"])
        genre.select_option("rap")
        expect(diary.locator("#history")).to_contain_text("Nothing matches")
        diary.get_by_role("button", name="joyful").click()
        expect_names(diary, ["d"])  # silence has no genre
        genre.select_option("")
        expect(diary.locator(".clips li")).to_have_count(len(KINDS))

    def test_a_chosen_genre_stays_when_clips_come_and_go(self, diary):
        genre = diary.get_by_role("combobox")
        genre.select_option("jazz")
        diary.get_by_role("button", name="Delete: b").click()
        expect(diary.locator(".clips li")).to_have_count(1)
        diary.wait_for_timeout(400)
        assert genre.input_value() == "jazz"


class TestSelection:
    def test_several_are_deleted_at_once_and_come_back(self, diary):
        expect(boxes(diary)).to_have_count(0)
        diary.get_by_role("button", name="Select", exact=True).click()
        expect(boxes(diary)).to_have_count(len(KINDS))
        for name in ("b", "d"):
            diary.get_by_role("checkbox", name=f"Select: {name}").check()
        expect(diary.locator(".selection")).to_contain_text("Selected: 2")
        expect(diary.get_by_role("status")).to_have_text("Selected: 2")
        assert_accessible(diary)
        assert_fits(diary)
        diary.locator(".selection").get_by_role("button", name="Delete").click()
        expect_names(diary, ["e", "c", "a"])
        expect(diary.locator("#toast")).to_contain_text("2")
        diary.locator("#toast").get_by_role("button", name="Undo").click()
        expect_names(diary, ["e", "d", "c", "b", "a"])
        open_client(diary)
        diary.click("nav a")
        expect(diary.locator(".clips li")).to_have_count(len(KINDS))

    @pytest.mark.parametrize("kind", ["JSON", "CSV"])
    def test_only_the_selected_are_exported(self, diary, kind):
        diary.get_by_role("button", name="Select", exact=True).click()
        for name in ("a", "e"):
            diary.get_by_role("checkbox", name=f"Select: {name}").check()
        with diary.expect_download() as download:
            diary.locator(".selection").get_by_role("button", name=kind).click()
        text = download.value.path().read_text()
        if kind == "JSON":
            assert [each["name"] for each in json.loads(text)] == ["e", "a"]
        else:
            assert len(text.splitlines()) == 3

    def test_all_means_all_that_match(self, diary):
        diary.get_by_role("combobox").select_option("jazz")
        diary.get_by_role("button", name="Select", exact=True).click()
        diary.get_by_role("button", name="All", exact=True).click()
        expect(diary.locator(".selection")).to_contain_text("Selected: 2")
        assert all(box.is_checked() for box in boxes(diary).all())
        diary.locator(".selection").get_by_role("button", name="Delete").click()
        diary.get_by_role("combobox").select_option("")
        expect_names(diary, ["e", "d", "a"])

    def test_what_a_filter_hides_is_not_deleted(self, diary):
        diary.get_by_role("button", name="Select", exact=True).click()
        diary.get_by_role("button", name="All", exact=True).click()
        diary.get_by_role("combobox").select_option("house")
        expect(diary.locator(".selection")).to_contain_text("Selected: 2")
        diary.locator(".selection").get_by_role("button", name="Delete").click()
        diary.get_by_role("combobox").select_option("")
        expect_names(diary, ["e", "c", "b"])

    def test_the_keyboard_is_enough_and_leaving_ends_it(self, diary):
        diary.get_by_role("button", name="Select", exact=True).focus()
        diary.keyboard.press("Enter")
        focused = "document.activeElement.textContent"
        assert diary.evaluate(focused) == "All"
        diary.keyboard.press("Enter")
        expect(diary.locator(".selection")).to_contain_text(f"Selected: {len(KINDS)}")
        diary.get_by_role("button", name="Cancel", exact=True).last.focus()
        diary.keyboard.press("Enter")
        assert diary.evaluate(focused) == "Select"
        expect(boxes(diary)).to_have_count(0)
        diary.keyboard.press("Enter")
        diary.click(".brand")
        diary.click("nav a")
        expect(boxes(diary)).to_have_count(0)

    @pytest.mark.parametrize("size", [(320, 640), (780, 360)])
    def test_they_leave_room_for_the_recordings_under_large_text(self, visit, size):
        with visit(locale="el", viewport=dict(zip(("width", "height"), size, strict=True))) as page:
            page.click("nav a")
            import_into(page, [entry(n, f"clip {n}", *KINDS[0][1:]) for n in range(9)])
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            page.locator(".selection button").click()
            for box in boxes(page).all():
                box.check()  # nothing covers it
            expect(page.locator(".selection")).to_contain_text("9")
            assert_fits(page)

    def test_its_buttons_stay_on_the_screen_of_a_phone(self, page):
        page.click("nav a")
        import_into(page, [entry(n, f"clip {n}", *KINDS[0][1:]) for n in range(9)])
        page.get_by_role("button", name="Select", exact=True).click()
        page.mouse.wheel(0, 9_000)
        page.wait_for_function("() => scrollY > 200")
        for name in ("All", "CSV", "Delete"):
            button = page.locator(".selection").get_by_role("button", name=name)
            expect(button).to_be_in_viewport()
            button.click(trial=True)  # nothing covers it
