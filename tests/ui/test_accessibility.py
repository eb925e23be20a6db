"""No view has a serious fault for those who see, hear or point otherwise, by axe-core's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.ui.browsing import LAPTOP, PHONE, is_loaded, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from mmsearch.engine import SearchEngine

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def url(serving: Callable[[Any], Any], archive: SearchEngine) -> Iterator[str]:
    with serving(archive) as url:
        yield f"{url}/"


def faults(page: Page) -> list[str]:
    """What axe finds serious: the rule, and the first element at fault."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found
        if fault["impact"] in SERIOUS
    ]


def show(page: Page, view: str) -> None:
    """Wait until the view is there whole."""
    if view == "viewer":
        page.get_by_role("dialog").locator(".mm-text").wait_for()
        is_loaded(page, ".mm-sheet img")
    else:
        page.wait_for_selector(
            {
                "empty": ".mm-message",
                "results": ".mm-hit",
                "list": ".mm-list .mm-hit",
                "nothing": ".mm-message",
                "problem": ".mm-problem",
                "library": "#mm-library table",
                "status": ".mm-facts-table",
            }[view]
        )
    page.wait_for_timeout(300)  # colours that fade in


@pytest.mark.parametrize(
    ("scheme", "size"),
    [
        pytest.param("light", LAPTOP, id="light laptop"),
        pytest.param("dark", PHONE, id="dark phone"),
        pytest.param("dark", LAPTOP, id="dark laptop", marks=pytest.mark.slow),
        pytest.param("light", PHONE, id="light phone", marks=pytest.mark.slow),
    ],
)
def test_no_view_has_a_serious_fault(
    browser: Browser, url: str, archive: SearchEngine, scheme: str, size: dict[str, int]
) -> None:
    page_of = archive.search("archive", limit=1)[0].document.id
    links = {
        "empty": "",
        "results": "?q=archive+ledger",
        "list": "?q=archive&show=list&where=kind%3Dpdf",
        "nothing": "?q=xyzzy",
        "problem": "?q=archive&where=colour%3Dred",
        "viewer": f"?q=archive&view={page_of}/1",
        "library": "?tab=library",
        "status": "?tab=status",
    }
    found = {}
    with opened(browser, url, size, color_scheme=scheme) as page:
        for view, link in links.items():
            page.goto(f"{url}{link}")
            show(page, view)
            if wrong := faults(page):
                found[view] = wrong
    assert not found
