"""``python -m tools.pictures``: update the pictures of the client, in the README and its manifest.

``--install`` takes those of the manifest alone, which browsers show when they offer to install it.
"""

import argparse
import base64
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from service import audio
from service.web.routes.frontend import FOLDER
from tools import signals
from tools.browser import (
    CLIP,
    FAKE_DEVICE,
    GRANTED,
    HEADLESS,
    PERSON,
    expect_answer,
    open_client,
)
from tools.server import ROOT, serving

DOCS = ROOT / "docs"
SCREENSHOTS = FOLDER / "screenshots"
SCHEMES = ("light", "dark")
DESKTOP = {"width": 1280, "height": 800}
GAP = 12  # pixels between the screens of a phone
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include>/etc/fonts/fonts.conf</include>
<match target="pattern">
<edit name="family" mode="prepend" binding="strong"><string>Roboto</string></edit>
</match>
</fontconfig>
"""
"""A system whose font is that of most phones."""
LEFT = "9"  # seconds left in the README's picture of the listening page
LEFT_AT_INSTALL = "12"  # in the manifest's: the shorter the recording, the smaller the picture
INSTALL = {
    "narrow": {"viewport": {"width": 320, "height": 512}},
    "wide": {"viewport": {"width": 1024, "height": 640}, "device_scale_factor": 0.5},
}
"""The manifest's screenshots, by their form factor: small, as they count in the client's size."""
ENCODE = """async ([png, quality]) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", quality).split(",")[1];
}"""
QUALITY = 0.04  # of WebP; the words stay sharp


def main():
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", help="those of the manifest alone")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        serving() as server,
        _browser(Path(name)) as browser,
    ):
        _take_install(browser, server.url)
        if not arguments.install:
            _take_readme(browser, server.url, Path(name))
    return 0


def _take_install(browser, url):
    """Take the screenshots of the manifest: the client listens."""
    for form, person in INSTALL.items():
        with _visiting(browser, url, **person) as page:
            page.click("#listen")
            expect(page.locator("#listen-count")).to_have_text(LEFT_AT_INSTALL)
            picture = base64.b64encode(page.screenshot()).decode()
        encoder = browser.new_page()
        encoded = encoder.evaluate(ENCODE, [picture, QUALITY])
        encoder.close()
        (SCREENSHOTS / f"{form}.webp").write_bytes(base64.b64decode(encoded))


def size_of(form):
    """Return the width and the height of a screenshot of the manifest, in pixels."""
    scale = INSTALL[form].get("device_scale_factor", 1)
    return tuple(round(scale * side) for side in INSTALL[form]["viewport"].values())


def _take_readme(browser, url, folder):
    """Take the pictures of the README, in both themes."""
    before = [folder / f"{each}.wav" for each in ("groove", "silence")]
    for scheme in SCHEMES:
        with _visiting(browser, url, color_scheme=scheme) as page:
            screens = list(_screens(page, before))
        (DOCS / f"client-phone-{scheme}.png").write_bytes(_beside(browser, screens, scheme))
        with _visiting(browser, url, color_scheme=scheme, viewport=DESKTOP) as page:
            page.set_input_files("#files", CLIP)
            expect_answer(page)
            page.screenshot(path=DOCS / f"client-desktop-{scheme}.png", animations="disabled")


@contextmanager
def _browser(folder):
    """Start a browser whose microphone plays the clip in the folder."""
    for name, waveform in _sounds().items():
        (folder / f"{name}.wav").write_bytes(signals.wav(waveform, audio.SAMPLE_RATE))
    (folder / "fonts.conf").write_text(FONTS)
    microphone = f"--use-file-for-fake-audio-capture={folder / 'recording.wav'}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[*HEADLESS, FAKE_DEVICE, GRANTED, microphone],
            env=os.environ | {"FONTCONFIG_FILE": str(folder / "fonts.conf")},
        )
        yield browser
        browser.close()


def _sounds():
    """Return the recording and earlier ones; float32 waveforms by name."""
    return {
        "recording": audio.decode(CLIP.read_bytes()).waveform,
        "groove": signals.groove(15, audio.SAMPLE_RATE),
        "silence": 0 * signals.sine(4),
    }


@contextmanager
def _visiting(browser, url, **person):
    """Open the client in a new profile."""
    context = browser.new_context(base_url=url, **PERSON | person)
    page = context.new_page()
    open_client(page)
    yield page
    context.close()


def _screens(page, before):
    """Take screenshots of a phone that listens, answers and shows its history."""
    for file in before:
        page.set_input_files("#files", file)
        page.wait_for_selector("#clip h1")
        page.wait_for_load_state("networkidle")
    page.goto("/")
    open_client(page)
    page.click("#listen")
    expect(page.locator("#listen-count")).to_have_text(LEFT)
    yield page.screenshot()
    expect_answer(page)
    yield page.screenshot(animations="disabled")
    page.click("nav a")
    expect(page.locator(".clips li")).to_have_count(1 + len(before))
    yield page.screenshot(animations="disabled")


def _beside(browser, screens, scheme):
    """Put pictures beside one another; return a PNG."""
    images = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(screen).decode()}">'
        for screen in screens
    )
    ground = {"light": "#d8cab6", "dark": "#3a322a"}[scheme]
    page = browser.new_page()
    page.set_content(
        f'<body style="margin:0;background:{ground}">'
        f'<main style="display:inline-flex;gap:{GAP}px">{images}</main>'
    )
    picture = page.locator("main").screenshot()
    page.close()
    return picture


if __name__ == "__main__":
    sys.exit(main())
