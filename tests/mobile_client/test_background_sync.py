"""Background Sync: what waits is sent once there is a network, also where no page is open."""

import pytest
from playwright.sync_api import expect

from tests.mobile_client.conftest import POSTS
from tools.browser import expect_heard, ready, record

pytestmark = pytest.mark.slow


@pytest.fixture
def scripts(scripts):
    """No live connection, because `page.route` does not reach it."""
    return [*scripts, POSTS]


HIDE = """() => {
  Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def waiting(visit, server):
    """A page without a network, with a clip that waits, and the scope's registration."""
    with visit(service_workers="allow") as page:
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
        page.registration = next(each for each in registrations if not each["isDeleted"])
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


STATES = """() => new Promise((resolve) => {
  indexedDB.open("fifteen").onsuccess = ({ target }) => {
    const all = target.result.transaction("clips").objectStore("clips").getAll();
    all.onsuccess = () => resolve(all.result.map(({ state }) => state));
  };
})"""


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
