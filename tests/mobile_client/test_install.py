"""The browser's offer to install the app can be taken once."""

import json

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

OFFER = """() => {
  globalThis.prompts = 0;
  const offer = new Event("beforeinstallprompt", { cancelable: true });
  offer.prompt = () => { prompts += 1; };
  dispatchEvent(offer);
  globalThis.ours = offer.defaultPrevented;
}"""


def test_chromium_finds_no_fault_with_the_manifest(visit, server):
    """With its worker, and with the screenshots that it shows when it offers to install."""
    with visit(service_workers="allow") as page:
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        chromium = page.context.new_cdp_session(page)
        found = chromium.send("Page.getAppManifest")
        assert found["errors"] == []
        shots = json.loads(found["data"])["screenshots"]
        read = [
            (shot["image"]["sizes"], shot["formFactor"])
            for shot in found["manifest"]["screenshots"]
        ]
        assert read == [(shot["sizes"], f"k{shot['form_factor'].title()}") for shot in shots]
        faults = chromium.send("Page.getInstallabilityErrors")["installabilityErrors"]
        assert [fault["errorId"] for fault in faults] in ([], ["in-incognito"])  # as all tests are
        for shot in shots:
            response = page.request.get(f"/{shot['src']}")
            assert response.headers["content-type"] == "image/webp"
        kept = page.evaluate(
            "async () => (await (await caches.open((await caches.keys())[0])).keys())"
            ".map(({ url }) => url)"
        )
        assert kept
        assert not [url for url in kept if "screenshots" in url]


def test_the_offer_is_taken_once(page):
    page.evaluate(OFFER)
    assert page.evaluate("ours")
    page.click("footer a[href='?about']")
    install = page.locator("#about").get_by_role("button", name="Install as an app")
    install.dblclick()
    expect(install).to_have_count(0)
    assert page.evaluate("prompts") == 1
    page.click(".brand")
    page.click("footer a[href='?about']")
    expect(install).to_have_count(0)
