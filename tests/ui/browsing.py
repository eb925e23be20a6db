"""A page in a real browser, and what every test of it looks out for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LAPTOP = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
PATIENCE = 60  # seconds

# Pictures of what the tests saw are kept here, for people to look at.
PICTURES = Path(__file__).parents[2] / "build" / "page"

PASTE = """async (url) => {
    const blob = await (await fetch(url)).blob();
    const data = new DataTransfer();
    data.items.add(new File([blob], "image.jpg", { type: "image/jpeg" }));
    const options = { clipboardData: data, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
}"""


@contextmanager
def opened(
    browser: Browser,
    url: str,
    size: dict[str, int] = LAPTOP,
    *,
    refused: tuple[int, ...] = (),
    link: str = "",
    **options: Any,
) -> Iterator[Page]:
    """A loaded page that in the end has logged no error and asked nobody else for anything.

    Args:
        browser: which one.
        url: of the page, with a slash at its end.
        size: of the window.
        refused: status codes of answers that the test provokes; a browser logs them.
        link: what is opened instead of the bare page.
    """
    context = browser.new_context(viewport=size, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    errors: list[str] = []
    outside: list[str] = []
    expected = tuple(f"status of {code} " for code in refused)

    def console(message: Any) -> None:
        known = any(part in message.text for part in expected)
        if message.type == "error" and not known:
            errors.append(message.text)

    page.on("console", console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((url, "data:", "blob:")) else outside.append(r.url),
    )
    page.goto(f"{url}{link}")
    yield page
    context.close()
    assert not errors
    assert not outside


def ask(page: Page, text: str) -> None:
    """Type words and press Enter."""
    page.locator(".mm-words").fill(text)
    page.keyboard.press("Enter")


def keep(page: Page, name: str) -> None:
    """Keep a picture of the page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    unfinished = PICTURES / f".{name}.{os.getpid()}.png"
    page.screenshot(path=unfinished)
    unfinished.replace(PICTURES / f"{name}.png")


def is_loaded(page: Page, selector: str) -> None:
    """Wait until a picture is there."""
    script = "s => { const i = document.querySelector(s); return i && i.naturalWidth > 20; }"
    page.wait_for_function(script, arg=selector)
