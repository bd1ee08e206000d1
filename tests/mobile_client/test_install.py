"""The browser's offer to install the app can be taken once."""

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
