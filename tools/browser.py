"""Drives the client in a browser: its start options, and the steps of a person who uses it."""

from playwright.sync_api import expect

from tools.server import ROOT

CLIP = ROOT / "tests" / "clip.m4a"
HEADLESS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
FAKE_DEVICE = "--use-fake-device-for-media-stream"
GRANTED = "--use-fake-ui-for-media-stream"
PERSON = {
    "locale": "en-GB",
    "viewport": {"width": 360, "height": 780},
    "reduced_motion": "reduce",
    "service_workers": "block",  # with a worker, each test would load all files twice
}

expect.set_options(timeout=20_000)  # the machine may be busy


def open_client(page):
    """Load the page and wait until it works."""
    page.goto("/")
    ready(page)


def ready(page):
    """Wait until the page works."""
    page.wait_for_selector("html[data-ready]", state="attached")


def record(page, seconds=3):
    """Press the button, and stop after some seconds; with 15 it stops by itself."""
    page.click("#listen")
    caption = page.locator("#listen-caption")
    expect(caption).to_have_text("Stop")
    if seconds < 15:
        page.click("#listen")


def expect_answer(page, name="house"):
    """Wait for the answer to the clip."""
    expect(page.locator("#clip h1")).to_have_text(name)


def expect_heard(page):
    """Wait for the answer to a recording; its words depend on the moment in which it began."""
    expect(page.locator("#clip")).to_have_attribute("data-state", "answered")
