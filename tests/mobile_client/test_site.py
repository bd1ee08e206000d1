"""The web app of `make site` works on a plain static host, below a path, without any service."""

import pytest
from playwright.sync_api import expect

from service.settings import Settings
from tools import site
from tools.browser import expect_answer, expect_heard, ready, record
from tools.static import hosting

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(runtime, tmp_path_factory):
    """The address of the site."""
    folder = tmp_path_factory.mktemp("host")
    site.build(folder / "music", runtime, Settings())
    with hosting(folder) as origin:
        yield f"{origin}/music/"


@pytest.fixture
def page(visit, address):
    with visit(service_workers="allow") as page:
        page.goto(address)
        ready(page)
        yield page


def test_the_page_offers_the_download_before_the_first_answer(page, sounds):
    expect(page.locator("#home #on-device")).to_contain_text("no service")
    page.click("#home #on-device button")
    expect(page.locator("#home #on-device")).to_contain_text("Remove")
    page.set_input_files("#files", sounds["m4a"])
    expect_answer(page)
    expect(page.locator("#clip .keeping .note")).to_contain_text("Answered on this device")


def test_the_first_answer_downloads_what_it_needs_and_then_no_network_is_needed(page, address):
    requests = []
    page.context.on("request", lambda request: requests.append((request.method, request.url)))
    record(page, 4)
    expect_heard(page)
    sent = [each for each in requests if not each[1].startswith("blob:")]
    others = [each for each in sent if each[0] != "GET" or not each[1].startswith(address)]
    assert others == []
    page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
    page.context.set_offline(True)
    page.goto(address)
    ready(page)
    record(page, 4)
    expect_heard(page)
    expect(page.locator("#clip .keeping .note")).to_contain_text("Answered on this device")


def test_what_cannot_be_decoded_is_refused(page, sounds):
    page.set_input_files("#files", sounds["text"])
    expect(page.locator("#clip .verdict")).to_have_text("This is not audio.")


def test_a_failed_download_is_tried_again(page, sounds):
    page.context.route("**/fifteen.onnx.gzip?fresh", lambda route: route.abort())
    page.set_input_files("#files", sounds["m4a"])
    expect(page.locator("#clip h1")).to_have_text("Kept for later")
    expect(page.locator("#clip")).to_contain_text("could not be downloaded")
    page.context.unroute_all()
    page.click("#clip button:has-text('Try again')")
    expect_answer(page)


def test_a_genre_is_explained_by_the_card(page, sounds):
    page.set_input_files("#files", sounds["m4a"])
    expect_answer(page)
    page.click("#clip .figures button >> nth=0")
    expect(page.locator("dialog")).to_contain_text("of the time")


def test_the_page_speaks_of_no_service(page):
    page.click("footer a[href='?about']")
    expect(page.locator("#about #on-device")).to_contain_text("no service")
    expect(page.locator("#about")).to_contain_text("Recordings never leave this device")
    expect(page.locator("#about .links")).to_have_count(0)
    expect(page.locator("#about .choice:has-text('By the service')")).to_have_count(0)
