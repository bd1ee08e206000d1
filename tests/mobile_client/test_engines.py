"""The client in the engines of Firefox and Safari, where Debian packages of them are installed."""

import base64
import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest
from websockets.sync.client import connect

from service.analysis import analyze
from tests.mobile_client.test_device import assert_same
from tools.browser import CLIP
from tools.server import free_port

pytestmark = pytest.mark.slow

PATIENCE = 40
MINI_BROWSERS = "/usr/lib/*/webkit2gtk-4.1/MiniBrowser"
PREFERENCES = {
    "media.navigator.streams.fake": True,  # the microphone is a tone
    "media.navigator.permission.disabled": True,
    "services.settings.server": "data:,none",
    "datareporting.policy.dataSubmissionEnabled": False,
}

READY = "document.documentElement.dataset.ready !== undefined"
ANSWERED = "document.getElementById('clip').dataset.state === 'answered'"
PICTURE = """(Promise.all([import("./js/spectrogram.js"), import("./js/sample.js")]).then(
    async ([{ ofFile }, { sample }]) => (window.picture = await ofFile(sample())),
), true)"""
PICTURED = "Boolean(window.picture && new Set(window.picture.levels).size > 100)"
ON_THE_DEVICE = """(import("/device/answer.js").then(async ({ analyze }) => {
    const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
    window.answer = JSON.stringify(await analyze(new Blob([bytes]), true));
}), true)"""
POSTS = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('analyze'))"


def _until(condition, what):
    """Wait until there is something; return it."""
    ends = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < ends, f"waited in vain for {what}"
        time.sleep(0.1)
    return found


@contextmanager
def _running(command, **options):
    """A program that is stopped at the end."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


class Page:
    """A page of an engine, which knows how to `evaluate` and to `choose` a file."""

    def wait_for(self, condition):
        _until(lambda: self.evaluate(condition) is True, condition)


class Firefox(Page):
    """A page over WebDriver BiDi.

    Parameters
    ----------
    socket : websockets.sync.client.ClientConnection
    """

    def __init__(self, socket):
        self._socket, self._count = socket, 0
        self._call("session.new", capabilities={})
        self._context = self._call("browsingContext.getTree")["contexts"][0]["context"]

    def _call(self, method, **parameters):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE))
            if answer.get("id") == self._count:
                assert answer["type"] == "success", answer
                return answer["result"]

    def _found(self, expression):
        target = {"context": self._context}
        found = self._call(
            "script.evaluate", expression=expression, target=target, awaitPromise=True
        )
        assert found["type"] == "success", found
        return found["result"]

    def open(self, address):
        self._call("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def evaluate(self, expression):
        return self._found(expression).get("value")

    def choose(self, selector, path):
        node = {"sharedId": self._found(f"document.querySelector('{selector}')")["sharedId"]}
        self._call("input.setFiles", context=self._context, element=node, files=[str(path)])


class WebKit(Page):
    """A page over WebDriver.

    Parameters
    ----------
    client : httpx.Client
    program : str
        The browser.
    """

    def __init__(self, client, program):
        self._client = client
        options = {"binary": program, "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        self._session = f"/session/{self._call('POST', '/session', wanted)['sessionId']}"

    def _call(self, method, path, body=None):
        answer = self._client.request(method, path, json=body or {})
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def open(self, address):
        self._call("POST", f"{self._session}/url", {"url": address})

    def evaluate(self, expression):
        body = {"script": f"return {expression}", "args": []}
        return self._call("POST", f"{self._session}/execute/sync", body)

    def choose(self, selector, path):
        query = {"using": "css selector", "value": selector}
        (element,) = self._call("POST", f"{self._session}/element", query).values()
        self._call("POST", f"{self._session}/element/{element}/value", {"text": str(path)})

    def close(self):
        self._call("DELETE", self._session)


@contextmanager
def firefox(folder):
    program = shutil.which("firefox-esr")
    if not program:
        pytest.skip("firefox-esr is not installed: the client was not tried in Firefox")
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))
    command = [program, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port"]
    log = folder / "log"
    with log.open("w") as stderr, _running([*command, "0"], stderr=stderr):
        listening = re.compile(r"WebDriver BiDi listening on (\S+)")
        address = _until(lambda: listening.search(log.read_text()), "Firefox")[1]
        with connect(f"{address}/session", max_size=None) as socket:
            yield Firefox(socket)


@contextmanager
def webkit(folder):
    programs = [str(path) for path in Path("/").glob(MINI_BROWSERS[1:])]
    if not programs or not shutil.which("WebKitWebDriver") or not shutil.which("Xvfb"):
        pytest.skip("webkit2gtk-driver or xvfb is not installed: not tried in WebKit")
    port, display = free_port(), folder / "display"
    with display.open("w") as out, _running(["Xvfb", "-displayfd", "1"], stdout=out):
        number = _until(lambda: display.read_text().strip(), "Xvfb")
        environment = {
            "DISPLAY": f":{number}",
            "HOME": str(folder),
            "PATH": "/usr/bin:/bin",
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # there is no user namespace as root
        }
        command = ["WebKitWebDriver", f"--port={port}"]
        with (
            _running(command, env=environment),
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
        ):
            _until(lambda: _answers(client), "WebKitWebDriver")
            page = WebKit(client, programs[0])
            yield page
            page.close()


def _answers(client):
    try:
        return client.get("/status").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("engine", [firefox, webkit])
def test_a_file_gets_its_answer(engine, server, tmp_path):
    with engine(tmp_path) as page:
        page.open(server)
        page.wait_for(READY)
        page.choose("#files", CLIP)
        page.wait_for(ANSWERED)
        assert page.evaluate("document.querySelectorAll('.bars li').length") == 9
        assert page.evaluate("document.querySelector('.medallion canvas').width") > 100


@pytest.mark.parametrize("engine", [firefox, webkit])
def test_a_file_gets_its_picture(engine, server, tmp_path):
    with engine(tmp_path) as page:
        page.open(server)
        page.wait_for(READY)
        page.evaluate(PICTURE)
        page.wait_for(PICTURED)
        assert page.evaluate("window.picture.peak > 0.05 && window.picture.peak <= 1")


@pytest.mark.parametrize("engine", [firefox, webkit])
def test_it_answers_on_the_device(engine, installed, sounds, model, tmp_path):
    data = sounds["clip"].read_bytes()
    with engine(tmp_path) as page:
        page.open(installed.url)
        page.wait_for(READY)
        page.evaluate(ON_THE_DEVICE % base64.b64encode(data).decode())
        page.wait_for("Boolean(window.answer)")
        found = json.loads(page.evaluate("window.answer"))
    assert_same(found, analyze(data, model, timeline=True))


def test_firefox_sends_a_recording_while_it_grows(server, tmp_path):
    with firefox(tmp_path) as page:
        page.open(server)
        page.wait_for(READY)
        page.evaluate("document.getElementById('listen').click()")
        page.wait_for("document.getElementById('so-far').textContent !== ''")
        page.evaluate("document.getElementById('listen').click()")
        page.wait_for(ANSWERED)
        assert page.evaluate(f"{POSTS}.length") == 0
