"""From a page whose text is still to be recognised to a finished one."""

from __future__ import annotations

from dataclasses import replace

from mmsearch import ocr
from mmsearch.config import Settings
from mmsearch.images import PICTURE_PIXELS
from mmsearch.types import Page


def finished(page: Page, settings: Settings, pixels: int = PICTURE_PIXELS) -> Page:
    """The page with its text recognised; one that has nothing unread comes back as it is.

    Args:
        pixels: budget of the page picture, should it have to be made anew.
    """
    if page.unread is None:
        return page
    if settings.ocr == "off":
        return replace(page, unread=None)
    found = ocr.recognise(page.unread, engine=settings.ocr, languages=settings.ocr_languages)
    text = found if len(found.text) > len(page.text.text) else page.text
    return replace(page, text=text, unread=None)
