"""The page shows each verdict, and members that only some services send."""

import re

import pytest
from playwright.sync_api import expect

from service.schemas import ANALYSIS
from service.web.routes.frontend import FOLDER
from tests.mobile_client.test_everyone import LANGUAGES, assert_accessible, assert_fits
from tests.mobile_client.test_files import messages
from tools.browser import expect_answer

pytestmark = pytest.mark.slow


@pytest.fixture
def answered(page, sounds):
    """Show an answer that differs from the documented one."""

    def show(title, **members):
        answer = ANALYSIS | members
        page.route("**/v1/analyze*", lambda route: route.fulfill(json=answer), times=1)
        page.set_input_files("#files", sounds["short"])
        expect_answer(page, title)
        return page

    return show


def window(place, genre, energy):
    """One window of a timeline."""
    genres = [{"genre": genre, "probability": 0.9}]
    times = {"start_seconds": 15.0 * place, "end_seconds": 15.0 * (place + 1)}
    return {**times, "genre": genre, "genres": genres, "valence": 0.3, "energy": energy}


class TestVerdicts:
    def test_two_genres(self, answered):
        second = ANALYSIS["genres"][1]["genre"]
        page = answered(f"house or {second}", verdict="mixed")
        expect(page.locator(".verdict")).to_have_text(f"Too close to call: house or {second}.")

    def test_another_genre(self, answered):
        page = answered("Another genre", verdict="unknown_genre")
        expect(page.locator(".verdict")).to_contain_text("house is the closest")
        expect(page.locator(".mood")).to_have_text("joyful")

    def test_no_music_has_no_mood(self, answered):
        page = answered("No music", verdict="not_music")
        expect(page.locator(".mood")).to_have_count(0)
        expect(page.locator("details.figures")).not_to_have_attribute("open", "")

    def test_an_unknown_verdict_shows_the_reason_of_the_service(self, answered):
        page = answered("house", verdict="new", reason="This is new.")
        expect(page.locator(".verdict")).to_have_text("This is new.")


class TestExplanation:
    """A genre that is tapped is explained from the model's card."""

    @pytest.fixture
    def explained(self, answered):
        """Show the explanation of house; some members of the figures differ from the card's."""

        def show(**members):
            page = answered("house")

            def answer(route):
                card = route.fetch().json()
                card["figures"]["folds"]["genre"] |= members
                route.fulfill(json=card)

            page.route("**/v1/models/*", answer)
            page.get_by_role("button", name="house").first.click()
            return page.locator("#explain")

        return show

    def test_a_genre_is_often_taken_for_those_that_a_tenth_of_its_recordings_get(self, explained):
        counts = [[0] * 9 for _ in range(9)]
        counts[3] = [0, 0, 12, 80, 0, 0, 9, 15, 0]  # blues, classical, dubstep, house ...
        dialog = explained(confusion=counts)
        expect(dialog).to_contain_text(re.compile("Often taken for rap or dubstep"))
        expect(dialog).not_to_contain_text("pop-punk")

    @pytest.mark.parametrize(
        ("row", "taken"),
        [
            ([0, 0, 5, 95, 0, 0, 0, 0, 0], ""),
            ([0] * 9, ""),
            (None, ""),
        ],
    )
    def test_a_genre_that_is_seldom_taken_for_others(self, explained, row, taken):
        dialog = explained(confusion=row and [row] * 9)
        expect(dialog).to_contain_text("test recordings")
        expect(dialog.locator("p").nth(1)).to_have_text(taken)


class TestMembers:
    def test_intervals_and_percentiles(self, answered):
        ranges = {"valence": {"low": 0.48, "high": 0.8, "percentile": 71.5}}
        page = answered("house", emotion=ranges)
        valence = page.locator(".gauges > div").first
        expect(valence.locator(".value")).to_have_text("more cheerful than 7 of 10")
        place, dot = (
            valence.locator(f".scale {each}").bounding_box() for each in (".track", ".dot")
        )
        assert dot["x"] + dot["width"] / 2 - place["x"] == pytest.approx(
            0.715 * place["width"], abs=1
        )
        valence.locator("summary").click()
        expect(valence).to_contain_text("likely 48% to 80%")
        expect(valence).to_contain_text("above 72% of the reference")
        numbers = valence.locator("details")
        track, band = (numbers.locator(each).bounding_box() for each in (".track", ".band"))
        assert band["x"] - track["x"] == pytest.approx(0.48 * track["width"], abs=1)
        assert band["width"] == pytest.approx(0.32 * track["width"], abs=1)
        assert float(page.locator(".plane .range").get_attribute("width")) > 0

    def test_an_answer_without_intervals_and_percentiles(self, answered):
        page = answered("house", emotion=None, warnings=None)
        expect(page.locator(".gauges .note")).to_have_count(0)
        expect(page.locator(".band, .timeline, .warning")).to_have_count(0)

    def test_an_emotion_that_the_model_does_not_have(self, answered):
        page = answered("house", valence=None, mood=None)
        expect(page.locator(".gauges > div")).to_have_count(2)
        expect(page.locator(".plane, .mood")).to_have_count(0)

    def test_warnings(self, answered):
        warnings = [
            {"type": "very_quiet", "detail": "The loudest sample is at -45 dBFS."},
            {"type": "new", "detail": "This is new."},
        ]
        page = answered("house", warnings=warnings)
        expect(page.locator(".warning").first).to_contain_text("It was very quiet")
        expect(page.locator(".warning").last).to_have_text("This is new.")

    def test_the_timeline_of_a_long_recording(self, answered):
        genres = ["house", "house", "jazz", "house"]
        windows = [window(place, genre, place / 4) for place, genre in enumerate(genres)]
        page = answered("house", timeline=windows)
        parts = page.locator(".timeline li")
        expect(parts).to_have_text(
            [re.compile("house0:00.*0:30"), re.compile("jazz0:30"), re.compile("house0:45.*1:00")]
        )
        bars = page.locator(".windows i")
        heights = [bar.bounding_box()["height"] for bar in bars.all()]
        assert heights == sorted(set(heights))

    def test_a_silent_part_of_a_recording_has_no_genre(self, page, sounds):
        page.set_input_files("#files", sounds["late"])
        expect_answer(page)
        parts = page.locator(".timeline li")
        expect(parts).to_have_text([re.compile("Silence0:00.*0:15"), re.compile("house0:15.*0:45")])

    def test_a_timeline_of_one_window_is_not_shown(self, answered):
        page = answered("house", timeline=[window(0, "house", 0.5)])
        expect(page.locator(".timeline")).to_have_count(0)

    def test_an_operators_own_genres(self, answered):
        genres = [{"genre": "Κλαμπ", "probability": 0.7}, {"genre": "<b>&", "probability": 0.3}]
        page = answered("Κλαμπ", genre="Κλαμπ", genres=genres)
        expect(page.locator(".bars li").last).to_contain_text("<b>&")


KEY = {"tonic": "C#", "mode": "minor", "probability": 0.5}
CLOSE = {"tonic": "E", "mode": "major", "probability": 0.4}
FAST = {"bpm": 120.2, "probability": 0.5}
SLOW = {"bpm": 60.1, "probability": 0.3}


def measured(tempi, keys):
    """An answer with these candidates, the first the most probable."""
    tempo = {"bpm": tempi[0]["bpm"], "confidence": tempi[0]["probability"], "candidates": tempi}
    return ANALYSIS | {"tempo": tempo, "key": keys[0] | {"candidates": keys}}


@pytest.mark.parametrize(
    ("answer", "locale", "words"),
    [
        (measured([FAST], [KEY]), "en-GB", ["120 beats a minute", "C♯ minor"]),
        (
            measured([FAST, SLOW], [KEY, CLOSE]),
            "en-GB",
            ["120 or 60 beats a minute", "C♯ minor or E major"],
        ),
        (measured([FAST | {"probability": 0.2}], [KEY]), "it", ["forse 120 battiti", "Do♯ minore"]),
        (ANALYSIS | {"tempo": None, "key": None}, "en-GB", ["unclear"]),
    ],
)
def test_tempo_and_key_are_told_on_demand(visit, sounds, answer, locale, words):
    with visit(locale=locale) as page:
        page.route("**/v1/analyze*", lambda route: route.fulfill(json=answer))
        page.set_input_files("#files", sounds["m4a"])
        expect(page.locator(".sound dl").first).to_be_hidden()
        page.click(".sound summary")
        for each in words:
            expect(page.locator(".sound")).to_contain_text(each)
        expect(page.locator(".sound")).to_contain_text("LUFS")


TRAITS = {"acousticness": 0.2, "instrumentalness": 0.5, "liveness": 0.999, "speechiness": 0}


@pytest.mark.parametrize("language", LANGUAGES)
def test_traits_are_told_on_demand(visit, sounds, language):
    answer = ANALYSIS | {"features": ANALYSIS["features"] | TRAITS}
    texts = messages(FOLDER / "messages" / f"{language}.txt")
    with visit(locale=language) as page:
        page.route("**/v1/analyze*", lambda route: route.fulfill(json=answer))
        page.set_input_files("#files", sounds["m4a"])
        traits = page.locator(".sound dl").nth(1)
        expect(traits).to_be_hidden()
        expect(page.locator(".sound summary")).to_contain_text(texts["traits"])
        page.click(".sound summary")
        expect(traits.locator("dt")).to_have_text([texts[f"traits.{name}"] for name in TRAITS])
        levels = [texts[f"traits.{each}"] for each in ("low", "medium", "high", "low")]
        for value, level in zip(traits.locator("dd").all(), levels, strict=True):
            expect(value).to_contain_text(level.partition("{")[0])
        expect(traits.locator("dd").nth(2)).to_contain_text(re.compile(r">\s?99"))
        assert_accessible(page)
        assert_fits(page)


def test_an_answer_without_traits_has_no_place_for_them(page, sounds):
    answer = ANALYSIS | {"features": ANALYSIS["features"] | dict.fromkeys(TRAITS)}
    page.route("**/v1/analyze*", lambda route: route.fulfill(json=answer))
    page.set_input_files("#files", sounds["m4a"])
    expect(page.locator(".sound summary")).to_have_text("Tempo · Key · Loudness")
    expect(page.locator(".sound dl")).to_have_count(1)


def test_an_answer_without_measures_has_no_place_for_them(page, sounds):
    """That of an older service, or of a live connection."""
    missing = {"tempo": None, "key": None, "loudness": None, "features": None}
    page.route("**/v1/analyze*", lambda route: route.fulfill(json=ANALYSIS | missing))
    page.set_input_files("#files", sounds["m4a"])
    expect_answer(page, "house")
    expect(page.locator(".sound")).to_have_count(0)
