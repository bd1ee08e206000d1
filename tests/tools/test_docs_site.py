"""The site of the pages: all are in it, links lead somewhere, nothing is loaded from elsewhere."""

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from playwright.sync_api import expect, sync_playwright

from tools import docs_site
from tools.browser import HEADLESS
from tools.static import hosting

pytest.importorskip("zensical", reason="zensical is not installed: the site was not built")

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset"}


class Page(HTMLParser):
    """The links, the loaded files, the anchors and the paragraphs of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.anchors, self.paragraphs = [], [], set(), []
        self._is_in_paragraph = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._is_in_paragraph = tag == "p" or (self._is_in_paragraph and tag not in ("li", "pre"))
        if tag == "p":
            self.paragraphs.append("")
        if "id" in attributes:
            self.anchors.add(attributes["id"])
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif attributes.get(LOADED.get(tag)):
            self.loaded.append(attributes[LOADED[tag]])

    def handle_endtag(self, tag):
        self._is_in_paragraph &= tag != "p"

    def handle_data(self, data):
        if self._is_in_paragraph:
            self.paragraphs[-1] += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the built site."""
    return docs_site.build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def parsed(folder):
    """The pages of the site by path, without those of other software."""
    paths = folder.rglob("*.html")
    return {path: Page(path.read_text()) for path in paths if path.name != "404.html"}


def test_every_page_of_the_documentation_is_in_the_navigation():
    pages = docs_site.pages()
    assert len(set(pages)) == len(pages)
    written = {path.relative_to(docs_site.ROOT) for path in (docs_site.ROOT / "docs").rglob("*.md")}
    assert written <= set(pages)
    assert Path("service/models/fifteen.md") in pages


def test_a_link_to_a_missing_page_ends_the_build(tmp_path, monkeypatch):
    for path in docs_site.pages():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("# Page\n")
    (tmp_path / "README.md").write_text("# Page\n\n[There](docs/API.md#nowhere).\n")
    monkeypatch.setattr(docs_site, "ROOT", tmp_path)
    shutil.copy(docs_site.OPENAPI, tmp_path)
    with pytest.raises(docs_site.subprocess.CalledProcessError):
        docs_site.build(tmp_path / "build")


def test_every_link_leads_to_a_file_and_its_heading(parsed):
    assert len(parsed) > len(docs_site.pages())
    for path, page in parsed.items():
        for link in [*page.links, *page.loaded]:
            if link.startswith(("http:", "https:", "data:")):
                continue
            target, anchor = urldefrag(unquote(link))
            file = Path(os.path.normpath(path.parent / target)) if target else path
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), f"{path.name}: {link}"
            if anchor and file in parsed:
                assert anchor in parsed[file].anchors, f"{path.name}: {link}"


def test_no_page_loads_a_file_from_elsewhere(parsed):
    for path, page in parsed.items():
        assert not [each for each in page.loaded if "//" in each], path


def test_lists_and_tables_are_not_read_as_paragraphs(parsed):
    """GitHub needs no empty line before a list. The generator of the site does."""
    for path, page in parsed.items():
        lines = [line for text in page.paragraphs for line in text.splitlines()]
        assert not [line for line in lines if line.startswith(("- ", "* ", "| ", "# "))], path


@pytest.fixture(scope="module")
def address(folder):
    """The address of the site, served as any static host would."""
    with hosting(folder) as origin:
        yield origin


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium")
    if not path:
        pytest.skip("chromium is not installed: the site was not tried in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=HEADLESS)
        yield browser
        browser.close()


@pytest.fixture(params=[360, 1280], ids=["phone", "desktop"])
def visitor(request, browser, address):
    """A page of a browser. An error or a request to another host fails the test."""
    context = browser.new_context(
        base_url=address, viewport={"width": request.param, "height": 800}
    )
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(f"{error}"))
    page.on("request", lambda request: wrong.append(request.url))
    yield page
    context.close()
    local = (address, "data:", "blob:")
    assert not [each for each in wrong if not each.startswith(local)]


@pytest.mark.slow
def test_no_page_is_wider_than_the_screen_or_asks_another_host(visitor):
    for path in docs_site.pages():
        name = path.with_suffix(".html") if path.name != "README.md" else path.parent
        visitor.goto(f"/{name}")
        expect(visitor.locator("h1").first).to_be_visible()
        width = visitor.evaluate("() => document.documentElement.scrollWidth")
        assert width <= visitor.viewport_size["width"], path


@pytest.mark.slow
def test_a_page_is_found_by_its_words(visitor):
    visitor.goto("/")
    visitor.keyboard.press("/")
    visitor.keyboard.type("unknown_genre")
    expect(visitor.get_by_role("link", name="API").first).to_be_visible()


@pytest.mark.slow
def test_the_reference_shows_every_address(visitor):
    visitor.goto(f"/{docs_site.REFERENCE}")
    expect(visitor.get_by_text("/v1/analyze/batch")).to_be_visible()
    expect(visitor.get_by_role("button", name="Try it out")).to_have_count(0)
