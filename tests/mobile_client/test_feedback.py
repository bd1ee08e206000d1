"""The service gets a person's label only where its operator takes labels and the person agrees."""

import pytest
from playwright.sync_api import expect

from service.feedback import open_store
from tests.mobile_client.test_everyone import assert_accessible, assert_fits
from tools.browser import expect_answer, ready
from tools.server import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def learning(tmp_path_factory):
    """A service that takes feedback, and the store of what it has."""
    path = tmp_path_factory.mktemp("feedback") / "feedback.sqlite"
    service = Server("--feedback", str(path))
    service.wait_until_ready()
    yield service.url, open_store(path)
    service.stop()


@pytest.fixture
def store(learning):
    """Its store, emptied."""
    _, store = learning
    if store.count():
        store.delete_some()
    return store


@pytest.fixture
def asked(visit, learning, store, sounds):
    """The page of an answer of that service."""
    with visit(base_url=learning[0]) as page:
        answer(page, sounds)
        yield page


def answer(page, sounds):
    page.set_input_files("#files", sounds["m4a"])
    expect_answer(page)


def sent_to(page):
    """Collect the requests about feedback."""
    found = []
    page.on("request", lambda each: found.append(each.method) if "/v1/fee" in each.url else None)
    return found


def choose(page, label):
    page.locator(".correction summary").click()
    page.locator(".correction").get_by_role("button", name=label, exact=True).click()
    expect(page.locator(".correction summary")).to_have_text(f"You say: {label}")


def glance(page):
    return page.locator(".glance")


def agree(page, word="Yes"):
    page.locator(".glance").get_by_role("button", name=word, exact=True).click()


def labels(store):
    return [entry.label for entry in store.entries()]


def expect_labels(page, store, expected):
    """Wait until the service has these labels."""
    for _ in range(200):
        if labels(store) == expected:
            return
        page.wait_for_timeout(50)
    assert labels(store) == expected


def test_a_service_without_feedback_is_told_nothing(page, sounds):
    sent = sent_to(page)
    answer(page, sounds)
    choose(page, "jazz")
    expect(glance(page)).not_to_contain_text("May the service")
    page.goto("/?about")
    ready(page)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#about")).not_to_contain_text("May the service")
    assert sent == []


def test_nothing_is_sent_before_the_person_agrees(asked, store):
    sent = sent_to(asked)
    choose(asked, "jazz")
    expect(glance(asked)).to_contain_text("May the service learn")
    assert_accessible(asked)
    assert_fits(asked)
    assert (sent, labels(store)) == ([], [])
    agree(asked, "No")
    expect(glance(asked)).not_to_contain_text("May the service learn")
    choose(asked, "rap")
    expect(glance(asked)).not_to_contain_text("May the service learn")  # it is asked once
    asked.wait_for_timeout(500)
    assert (sent, labels(store)) == ([], [])


def test_a_label_is_given_changed_and_taken_back(asked, store):
    choose(asked, "jazz")
    agree(asked)
    expect(glance(asked)).to_contain_text("The service has your choice.")
    assert_accessible(asked)
    (entry,) = store.entries()
    assert (entry.label, entry.answered) == ("jazz", "house")
    assert sum(each**2 for each in entry.vector) == pytest.approx(1, abs=1e-3)
    choose(asked, "rap")
    expect_labels(asked, store, ["rap"])
    choose(asked, "No music")  # is no genre that a service learns
    expect_labels(asked, store, [])
    choose(asked, "blues")
    expect_labels(asked, store, ["blues"])
    asked.goto("/?about")
    ready(asked)
    choices = asked.locator("#about .panel", has_text="May the service learn")
    expect(choices.get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "true")
    no = choices.get_by_role("button", name="No", exact=True)
    no.focus()
    asked.keyboard.press("Enter")
    expect(no).to_have_attribute("aria-pressed", "true")
    expect(no).to_be_focused()
    expect_labels(asked, store, [])


def test_only_labels_chosen_after_the_agreement_are_given(asked, store, sounds):
    choose(asked, "jazz")
    agree(asked, "No")
    asked.goto("/?about")
    ready(asked)
    asked.locator("#about").get_by_role("button", name="Yes").click()
    asked.goto("/")
    ready(asked)
    answer(asked, sounds)
    choose(asked, "metal")
    expect_labels(asked, store, ["metal"])


def test_a_label_waits_for_the_network(asked, store):
    choose(asked, "jazz")
    agree(asked)
    expect_labels(asked, store, ["jazz"])
    asked.context.set_offline(True)
    choose(asked, "rap")
    expect(glance(asked)).to_contain_text("Your choice will be sent to the service.")
    assert labels(store) == ["jazz"]
    asked.context.set_offline(False)
    expect_labels(asked, store, ["rap"])
    expect(glance(asked)).to_contain_text("The service has your choice.")


def test_a_label_waits_for_a_busy_service(asked, store):
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "json": {"type": "x", "detail": "busy"}}
    asked.route("**/v1/feedback", lambda route: route.fulfill(**busy), times=1)
    choose(asked, "jazz")
    agree(asked)
    expect(glance(asked)).to_contain_text("Your choice will be sent to the service.")
    expect_labels(asked, store, ["jazz"])


def test_a_refusal_is_told_and_not_repeated(asked, store):
    full = {"type": "urn:problem-type:fifteen:feedback-full", "detail": "There is no room."}
    sent = []

    def refuse(route):
        sent.append(route)
        route.fulfill(status=507, json=full)

    asked.route("**/v1/feedback", refuse)
    choose(asked, "jazz")
    agree(asked)
    expect(glance(asked)).to_contain_text("did not take your choice: There is no room.")
    asked.evaluate("() => dispatchEvent(new Event('online'))")
    asked.wait_for_timeout(500)
    assert len(sent) == 1


def test_two_tabs_give_a_label_once(asked, store, learning):
    choose(asked, "jazz")
    agree(asked)
    expect_labels(asked, store, ["jazz"])
    other = asked.context.new_page()
    other.goto(asked.url)
    ready(other)
    expect(other.locator(".glance")).to_contain_text("The service has your choice.")
    choose(other, "rap")
    expect(glance(asked)).to_contain_text("You say: rap")
    expect_labels(asked, store, ["rap"])
    asked.wait_for_timeout(1000)
    assert labels(store) == ["rap"]


def test_a_no_in_one_tab_is_a_no_in_all(asked, store):
    choose(asked, "jazz")
    agree(asked)
    expect_labels(asked, store, ["jazz"])
    other = asked.context.new_page()
    other.goto("/?about")
    ready(other)
    other.locator("#about").get_by_role("button", name="No", exact=True).click()
    expect_labels(other, store, [])
    choose(asked, "rap")
    asked.wait_for_timeout(1000)
    assert labels(store) == []


def test_a_label_of_a_recording_whose_sound_was_freed(asked, store):
    asked.evaluate("async () => (await import('./js/store.js')).freeSounds()")
    choose(asked, "jazz")
    agree(asked)
    expect(glance(asked)).to_contain_text("did not take your choice")
    assert labels(store) == []
