"""Searching in a real browser: words, images, filters, the viewer, the keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ui.browsing import LAPTOP, PASTE, PHONE, ask, is_loaded, keep, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from mmsearch.engine import SearchEngine

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(serving: Callable[[Any], Any], sample_engine: SearchEngine) -> Iterator[str]:
    with serving(sample_engine) as url:
        yield f"{url}/"


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with opened(browser, url, LAPTOP) as page:
        page.wait_for_selector(".mm-message")
        yield page


def screenshot(sample_dir: Path) -> tuple[Path, str, int]:
    """A sample screenshot, and the path and number of the page it was cut from."""
    fact = json.loads((sample_dir / "truth.json").read_text())["screenshots"][0]
    return sample_dir / "screenshots" / fact["file"], fact["path"], fact["page"]


def first_hit(page: Page) -> tuple[str, str]:
    """Place and path of the first hit, once there is one."""
    first = page.locator(".mm-hit").first
    first.wait_for()
    return first.locator(".mm-place").inner_text(), first.locator(".mm-path").inner_text()


def test_an_empty_page_says_what_to_do(page: Page) -> None:
    assert "pages to search" in page.locator(".mm-message h2").inner_text()
    assert page.locator(".mm-try").count() == 4
    assert page.evaluate("document.activeElement.className") == "mm-words"
    keep(page, "empty")
    tried = page.locator(".mm-try").first.inner_text()
    page.locator(".mm-try").first.click()
    assert first_hit(page)
    assert page.locator(".mm-words").input_value() == tried


def test_words_find_the_page_and_are_marked(page: Page) -> None:
    ask(page, "revenue by region")
    place, path = first_hit(page)
    assert path.endswith("reports/annual-report-2025.pdf")
    assert place.startswith("page 4 of ")
    assert "Strong match" in place
    first = page.locator(".mm-hit").first
    assert first.locator("mark").count()
    is_loaded(page, ".mm-hit img")
    words, picture = first.locator(".mm-word"), first.locator("img").bounding_box()
    assert words.count() > 2
    assert picture is not None
    for word in filter(None, (words.nth(n).bounding_box() for n in range(words.count()))):
        assert picture["x"] < word["x"]
        assert word["x"] + word["width"] < picture["x"] + picture["width"]
        assert picture["y"] < word["y"]
        assert word["y"] + word["height"] < picture["y"] + picture["height"]
    keep(page, "words")


def test_a_pasted_image_finds_its_page_and_can_be_taken_away(
    page: Page, url: str, sample_engine: SearchEngine
) -> None:
    report = sample_engine.search("revenue by region", limit=1)[0].document
    page.evaluate(PASTE, f"pages/{report.id}/6.jpg")
    place, path = first_hit(page)
    assert place.startswith("page 6 of ")
    assert "This very page" in place
    assert path.endswith("annual-report-2025.pdf")
    is_loaded(page, ".mm-chip img")
    page.get_by_label("Remove the image").click()
    page.wait_for_selector(".mm-message")
    assert page.url == url


def test_an_uploaded_screenshot_has_its_spot_marked(page: Page, sample_dir: Path) -> None:
    file, path, number = screenshot(sample_dir)
    page.set_input_files(".mm-file", file)
    place, found = first_hit(page)
    assert found.endswith(path)
    assert place.startswith(f"page {number} of ")
    first = page.locator(".mm-hit").first
    is_loaded(page, ".mm-hit img")
    spot, picture = (first.locator(name).bounding_box() for name in (".mm-spot", "img"))
    assert spot is not None
    assert picture is not None
    for at, size in (("x", "width"), ("y", "height")):
        assert spot[at] >= picture[at]
        assert 9 < spot[size] <= picture[at] + picture[size] - spot[at] + 0.1
    keep(page, "screenshot")
    first.locator("h2 a").click()
    spot_there = page.get_by_role("dialog").locator(".mm-over .mm-spot")
    spot_there.wait_for()
    is_loaded(page, ".mm-sheet img")
    large = spot_there.bounding_box()
    assert large is not None
    assert large["width"] > 2 * spot["width"]
    keep(page, "viewer-spot")


def test_words_and_an_image_are_weighed(page: Page, sample_dir: Path) -> None:
    file, path, _ = screenshot(sample_dir)
    ask(page, "pump")
    first_hit(page)
    page.set_input_files(".mm-file", file)
    page.wait_for_function("document.querySelector('.mm-spot')")
    slider = page.locator("#mm-weight")
    assert slider.is_visible()
    assert first_hit(page)[1].endswith(path)
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.wait_for_url("**weight=0")
    page.wait_for_function("!document.querySelector('.mm-spot')")
    assert "pump" in first_hit(page)[1]
    keep(page, "both")
    page.get_by_role("button", name="both together").click()
    page.wait_for_function("document.querySelector('.mm-spot')")


def test_a_filter_narrows_and_is_taken_back(page: Page) -> None:
    ask(page, "pump")
    first_hit(page)
    page.locator(".mm-side").get_by_role("link", name="image", exact=False).first.click()
    page.wait_for_selector(".mm-chips")
    assert page.locator("#mm-where").input_value() == "kind=image"
    kinds = page.locator(".mm-hit .mm-path").all_text_contents()
    assert kinds
    assert not [path for path in kinds if path.endswith(".pdf")]
    keep(page, "filter")
    page.locator(".mm-chips a").click()
    page.wait_for_function("!document.querySelector('.mm-chips')")
    page.locator("#mm-where").fill("colour=red")
    page.keyboard.press("Enter")
    assert "fields are kind" in page.locator(".mm-problem").inner_text()
    page.get_by_role("link", name="Search without the filter").click()
    first_hit(page)


def test_a_link_reproduces_the_search(browser: Browser, url: str, page: Page) -> None:
    ask(page, "pump")
    first_hit(page)
    page.get_by_role("link", name="List").click()
    page.wait_for_selector(".mm-list")
    page.get_by_role("link", name="By document").click()
    page.wait_for_url("**group=1**")
    page.locator("#mm-where").fill("kind=pdf")
    page.keyboard.press("Enter")
    page.wait_for_selector(".mm-chips")
    titles = page.locator(".mm-hit h2").all_text_contents()
    assert len(titles) == len(set(titles)) > 3
    link = page.url.removeprefix(url)
    with opened(browser, url, LAPTOP, link=link) as other:
        other.wait_for_selector(".mm-list")
        assert other.locator(".mm-hit h2").all_text_contents() == titles
        assert other.locator(".mm-words").input_value() == "pump"
    page.go_back()
    page.wait_for_function("!document.querySelector('.mm-chips')")


def test_more_results_come_on_demand(page: Page) -> None:
    ask(page, "report pump invoice page")
    first_hit(page)
    shown = page.locator(".mm-hit").count()
    before = page.locator(".mm-hit h2").all_text_contents()
    page.get_by_role("link", name="More results").click()
    page.wait_for_function(f"document.querySelectorAll('.mm-hit').length > {shown}")
    assert page.locator(".mm-hit h2").all_text_contents()[:shown] == before


def test_the_viewer_shows_the_page_its_marks_and_neighbours(page: Page) -> None:
    ask(page, "revenue by region")
    first_hit(page)
    page.locator(".mm-hit h2 a").first.click()
    viewer = page.get_by_role("dialog")
    viewer.locator(".mm-text").wait_for()
    assert viewer.locator(".mm-place").inner_text() == "page 4 of 8"
    is_loaded(page, ".mm-sheet img")
    assert viewer.locator(".mm-over .mm-word").count() > 2
    assert viewer.locator(".mm-strip button").count() == 8
    keep(page, "viewer")
    viewer.get_by_role("button", name="Marks").click()
    assert not viewer.locator(".mm-over").is_visible()
    width = page.evaluate("document.querySelector('.mm-sheet').clientWidth")
    viewer.get_by_role("button", name="Larger").click()
    assert page.evaluate("document.querySelector('.mm-sheet').clientWidth") > 1.4 * width
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "document.querySelector('dialog .mm-place').textContent.startsWith('page 5')"
    )
    link = page.url
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('dialog').open")
    assert page.evaluate("document.activeElement.closest('.mm-hit') !== null"), "focus is back"
    page.goto(link)
    page.wait_for_function(
        "document.querySelector('dialog .mm-place')?.textContent.startsWith('page 5')"
    )


def test_the_original_and_a_citation_are_at_hand(
    browser: Browser, url: str, sample_engine: SearchEngine
) -> None:
    report = sample_engine.search("revenue by region", limit=1)[0].document
    link = f"?view={report.id}/4"
    with opened(
        browser, url, LAPTOP, link=link, permissions=["clipboard-read", "clipboard-write"]
    ) as page:
        viewer = page.get_by_role("dialog")
        viewer.get_by_role("button", name="Copy citation").click()
        viewer.get_by_role("button", name="Copied").wait_for()
        cited = page.evaluate("navigator.clipboard.readText()")
        assert cited.startswith(f"{report.title}, page 4 of 8, annual-report-2025.pdf (SHA-256 ")
        opens = viewer.get_by_role("link", name="Open original").get_attribute("href")
        assert opens == f"originals/{report.id}?open=1#page=4"
        with page.expect_download() as saving:
            viewer.get_by_role("link", name="Download").click()
        assert saving.value.suggested_filename == "annual-report-2025.pdf"
        assert Path(saving.value.path()).read_bytes().startswith(b"%PDF")


def test_a_region_of_a_page_is_searched(page: Page, sample_engine: SearchEngine) -> None:
    ask(page, "revenue by region")
    first_hit(page)
    page.locator(".mm-hit h2 a").first.click()
    page.get_by_role("button", name="Search a region").click()
    is_loaded(page, ".mm-sheet img")
    box = page.locator(".mm-sheet img").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.08 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.move(box["x"] + 0.94 * box["width"], box["y"] + 0.6 * box["height"])
    page.mouse.up()
    page.get_by_role("button", name="Search this region").wait_for()
    keep(page, "region")
    page.get_by_role("button", name="Search this region").click()
    page.wait_for_selector(".mm-spot")
    assert first_hit(page)[0].startswith("page 4 of ")
    assert "A region of a page" in page.locator(".mm-searched").inner_text()
    page.locator(".mm-searched a").click()
    page.get_by_role("button", name="Find similar").click()
    page.wait_for_function(
        "document.querySelector('.mm-searched')?.textContent.includes('Pages like')"
    )
    assert (
        not page.locator(".mm-hit", has_text="page 4 of 8").filter(has_text="Annual Report").count()
    )


def test_the_keyboard_is_enough(page: Page) -> None:
    ask(page, "pump")
    first_hit(page)
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.view !== undefined")
    first = page.evaluate("document.activeElement.dataset.view")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.view") != first
    page.keyboard.press("Enter")
    page.get_by_role("dialog").locator(".mm-text").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.className") == "mm-words"
    assert page.locator(".mm-words").input_value() == "pump", "the slash is no character of it"


def test_a_file_that_is_no_image_is_one_friendly_line(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "notes.png"
    file.write_text("not an image")
    with opened(browser, url, refused=(422,)) as page:
        page.set_input_files(".mm-file", file)
        problem = page.locator(".mm-problem")
        problem.wait_for()
        assert "otes.png: not an image" in problem.inner_text()
        assert not page.locator(".toast-wrap .toast-body").count()


def test_a_page_that_is_gone_says_so(browser: Browser, url: str) -> None:
    with opened(browser, url, refused=(404,), link=f"?view={'f' * 64}/1") as page:
        problem = page.get_by_role("dialog").locator(".mm-problem")
        problem.wait_for()
        assert "no such document" in problem.inner_text()
        page.keyboard.press("Escape")
        page.wait_for_selector(".mm-message")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: Browser, url: str, scheme: str) -> None:
    options = {"is_mobile": True, "has_touch": True, "color_scheme": scheme}
    with opened(browser, url, PHONE, link="?q=pump", **options) as page:
        first_hit(page)
        is_loaded(page, ".mm-hit img")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        keep(page, f"phone-{scheme}")
        page.get_by_role("button", name="Filters").click()
        assert page.locator("#mm-where").is_visible()
        page.locator(".mm-hit h2 a").first.click()
        page.get_by_role("dialog").locator(".mm-text").wait_for()
        is_loaded(page, ".mm-sheet img")
        assert page.locator(".mm-sheet img").bounding_box()["width"] > 200  # type: ignore[index]
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        keep(page, f"phone-viewer-{scheme}")


def test_dark_is_dark(browser: Browser, url: str) -> None:
    with opened(browser, url, LAPTOP, link="?q=pump", color_scheme="dark") as page:
        first_hit(page)
        is_loaded(page, ".mm-hit img")
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(part) for part in color[4:-1].split(",")) < 60
        keep(page, "dark")
