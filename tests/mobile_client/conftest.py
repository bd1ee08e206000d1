"""Fixtures that open the client in headless Chromium, whose microphone plays a clip."""

import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from service import audio
from service.settings import Settings
from tools import device, signals
from tools.browser import CLIP, FAKE_DEVICE, GRANTED, HEADLESS, PERSON, open_client
from tools.server import Server

SPY = """
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
globalThis.requests = [];
navigator.mediaDevices.getUserMedia = async (constraints) => {
  const stream = await ask(constraints);
  requests.push({ constraints, tracks: stream.getTracks() });
  return stream;
};
"""
"""Records the page's microphone requests and their tracks."""

POSTS = """
const Real = WebSocket;
globalThis.WebSocket = class extends Real {
  constructor(url) { super(String(url).replace("v1/live", "v1/none")); }
};
"""
"""The service has no live connections."""

STATES = """() => new Promise((resolve) => {
  indexedDB.open("fifteen").onsuccess = ({ target }) => {
    const all = target.result.transaction("clips").objectStore("clips").getAll();
    all.onsuccess = () => resolve(all.result.map(({ state }) => state));
  };
})"""
"""The states of the clips that are on the disk."""


@pytest.fixture(scope="package")
def sounds(tmp_path_factory):
    """Recordings in files, by name."""
    folder = tmp_path_factory.mktemp("sounds")
    clip = audio.decode(CLIP.read_bytes()).waveform
    rate = audio.SAMPLE_RATE
    waveforms = {
        "clip": clip,
        "long": signals.groove(50, rate),
        "short": signals.sine(1),
        "silence": 0 * signals.sine(4),
        "late": np.concatenate([np.zeros(15 * rate, np.float32), signals.groove(30, rate)]),
    }
    paths = {"m4a": CLIP}
    for name, waveform in waveforms.items():
        paths[name] = folder / f"{name}.wav"
        paths[name].write_bytes(signals.wav(waveform, rate))
    paths["text"] = folder / "text.mp3"
    paths["text"].write_text("This is no sound.")
    return paths


@pytest.fixture(scope="session")
def runtime():
    """The package of ONNX Runtime Web."""
    try:
        return device.fetch()
    except device.PackageError as error:
        pytest.skip(f"nothing answered on the device: {error}")


@pytest.fixture(scope="package")
def device_folder(runtime, tmp_path_factory):
    """The folder of `make device`."""
    folder = tmp_path_factory.mktemp("device") / "device"
    device.build(folder, runtime, Settings())
    return folder


@pytest.fixture(scope="package")
def installed(device_folder):
    """A service where the operator ran `make device`."""
    service = Server("--device", str(device_folder))
    service.wait_until_ready()
    yield service
    service.stop()


@pytest.fixture(scope="package")
def launch():
    """Start a browser with some flags; every browser stops after the package's tests."""
    path = shutil.which("chromium")
    if not path:
        pytest.skip("chromium is not installed: the client was not tried in a browser")
    with sync_playwright() as playwright:
        started = []

        def start(*flags):
            started.append(
                playwright.chromium.launch(executable_path=path, args=[*HEADLESS, *flags])
            )
            return started[-1]

        yield start
        for browser in started:
            browser.close()


@pytest.fixture(scope="package")
def browser(launch, sounds):
    """A browser whose microphone plays the clip."""
    return launch(FAKE_DEVICE, GRANTED, f"--use-file-for-fake-audio-capture={sounds['clip']}")


@pytest.fixture
def scripts():
    """What runs before the page's own; a module with its own fixture adds to it."""
    return [SPY]


@pytest.fixture
def visit(server, browser, scripts):
    """Open the client in a new profile and yield its ready page. A page error fails the test."""

    @contextmanager
    def visiting(browser=browser, **person):
        context = browser.new_context(**{"base_url": server} | PERSON | person)
        for script in scripts:
            context.add_init_script(script)
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: _note(message, errors))
        open_client(page)
        yield page
        context.close()
        assert errors == []

    return visiting


@pytest.fixture
def page(visit):
    """The client's page on a phone."""
    with visit() as page:
        yield page


def _note(message, errors):
    """Record an error of the page; Chromium itself logs every refusal and lost network."""
    expected = (
        "Failed to load resource",
        "WebSocket connection to",
        "Service Worker registration blocked by Playwright",
    )
    if message.type in ("error", "warning") and not message.text.startswith(expected):
        errors.append(message.text)
