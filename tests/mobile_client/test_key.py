"""The client asks once for the key of a service that needs one."""

import json

import pytest
from playwright.sync_api import expect

from service.web.auth import new_key
from tests.mobile_client.test_everyone import assert_accessible
from tools.browser import expect_answer, ready
from tools.server import serving

pytestmark = pytest.mark.slow

KEY, DIGEST = new_key()


@pytest.fixture(scope="module")
def guarded():
    """The address of a service that needs a key."""
    with serving("--api-keys", json.dumps({"me": DIGEST})) as service:
        yield service.url


def enter(page, key):
    page.fill(".key input", key)
    page.keyboard.press("Enter")


def test_the_client_asks_for_the_key_and_stores_it(visit, guarded, sounds):
    with visit(base_url=guarded) as page:
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page, "No answer")
        expect(page.locator("#clip .glance")).to_contain_text("the key that you got")
        assert_accessible(page)
        for wrong in ("another", "ключ"):
            with page.expect_response("**/v1/analyze*") as refused:
                enter(page, wrong)
            assert refused.value.status == 401
            expect(page.locator(".key input")).to_have_value("")
        enter(page, f" {KEY} ")
        expect_answer(page)
        page.goto("/")
        ready(page)
        page.set_input_files("#files", sounds["m4a"])
        expect_answer(page)


def test_the_key_is_for_all_recordings_that_waited_for_it(visit, guarded, sounds):
    with visit(base_url=guarded) as page:
        page.set_input_files("#files", [sounds["m4a"], sounds["clip"]])
        rows = page.locator(".clips li")
        expect(rows.filter(has_text="No answer")).to_have_count(2)
        rows.locator("a").first.click()
        enter(page, KEY)
        expect_answer(page)
        page.click("nav a")
        expect(rows.filter(has_text="house")).to_have_count(2)


def test_no_key_is_sent_to_a_service_without_keys(page, sounds):
    with page.expect_request("**/v1/analyze*") as sent:
        page.set_input_files("#files", sounds["m4a"])
    expect_answer(page)
    assert "authorization" not in sent.value.all_headers()
    expect(page.locator(".key")).to_have_count(0)
