"""From a page whose text is still to be recognised to a finished one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageOps

from mmsearch import images, ocr
from mmsearch.config import Settings
from mmsearch.images import PICTURE_PIXELS
from mmsearch.ocr import ink
from mmsearch.types import Page

if TYPE_CHECKING:
    from PIL.Image import Image

# Shares of the page's long side: 297 mm where it is A4.
_EDGE = 0.012  # what lies wholly so near to an edge is the scanner's
_MARK = 0.0035  # 1 mm: smaller pieces are specks
_HOLE = (0.012, 0.04)  # 3.5 to 12 mm
_HOLE_MARGIN = 0.1  # of the page's side
_HOLE_FILL = 0.6  # share of its box: a disc fills .79

_PAPER_RANGE = 48  # grey levels between the darkest and the lightest part of a sheet
_PAPER_COLOUR = 70  # levels between the channels of yellowed paper
_PAPER_GREY = 140  # a darker sheet is a photo of the night

_FAINT = 60.0  # grey levels between paper and ink: what shows through has less
_BELIEVED = 0.9  # mean confidence in a mirror: .99 for what shows through, .63 for other print
_THROUGH = 30  # letters of it: fewer may be a scribble


def finished(page: Page, settings: Settings, pixels: int = PICTURE_PIXELS) -> Page:
    """The page with its text recognised; one that has nothing unread comes back as it is.

    A page that lies on its side or is skewed is put upright, and its picture made anew, where its
    text tells the way. One without ink is `blank`.

    Args:
        pixels: budget of the page picture, should it have to be made anew.

    Raises:
        LimitExceeded, MissingExtra: see `mmsearch.ocr.read_page`.
    """
    if page.unread is None:
        return page
    image, page = page.unread, replace(page, unread=None)
    marks = _marks(image)
    if not len(marks) and not page.text.text and _is_paper(image):
        return replace(page, blank=True)
    if settings.ocr == "off":
        return page
    read = ocr.read_page(image, engine=settings.ocr, languages=settings.ocr_languages)
    page = replace(page, warning="; ".join(filter(None, (page.warning, read.warning))))
    if not page.text.text and _is_faint(marks) and _is_paper(image) and _shows_through(read):
        return replace(page, blank=True, warning="")
    if len(read.text.text) <= len(page.text.text):
        return page
    if read.image is image:
        return replace(page, text=read.text)
    picture, width, height = images.page_picture(read.image, pixels)
    return replace(page, text=read.text, picture=picture, width=width, height=height)


def _marks(image: Image) -> ink.Floats:
    """Depths of the pieces of ink that somebody may have made: (n,) grey levels.

    Left out are specks, shadows at the edges and punch holes.
    """
    found = ink.find(image)
    long = max(found.width, found.height)
    left, top, wide, high = found.pieces.T
    right, bottom = left + wide, top + high
    edge = max(2, round(_EDGE * long))
    inside = (
        (right > edge) & (bottom > edge) & (left < found.width - edge) & (top < found.height - edge)
    )
    # A shadow is long and clings to the edge.
    clings = (left <= 1) | (top <= 1) | (right >= found.width - 1) | (bottom >= found.height - 1)
    large = np.maximum(wide, high) >= max(4, _MARK * long)
    middle = np.stack([(left + right) / 2 / found.width, (top + bottom) / 2 / found.height])
    margin = (np.minimum(middle, 1 - middle) < _HOLE_MARGIN).any(axis=0)
    side, other = np.maximum(wide, high), np.minimum(wide, high)
    hole = (
        margin
        & (side < 1.3 * other)
        & (found.weights > _HOLE_FILL * wide * high)
        & (side > _HOLE[0] * long)
        & (side < _HOLE[1] * long)
    )
    kept: ink.Floats = found.depths[inside & ~clings & large & ~hole]
    return kept


def _is_faint(marks: ink.Floats) -> bool:
    """Whether all ink is as faint as the print of the other side."""
    return bool(len(marks)) and float(np.percentile(marks, 90)) < _FAINT


def _shows_through(read: ocr.Reading) -> bool:
    """Whether what there is reads better in a mirror: the print of the other side."""
    mirrored = ocr.recognise(ImageOps.mirror(read.image), engine="rapidocr")
    if len(mirrored.text) < max(_THROUGH, 0.8 * len(read.text.text)):
        return False
    confidence = mirrored.confidence or 0.0
    return confidence >= _BELIEVED and confidence > (read.text.confidence or 0.0) + 0.1


def _is_paper(image: Image) -> bool:
    """Whether an image without ink is a sheet, and not a picture of the sky or the night."""
    small = np.asarray(image.convert("RGB").resize((32, 32), reducing_gap=2.0), np.int16)
    if int(np.ptp(small.reshape(-1, 3), axis=0).max()) <= 4:
        return True  # one colour all over
    sheet = small[3:-3, 3:-3]
    grey = sheet.mean(axis=2)
    return bool(
        np.median(grey) >= _PAPER_GREY
        and np.percentile(grey, 98) - np.percentile(grey, 2) <= _PAPER_RANGE
        and np.median(np.ptp(sheet, axis=2)) <= _PAPER_COLOUR
    )
