"""Background Sync: what waits is sent once there is a network, also where no page is open."""

import shutil
import socket

import pytest
from playwright.sync_api import expect

from service.web.routes.frontend import FOLDER
from tests.mobile_client.conftest import POSTS, STATES
from tests.mobile_client.test_other_host import install
from tools.browser import expect_heard, ready, record
from tools.static import hosting

pytestmark = pytest.mark.slow


@pytest.fixture
def scripts(scripts):
    """No live connection, because `page.route` does not reach it."""
    return [*scripts, POSTS]


HIDE = """() => {
  Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def wait_offline(page):
    """Let a clip of a page without a network wait; note the registration of its worker."""
    session = page.context.new_cdp_session(page)
    registrations = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
    page.reload()
    ready(page)
    page.route("**/v1/**", lambda route: route.abort())
    page.route("**/healthz", lambda route: route.abort())
    record(page)
    expect(page.locator("#clip h1")).to_have_text("Kept for later")
    page.registration = next(
        each
        for each in reversed(registrations)
        if not each["isDeleted"] and page.url.startswith(each["scopeURL"])
    )


@pytest.fixture
def waiting(visit, server):
    """A page without a network, with a clip that waits, and the scope's registration."""
    with visit(service_workers="allow") as page:
        wait_offline(page)
        yield page


def sync(page, server):
    """Let the browser tell the worker that there is a network; wait for the worker's requests."""
    session = page.context.new_cdp_session(page)
    session.send("ServiceWorker.enable")
    session.send(
        "ServiceWorker.dispatchSyncEvent",
        {
            "origin": server,
            "registrationId": page.registration["registrationId"],
            "tag": "send",
            "lastChance": True,
        },
    )


def test_the_worker_sends_what_waits(waiting, server):
    assert waiting.evaluate(STATES) == ["waiting"]
    sync(waiting, server)
    expect_heard(waiting)  # the page follows
    assert waiting.evaluate(STATES) == ["answered"]


def test_it_sends_without_a_page(waiting, server):
    other = waiting.context.new_page()
    other.registration = waiting.registration
    waiting.close()
    other.goto(f"{server}/openapi.json")  # of the origin, but not the app
    sync(other, server)
    other.wait_for_function(f"async () => String(await ({STATES})()) === 'answered'")
    other.route("**/v1/analyze*", lambda route: route.abort())  # this page does not send it
    other.goto(f"{server}/?history")
    ready(other)
    expect(other.locator(".clips li[data-state=answered] b")).not_to_be_empty()


def test_a_deleted_clip_stays_deleted(waiting, server):
    waiting.get_by_role("button", name="Delete").click()
    sync(waiting, server)
    waiting.wait_for_timeout(1000)
    assert waiting.evaluate(STATES) == []


@pytest.fixture
def silent(tmp_path):
    """The address of a client whose service accepts connections and never answers.

    Its worker waits for a second instead of half a minute.
    """
    with socket.create_server(("127.0.0.1", 0)) as nobody, hosting(tmp_path) as origin:
        service = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        shutil.copytree(FOLDER, tmp_path / "music")
        install(tmp_path / "music", service)
        worker = tmp_path / "music" / "service-worker.js"
        text = worker.read_text()
        assert text.count("30_000 + audio.size / 16") == 1
        worker.write_text(text.replace("30_000 + audio.size / 16", "1000"))
        yield origin


def test_a_request_that_is_never_answered_does_not_hold_up_the_page(visit, silent):
    """The worker has the lock of the clip while it sends it."""
    held = "async () => (await navigator.locks.query()).held.length"
    with visit(service_workers="allow") as page:
        page.goto(f"{silent}/music/")
        wait_offline(page)
        sync(page, silent)
        page.wait_for_function(f"async () => await ({held})() === 1")
        page.wait_for_function(f"async () => await ({held})() === 0")
        assert page.evaluate(STATES) == ["waiting"]


def test_a_page_that_is_hidden_hands_over_what_waits(waiting):
    asked = """() => navigator.serviceWorker.ready.then((it) => {
      globalThis.tags = [];
      it.sync.register = async (tag) => { tags.push(tag); };
    })"""
    waiting.evaluate(asked)
    waiting.evaluate(HIDE)
    waiting.wait_for_function("() => globalThis.tags.length === 1")
    assert waiting.evaluate("tags") == ["send"]


def test_without_background_sync_nothing_breaks(waiting):
    waiting.evaluate(
        """() => navigator.serviceWorker.ready.then((it) => {
          Object.defineProperty(it, "sync", { value: undefined });
        })"""
    )
    waiting.evaluate(HIDE)
    waiting.wait_for_timeout(300)
