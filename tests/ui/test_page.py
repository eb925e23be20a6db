"""The page in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from mmsearch.engine import SearchEngine
    from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.browser
LAPTOP = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
SEARCH_SECONDS = 60

PASTE = """async (url) => {
    const blob = await (await fetch(url)).blob();
    const data = new DataTransfer();
    data.items.add(new File([blob], "image.jpg", { type: "image/jpeg" }));
    const options = { clipboardData: data, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
}"""


@contextmanager
def opened(browser: Browser, url: str, size: dict[str, int], **options: Any) -> Iterator[Page]:
    """A loaded page that in the end has logged no error and asked nobody else for anything."""
    context = browser.new_context(viewport=size, **options)
    page = context.new_page()
    page.set_default_timeout(SEARCH_SECONDS * 1000)
    errors: list[str] = []
    outside: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((url, "data:", "blob:")) else outside.append(r.url),
    )
    page.goto(url)
    page.wait_for_selector(".mm-message")
    yield page
    context.close()
    assert not errors
    assert not outside


@pytest.fixture(scope="module")
def url(serving: Callable[[Any], Any], sample_engine: SearchEngine) -> Iterator[str]:
    with serving(sample_engine) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with opened(browser, url, LAPTOP) as page:
        yield page


def ask(page: Page, text: str) -> None:
    page.get_by_role("textbox").fill(text)
    page.keyboard.press("Enter")


def screenshot(sample_dir: Path) -> tuple[Path, str, int]:
    """A sample screenshot, and the path and number of the page it was cut from."""
    fact = json.loads((sample_dir / "truth.json").read_text())["screenshots"][0]
    return sample_dir / "screenshots" / fact["file"], fact["path"], fact["page"]


def test_words_find_the_page(page: Page) -> None:
    ask(page, "revenue by region")
    first = page.locator(".mm-hit").first
    first.wait_for()
    assert first.locator(".mm-path").inner_text().endswith("reports/annual-report-2025.pdf")
    assert first.locator(".mm-place").inner_text().startswith("page 4 of ")
    assert first.locator("mark").count()
    page.wait_for_function("document.querySelector('.mm-hit img').naturalWidth > 100")
    words, picture = first.locator(".mm-word"), first.locator("img").bounding_box()
    assert picture is not None
    for word in filter(None, (words.nth(n).bounding_box() for n in range(words.count()))):
        assert picture["x"] < word["x"] < word["x"] + word["width"] < picture["x"] + 148
        assert picture["y"] < word["y"] < word["y"] + word["height"] < picture["y"] + 148
    assert words.count() > 2


def test_a_result_opens_its_page_picture(page: Page) -> None:
    ask(page, "revenue by region")
    with page.context.expect_page() as opening:
        page.locator(".mm-hit h2 a").first.click()
    picture = opening.value
    picture.wait_for_load_state()
    assert "/pages/" in picture.url
    assert picture.evaluate("document.images[0].naturalWidth") > 600


def test_an_uploaded_screenshot_finds_its_page(page: Page, sample_dir: Path) -> None:
    file, path, number = screenshot(sample_dir)
    page.set_input_files("#mm-image input[type=file]", file)
    first = page.locator(".mm-hit").first
    first.wait_for()
    assert first.locator(".mm-path").inner_text().endswith(path)
    place = first.locator(".mm-place").inner_text()
    assert place.startswith(f"page {number} of ")
    assert "This very page" in place
    page.wait_for_function("document.querySelector('.mm-hit img').naturalWidth > 100")
    spot, picture = (first.locator(name).bounding_box() for name in (".mm-spot", "img"))
    assert spot is not None
    assert picture is not None
    for at, size in (("x", "width"), ("y", "height")):
        assert spot[at] >= picture[at]
        assert 9 < spot[size] <= picture[at] + picture[size] - spot[at] + 0.1


def test_a_screenshot_can_be_pasted_and_removed(
    browser: Browser, serving: Callable[[Any], Any], fake_engine: FakeEngine
) -> None:
    fake_engine.add("Report")
    with serving(fake_engine) as url, opened(browser, url, LAPTOP) as page:
        ask(page, "words")
        picture = page.locator(".mm-picture").get_attribute("href")
        ask(page, "")
        page.wait_for_selector(".mm-message")
        page.evaluate(PASTE, picture)
        page.wait_for_selector("#mm-image .image-frame img")
        page.locator(".mm-hit").wait_for()
        page.get_by_label("Remove Image").click()
        page.wait_for_selector(".mm-message")


def test_a_file_that_is_no_image_is_one_friendly_line(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "notes.png"
    file.write_text("not an image")
    page.set_input_files("#mm-image input[type=file]", file)
    problem = page.locator(".mm-problem")
    problem.wait_for()
    assert "notes.png: not an image" in problem.inner_text()
    assert not page.locator(".toast-wrap .toast-body").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: Browser, url: str, scheme: str) -> None:
    options = {"is_mobile": True, "has_touch": True, "color_scheme": scheme}
    with opened(browser, url, PHONE, **options) as page:
        ask(page, "revenue by region")
        page.locator(".mm-hit").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_hostile_names_are_only_names(
    browser: Browser, serving: Callable[[Any], Any], fake_engine: FakeEngine
) -> None:
    name = "<script>window.owned=1</script><img src=x onerror='window.owned=1'> ${1+1} {{1+1}}"
    fake_engine.add(name, path=f"/a/{name}", snippet=name)
    with serving(fake_engine) as url, opened(browser, url, LAPTOP) as page:
        ask(page, "owned")
        hit = page.locator(".mm-hit")
        hit.wait_for()
        assert hit.locator("h2").inner_text() == name
        assert hit.locator(".mm-snippet").inner_text() == name
        assert hit.locator(".mm-path").inner_text() == f"/a/{name}"
        assert page.evaluate("window.owned") is None
