"""An import shows every answer that it takes, and refuses what no page could show."""

import json

import pytest
from playwright.sync_api import expect

from service.schemas import ANALYSIS
from tools.browser import open_client

pytestmark = pytest.mark.slow

GENRES = [{"genre": "jazz", "probability": 0.9}]
SMALLEST = {"verdict": "confident", "genre": "jazz", "genres": GENRES}


def entry(answer, **members):
    return {"id": "an-id", "created": "2026-11-01T10:00:00.000Z", "answer": answer} | members


def take(page, entries, says):
    """Import, as a person does; the input is there once there is a recording."""
    page.evaluate(
        """async (answer) => {
          const { read } = await import("./js/export.js");
          const store = await import("./js/store.js");
          const text = JSON.stringify([{ id: "first", created: "2026-11-01", answer }]);
          for (const clip of await read(new Blob([text]))) await store.restore(clip);
        }""",
        ANALYSIS,
    )
    page.goto("/?history")
    expect(page.locator(".clips li")).to_have_count(1)
    data = json.dumps(entries).encode()
    file = {"name": "fifteen.json", "mimeType": "application/json", "buffer": data}
    page.set_input_files("#history input[type=file]", file)
    expect(page.locator("#toast")).to_contain_text(says)


@pytest.mark.parametrize(
    "answer",
    [
        {"genres": GENRES},
        SMALLEST | {"genre": 5},
        SMALLEST | {"genres": []},
        SMALLEST | {"genres": [{"genre": "jazz"}]},
        SMALLEST | {"verdict": "mixed", "genres": [*GENRES, {"probability": 0.1}]},
        SMALLEST | {"timeline": [None]},
        SMALLEST | {"timeline": {}},
        SMALLEST | {"warnings": "none"},
        SMALLEST | {"loudness": {"integrated_lufs": -14}, "tempo": {"bpm": 120}},
        SMALLEST | {"loudness": {"integrated_lufs": -14}, "key": {"tonic": "C"}},
        "jazz",
    ],
)
def test_an_answer_that_no_page_can_show_is_refused(page, answer):
    take(page, [entry(answer)], "not an export")
    open_client(page)
    page.click("nav a")
    expect(page.locator(".clips li")).to_have_count(1)


@pytest.mark.parametrize("name", ["a&b=c#d?", "50%", "ключ", 5])
def test_a_recording_of_any_id_opens(page, name):
    take(page, [entry(SMALLEST, id=name, name="imported")], "history: 1")
    page.get_by_role("link", name="imported").click()
    expect(page.locator("#clip h1")).to_have_text("jazz")
    expect(page.locator("#clip .keeping .note")).to_contain_text("imported")
    page.reload()
    expect(page.locator("#clip h1")).to_have_text("jazz")
