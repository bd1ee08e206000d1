"""The README and the reference pages: their examples run, their tables and figures are complete."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from service import audio
from service.library.analyze import CHANGED, CRASHED, FAILED, UNREADABLE, UNTAGGED
from service.messages import ANSWERED, SENT
from service.schemas import ANALYSIS, Analysis, Warned
from service.settings import Settings
from service.verdict import VERDICTS
from service.web import errors, uploads
from tools import messages
from tools.example import shortened
from tools.figures import BLOCK, figures
from tools.openapi import FILE as OPENAPI

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "API.md").read_text()
SETTINGS = (ROOT / "docs" / "SETTINGS.md").read_text()
LIVE = (ROOT / "docs" / "LIVE.md").read_text()
LIBRARY = (ROOT / "docs" / "LIBRARY.md").read_text()
PAGES = [
    path
    for folder in ("", "docs", "docs/start", "mobile_client", "service/models")
    for path in sorted((ROOT / folder).glob("*.md"))
]
LOCAL = "http://127.0.0.1:8000"
MOST_WORDS = 900


def first_column(page: str, heading: str) -> list[str]:
    """Return the first cells of the table whose first column has a heading, without back-quotes."""
    (table,) = re.findall(rf"^\| {heading} \|.*\n\| ---.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [row.split(" | ")[0].strip("| ") for row in table.splitlines()]


def codes(page: str, heading: str) -> list[str]:
    """Return the back-quoted names in that column, in order."""
    return [name for cell in first_column(page, heading) for name in re.findall("`(.+?)`", cell)]


def command(page: str, beginning: str) -> list[str]:
    """Return the first command of a page with a beginning, split into words."""
    return re.search(rf"^{beginning} .*$", page, re.MULTILINE)[0].split()


def json_example(page: str) -> dict:
    return json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])


def test_the_readme_has_fewer_than_900_words():
    """Words of prose, lists and tables; code blocks, comments and HTML tags do not count."""
    prose = re.sub(r"```.*?```|<!--.*?-->|<[^>]+>", " ", README, flags=re.DOTALL)
    words = [word for word in prose.split() if re.search(r"\w", word)]
    assert 300 < len(words) < MOST_WORDS


def test_the_readme_shows_the_figures_of_the_shipped_model():
    assert BLOCK.findall(README) == [figures()]


def test_the_example_answers_as_printed(server):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed: the README's example was not run")
    curl = command(README, "curl -F")
    assert curl[-1] == f"{LOCAL}/v1/analyze"
    curl[-1] = f"{server}/v1/analyze"
    output = subprocess.run(
        [*curl, "--silent"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    printed = json_example(API)
    assert printed == ANALYSIS
    assert json_example(README) == shortened(ANALYSIS)
    answer = json.loads(output)
    assert list(answer) == list(printed)
    for member in ("verdict", "reason", "genre", "audio", "model"):
        assert answer[member] == printed[member]
    for member in ("music", "known", "valence", "energy", "danceability"):
        assert answer[member] == pytest.approx(printed[member], abs=1e-3)
    for ours, theirs in zip(answer["genres"], printed["genres"], strict=True):
        assert ours["genre"] == theirs["genre"]
        assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-3)


@pytest.mark.parametrize("beginning", ["curl -F", "curl --data-binary"])
def test_the_examples_of_requests_run(server, clips, tmp_path, beginning):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed: the examples of requests were not run")
    for name in ("m4a", "webm"):
        (tmp_path / f"clip.{name}").write_bytes(clips[name])
    line = re.search(rf"^{beginning} .*$", API, re.MULTILINE)[0].replace(LOCAL, server)
    output = subprocess.run(
        [*shlex.split(line), "--silent"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert json.loads(output)["verdict"] in VERDICTS


def test_the_python_example_runs(server):
    code = re.search(r"```python\n(.*?)```", API, re.DOTALL)[1]
    assert LOCAL in code
    python = [sys.executable, "-c", code.replace(LOCAL, server)]
    output = subprocess.run(python, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert output == f"{ANALYSIS['reason']}\n"


def test_the_example_of_a_live_client_runs(server):
    code = re.search(r"```python\n(.*?)```", LIVE, re.DOTALL)[1]
    address = LOCAL.replace("http", "ws")
    assert address in code
    python = [sys.executable, "-c", code.replace(address, server.replace("http", "ws"))]
    output = subprocess.run(python, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert re.fullmatch(r"ready\n(running\n)*final\n", output)
    of_no_recording = [*python[:2], python[2].replace("tests/clip.m4a", "README.md")]
    output = subprocess.run(of_no_recording, cwd=ROOT, capture_output=True, check=True, text=True)
    assert output.stdout == "ready\nproblem\n"


def test_every_message_on_the_page_is_one_of_the_protocol():
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", LIVE, re.DOTALL)]
    assert len(blocks) == 4
    for block in blocks:
        is_sent = block["message"] in ("start", "end")
        message = (SENT if is_sent else ANSWERED).validate_python(block)
        assert block.keys() <= type(message).model_fields.keys()


@pytest.mark.parametrize("side", ["sent", "answered"])
def test_every_member_of_a_message_is_in_its_table(side):
    (table,) = re.findall(rf"^\| {side} \|.*\n\| ---.*\n((?:\|.*\n)+)", LIVE, re.MULTILINE)
    listed, name = {}, None
    for row in table.splitlines():
        first, second, _ = row.strip("|").split("|", 2)
        name = first.strip(" `") or name
        listed.setdefault(name, set()).update(re.findall("`(.+?)`", second))
    fields = {
        get_args(kind.model_fields["message"].annotation)[0]: kind.model_fields.keys() - {"message"}
        for kind in (messages.SENT if side == "sent" else messages.ANSWERED)
    }
    assert listed == fields


@pytest.mark.slow
def test_the_library_example_writes_the_documented_columns(tmp_path, clips):
    (tmp_path / "clip.mp3").write_bytes(clips["mp3"])
    printed = command(LIBRARY, r"\S+ -m service analyze")
    assert command(README, r"\S+ -m service analyze") == printed
    _, *options, folder, output, table = printed
    assert folder == "~/Music"
    python = [sys.executable, *options, str(tmp_path), output, str(tmp_path / table)]
    subprocess.run(python, cwd=ROOT, check=True)
    (row,) = csv.DictReader((tmp_path / table).read_text().splitlines())
    assert row["path"] == str(tmp_path / "clip.mp3")
    assert row["verdict"] in VERDICTS
    patterns = [re.sub("NAME", r"[\\w-]+", name) for name in codes(LIBRARY, "column")]
    undescribed = [name for name in row if not any(re.fullmatch(each, name) for each in patterns)]
    assert not undescribed


def test_every_problem_type_is_in_the_table_with_its_status():
    kinds = {*errors.KINDS.values(), *errors.HTTP_KINDS.values()}
    rows = re.findall(r"^\| `([\w-]+)` \| (\d{3}) \|", API, re.MULTILINE)
    assert set(rows) == {(kind.slug, str(kind.status)) for kind in kinds}


def test_every_problem_of_a_file_is_in_the_table():
    slugs = {CHANGED, CRASHED, FAILED, UNREADABLE, UNTAGGED}
    assert set(codes(LIBRARY, "problem")) == slugs


def test_every_verdict_is_in_the_table():
    assert codes(API, "verdict") == list(VERDICTS)


def test_every_warning_is_in_the_table():
    assert codes(API, "warning") == list(get_args(Warned.model_fields["type"].annotation))


def test_every_member_of_an_answer_is_in_the_table():
    assert set(codes(API, "member")) == set(Analysis.model_fields)


def test_every_container_and_media_type_is_in_its_table():
    assert set(codes(API, "container")) == set(audio.FORMATS.values())
    assert set(codes(API, "media type")) == set(uploads.MEDIA_TYPES)


def test_every_address_is_in_the_table():
    document = json.loads(OPENAPI.read_text())
    routes = [
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    ]
    listed = [name for name in codes(API, "address") if re.match("[A-Z]+ /", name)]
    assert set(listed) == set(routes)


def test_every_setting_is_in_the_table():
    names = [f"FIFTEEN_{name.upper()}" for name in Settings.model_fields]
    assert codes(SETTINGS, "variable") == names


def test_the_commands_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for path in PAGES:
        text = path.read_text()
        blocks = "".join(re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL))
        commands = re.findall(r"^make ([\w-]+)", blocks, re.MULTILINE)
        assert {*commands, *re.findall(r"`make ([\w-]+)", text)} <= set(targets), path


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().replace(" ", "-").lower() for each in headings}


def test_the_targets_of_links_between_pages_exist():
    for path in PAGES:
        for link, anchor in re.findall(r"\]\(([^)#\s]+)#?([^)\s]*)\)", path.read_text()):
            if "://" not in link:
                assert (path.parent / link).exists(), f"{path.name}: {link}"
                assert not anchor or anchor in anchors(path.parent / link), f"{path.name}: {anchor}"


def test_every_path_that_contributing_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:service|training|tools|tests|mobile_client)/[\w./]*)`", text)
    assert len(paths) > 40
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_every_package_is_on_the_map_of_contributing():
    rooms = codes((ROOT / "CONTRIBUTING.md").read_text(), "room")
    packages = [
        path.parent.relative_to(ROOT)
        for room in ("service", "training")
        for path in (ROOT / room).glob("*/__init__.py")
    ]
    assert {f"{package}/" for package in packages} <= set(rooms)
