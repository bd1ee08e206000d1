"""The device stores recordings, answers and the client itself, and works without a network."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import expect

from tools.browser import expect_answer, expect_heard, ready, record

pytestmark = pytest.mark.slow


@pytest.fixture
def installed(visit):
    """The page, once its service worker is there."""
    with visit(service_workers="allow") as page:
        page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
        yield page


@pytest.fixture
def offline(installed):
    """The page as the service worker serves it."""
    installed.reload()
    ready(installed)
    assert installed.evaluate("navigator.serviceWorker.controller !== null")
    return installed


def send(page, path):
    page.set_input_files("#files", path)
    expect_answer(page)


def rows(page):
    page.click("nav a")
    return page.locator(".clips li")


class TestHistory:
    def test_it_survives_a_reload(self, page, sounds):
        send(page, sounds["m4a"])
        page.goto("/")
        ready(page)
        expect(rows(page)).to_have_count(1)
        page.click(".clips a")
        expect_answer(page)
        player = page.locator("audio")
        player.evaluate("(audio) => audio.play().then(() => audio.pause())")
        assert player.evaluate("(audio) => Math.round(audio.duration)") == 15

    def test_a_deleted_clip_is_gone(self, page, sounds):
        for name in ("m4a", "clip"):
            send(page, sounds[name])
        page.get_by_role("button", name="Delete").click()
        expect(page.locator(".clips li")).to_have_count(1)
        # an event, not a pointer: a fast pointer may click between two drawings of the list
        page.get_by_role("button", name="Delete: clip.m4a").dispatch_event("click")
        expect(page.locator("#history")).to_contain_text("will be listed here")
        page.reload()
        ready(page)
        expect(page.locator("#history")).to_contain_text("will be listed here")

    def test_the_history_can_be_exported(self, page, sounds):
        send(page, sounds["m4a"])
        page.set_input_files("#files", {**named('=1+1, "x".wav'), "buffer": b"no sound"})
        expect(page.locator("#clip h1")).to_have_text("No answer")
        rows(page)
        texts = {}
        for kind in ("JSON", "CSV"):
            with page.expect_download() as download:
                page.get_by_role("button", name=f"Export as {kind}").click()
            texts[kind] = download.value.path().read_bytes().decode()
        refused, answered = json.loads(texts["JSON"])
        assert answered["answer"]["genre"] == "house"
        assert refused["problem"]["type"].endswith(":not-audio")
        bad, good = csv.DictReader(io.StringIO(texts["CSV"], newline=""))
        assert (good["name"], good["genre"], good["problem"]) == ("clip.m4a", "house", "")
        house = answered["answer"]["genres"][0]
        assert (house["genre"], house["probability"]) == ("house", float(good["house"]))
        assert float(good["energy"]) == answered["answer"]["energy"]
        assert bad["name"] == '\'=1+1, "x".wav'  # no formula
        assert bad["problem"] == refused["problem"]["type"]

    def test_a_browser_without_storage(self, page, sounds):
        page.add_init_script("indexedDB.open = () => { throw new Error('not here'); }")
        page.reload()
        expect(page.get_by_role("status")).to_contain_text("keeps no history")
        send(page, sounds["m4a"])
        expect(rows(page)).to_have_count(1)


class TestOffline:
    def test_a_recording_without_network_is_sent_later(self, offline):
        offline.context.set_offline(True)
        record(offline)
        expect(offline.locator("#clip h1")).to_have_text("Kept for later")
        expect(offline.locator("#clip")).to_contain_text("sent when it can be")
        offline.reload()  # opens the client again, still without a network
        ready(offline)
        expect(offline.locator("#clip h1")).to_have_text("Kept for later")
        offline.context.set_offline(False)
        expect_heard(offline)

    def test_the_cache_has_the_client_and_no_answer(self, offline, sounds, server):
        send(offline, sounds["m4a"])
        addresses = offline.evaluate(
            """async () => {
              const names = await caches.keys();
              const caches_ = await Promise.all(names.map((name) => caches.open(name)));
              const stored = await Promise.all(caches_.map((cache) => cache.keys()));
              return stored.flat().map((request) => request.url);
            }"""
        )
        assert f"{server}/" in addresses
        assert f"{server}/js/main.js" in addresses
        assert not [address for address in addresses if "/v1/" in address]

    def test_a_new_version_deletes_the_old_cache(self, installed):
        names = installed.evaluate(
            """async () => {
              await (await navigator.serviceWorker.ready).unregister();
              await caches.open("shell-before");
              const { installing } = await navigator.serviceWorker.register("service-worker.js");
              await new Promise((resolve) => {
                installing.onstatechange = () => installing.state === "activated" && resolve();
              });
              return caches.keys();
            }"""
        )
        assert len(names) == 1
        assert re.fullmatch("shell-[0-9a-f]{12}", names[0])

    def test_another_app_can_share_a_file(self, offline, sounds):
        landed = offline.evaluate(
            """async (data) => {
              const form = new FormData();
              const type = "audio/mp4";
              form.append("file", new File([new Uint8Array(data)], "κλιπ.m4a", { type }));
              return (await fetch("share", { method: "POST", body: form })).url;
            }""",
            list(sounds["m4a"].read_bytes()),
        )
        offline.goto(landed)
        expect_answer(offline)
        expect(offline.locator(".keeping")).to_contain_text("κλιπ.m4a")
        offline.goto("/")
        ready(offline)
        expect(rows(offline)).to_have_count(1)  # taken once


def named(name):
    return {"name": name, "mimeType": "audio/wav"}
