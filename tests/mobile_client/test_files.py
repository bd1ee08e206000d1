"""The client's files are small and of this origin, and the derived parts are current."""

import json
import re

import av
import pytest

from service.web.routes.frontend import FOLDER, PAGE
from tools import client_files, device, pictures

FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
TEXTS = [path for path in FILES if path.suffix not in (".png", ".webp")]
MESSAGES = sorted((FOLDER / "messages").glob("*.txt"))
ENTRY = re.compile(r"(\t?)([\w.-]+):(?: (\S.*))?")


def page_texts():
    """The English texts that are in the page itself, by key."""
    return dict(re.findall(r'data-text="([\w.-]+)"[^>]*>([^<]*)<', (FOLDER / PAGE).read_text()))


def messages(path):
    """The texts of one language, by key; some of those in English are in the page."""
    texts, group = page_texts() if path.stem == "en" else {}, ""
    for line in path.read_text().splitlines():
        indent, key, text = ENTRY.fullmatch(line).groups()
        if not indent:
            group = key
        if text:
            texts[f"{group}.{key}" if indent else key] = text
    return texts


def test_the_files_are_small():
    """Those that every visitor loads; the parts that answer on the device are a person's choice."""
    assert sum(path.stat().st_size for path in FILES) < 220_000
    assert (FOLDER / PAGE).stat().st_size < 14_600  # ten segments of TCP: one round trip


@pytest.mark.parametrize("path", client_files.DERIVED, ids=lambda path: path.name)
def test_derived_files_are_current(path):
    derive = client_files.DERIVED[path]
    assert path.read_text() == derive(path.read_text()), "run `make client`"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path):
    addresses = set(re.findall(r"https?://[^\s\"'`]+", path.read_text()))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_the_page_preloads_every_module():
    page = (FOLDER / PAGE).read_text()
    folder = FOLDER / "js"
    modules = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.js")}
    listed = re.search(r'const MODULES = "([^"]+)"', page)[1]
    assert set(listed.split(" ")) == modules - {"main"}


def test_the_policy_is_strict():
    page = (FOLDER / PAGE).read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1]
    assert re.match(r"default-src 'none'; script-src 'self' 'sha256-[^' ]+'; ", policy)
    assert "unsafe" not in policy


def test_the_manifest_can_be_installed():
    manifest = json.loads((FOLDER / "manifest.webmanifest").read_text())
    assert manifest.keys() >= {"name", "short_name", "start_url", "display", "icons"}
    assert {"any", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    assert "maskable" in {icon.get("purpose") for icon in manifest["icons"]}
    assert all((FOLDER / icon["src"]).is_file() for icon in manifest["icons"])


def test_the_screenshots_are_as_the_manifest_says():
    """Browsers leave out what is not: its size, 320 to 3840 pixels, at most 2.3 to 1."""
    shots = json.loads((FOLDER / "manifest.webmanifest").read_text())["screenshots"]
    assert {shot["form_factor"] for shot in shots} == {"narrow", "wide"}
    assert {FOLDER / shot["src"] for shot in shots} == set((FOLDER / "screenshots").iterdir())
    for shot in shots:
        with av.open(FOLDER / shot["src"]) as picture:
            (stream,) = picture.streams
            assert f".{stream.codec_context.name}" == (FOLDER / shot["src"]).suffix
            size = (stream.width, stream.height)
        assert shot["sizes"] == f"{size[0]}x{size[1]}"
        assert size == pictures.size_of(shot["form_factor"])
        assert shot["form_factor"] == ("wide" if size[0] > size[1] else "narrow")
        assert 320 <= min(size) <= max(size) <= min(3840, 2.3 * min(size))
        assert shot["label"]


def test_the_worker_keeps_no_screenshots():
    assert "screenshots" not in (FOLDER / client_files.WORKER).read_text()


def test_every_language_has_every_text():
    english = messages(FOLDER / "messages" / "en.txt")
    english["what"] = english["what"].replace(listed(english), "{genres}")
    for path in MESSAGES:
        texts = messages(path) if path.stem != "en" else english
        assert texts.keys() == english.keys(), path.name
        for key, text in texts.items():
            places = set(re.findall(r"\{\w+\}", english[key]))
            assert set(re.findall(r"\{\w+\}", text)) == places, (path.name, key)


def listed(english):
    """The names of all genres in one sentence."""
    *some, last = (text for key, text in english.items() if key.startswith("genre."))
    return f"{', '.join(some)} and {last}"


def test_the_page_has_its_first_texts_in_english_and_only_there():
    page = re.findall(r'data-text="([\w.-]+)"[^>]*>([^<]*)<', (FOLDER / PAGE).read_text())
    english = messages(FOLDER / "messages" / "en.txt")
    assert {"listen", "microphone.denied"} <= {key for key, _ in page}
    for key, text in page:
        assert english[key] == text  # the file has no other
    assert listed(english) in english["what"]
    assert len(page) == len(page_texts())
    file = (FOLDER / "messages" / "en.txt").read_text()
    assert "\nprivacy:" not in file
    assert "\nlisten:" not in file


def test_every_language_has_every_text_of_the_device():
    texts = json.loads((device.MODULES / "texts.json").read_text())
    assert texts.keys() == {path.stem for path in MESSAGES}
    for language, those in texts.items():
        assert list(those) == list(texts["en"])
        assert those["site"].keys() == texts["en"]["site"].keys() <= messages(MESSAGES[0]).keys()
        for key, text in those.items():
            places = re.findall(r"\{\w+\}", str(texts["en"][key]))
            assert re.findall(r"\{\w+\}", str(text)) == places, (language, key)


@pytest.mark.parametrize("path", sorted(device.MODULES.iterdir()), ids=lambda path: path.name)
def test_the_device_needs_nothing_from_elsewhere(path):
    assert "://" not in path.read_text()


def test_every_used_text_exists():
    english = messages(FOLDER / "messages" / "en.txt")
    source = "".join(path.read_text() for path in TEXTS if path.parent.name != "messages")
    keys = set(re.findall(r'(?:\btext\(|data-(?:text|label)=)"([\w.]+)"', source))
    assert keys
    assert keys <= english.keys()
