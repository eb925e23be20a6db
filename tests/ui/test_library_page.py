"""The library in a real browser: upload, ingestion, what failed, removing; and the status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import builders
from tests.ui.browsing import PHONE, ask, is_loaded, keep, opened
from tests.ui.small_archive import open_archive

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from mmsearch.engine import SearchEngine

pytestmark = pytest.mark.browser
TAB = "?tab=library"


@pytest.fixture(scope="module")
def url(serving: Callable[[Any], Any], archive: SearchEngine) -> Iterator[str]:
    with serving(archive) as url:
        yield f"{url}/"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chosen")
    builders.write_text_pdf(folder / "herons.pdf", ["Herons stand in the reeds"], title="Herons")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    hostile = "<img src=x onerror='window.owned=1'> ${1+1} {{1+1}}"
    builders.write_text_pdf(folder / f"{hostile[:40]}.pdf", ["A name is a name"], title=hostile)
    return folder


def row(page: Page, text: str) -> Any:
    return page.locator("#mm-library tbody tr", has_text=text)


def test_files_are_uploaded_ingested_and_found(browser: Browser, url: str, files: Path) -> None:
    with opened(browser, url, link=TAB) as page:
        row(page, "The archive by the sea").wait_for()
        page.locator("input[data-files=files]").set_input_files(sorted(files.iterdir()))
        row(page, "Herons").wait_for()
        is_loaded(page, "#mm-library tbody img")
        failed = row(page, "broken.pdf")
        failed.wait_for()
        assert "Failed" in failed.inner_text()
        assert "not a PDF, or too damaged to repair" in failed.inner_text()
        keep(page, "library")
        assert page.evaluate("window.owned") is None
        assert row(page, "onerror").count() == 1, "a hostile name is only a name"
        page.get_by_role("tab", name="Search").click()
        ask(page, "herons in the reeds")
        page.locator(".mm-hit h2", has_text="Herons").wait_for()
        ask(page, "a name is a name")
        page.locator(".mm-hit h2", has_text="onerror").wait_for()
        page.locator(".mm-hit h2 a", has_text="onerror").click()
        page.get_by_role("dialog").locator(".mm-text").wait_for()
        assert page.evaluate("window.owned") is None


def test_a_document_is_tagged_and_removed(
    browser: Browser, url: str, archive: SearchEngine
) -> None:
    with opened(browser, url, link=TAB) as page:
        note = row(page, "A note")
        note.get_by_role("button", name="Tags").click()
        note.locator("input:not([type=checkbox])").fill("urgent")
        page.keyboard.press("Enter")
        note.get_by_role("button", name="urgent").wait_for()
        assert next(d for d in archive.documents.all() if d.title == "A note").tags == ("urgent",)
        note.get_by_role("button", name="Remove", exact=False).last.click()
        keep(page, "remove")
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        note.wait_for(state="detached")
        assert "A note" not in {d.title for d in archive.documents.all()}
        row(page, "The archive by the sea").get_by_role("link").first.click()
        page.get_by_role("dialog").locator(".mm-text").wait_for()


def test_a_page_that_only_searches_has_no_buttons(
    browser: Browser, serving: Callable[[Any], Any], tmp_path: Path
) -> None:
    with (
        open_archive(tmp_path, read_only="on") as engine,
        serving(engine) as url,
        opened(browser, f"{url}/", PHONE, link=TAB) as page,
    ):
        row(page, "A note").wait_for()
        assert not page.locator("input[data-files]").count()
        assert not page.get_by_role("button", name="Remove").count()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        keep(page, "library-phone")


def test_the_status_says_what_there_is(browser: Browser, url: str) -> None:
    with opened(browser, url, link="?tab=status") as page:
        facts = page.locator("#mm-status table").first
        facts.wait_for()
        assert "searchable" in facts.inner_text()
        page.get_by_role("button", name="Test the screenshot search").click()
        tested = page.locator("#mm-tested", has_text="have their page first")
        tested.wait_for()
        keep(page, "status")
