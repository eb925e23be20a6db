"""Recognise the text of a page image: words with boxes and confidence, in reading order.

Two engines. Tesseract is several times cheaper on clean pages and reads every script that it has a
model of; RapidOCR reads photos, screenshots, poor scans and East Asian scripts. `auto` asks
Tesseract first, and RapidOCR for what Tesseract is not sure of or where it is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmsearch.ocr.layout import join_lines
from mmsearch.types import PageText

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.ocr.reading import Engine, Reading

__all__ = [
    "Engine",
    "Reading",
    "has_tesseract",
    "join_lines",
    "read_lines",
    "read_page",
    "recognise",
]

_SECONDS = 60.0


def read_page(
    image: Image,
    *,
    engine: Engine = "auto",
    languages: str = "",
    timeout: float = _SECONDS,
) -> Reading:
    """Read the text of a page that may lie on its side, on its head, or askew.

    Args:
        image: RGB; 150 to 200 dpi is enough for print of ordinary size.
        engine: `auto`, `rapidocr`, `tesseract`, or `off` for no text at all.
        languages: Tesseract's language codes, joined by `+`; by default all that are installed,
            the fitting one being found out. RapidOCR needs none.
        timeout: seconds that one run of Tesseract may take.

    Returns:
        The text with source `ocr` (lines are broken as on the page, but a word hyphenated over two
        lines is whole), and the upright image that its boxes refer to. Nothing to read gives empty
        text, source `none`, and the image as it is: only text tells which way is up.

    Raises:
        LimitExceeded: Tesseract took longer than `timeout` (not with `auto`).
        MissingExtra: the engine or, for `tesseract`, a language is not installed.
    """
    from mmsearch.ocr import reading

    if engine == "off":
        return reading.Reading(PageText(), image)
    return reading.read_page(image, reading.options(engine, languages, timeout))


def recognise(
    image: Image,
    *,
    engine: Engine = "auto",
    languages: str = "",
    timeout: float = _SECONDS,
) -> PageText:
    """Read the text of an upright image, such as a screenshot; see `read_page`."""
    from mmsearch.ocr import reading

    if engine == "off":
        return PageText()
    return reading.read_upright(image, reading.options(engine, languages, timeout))


def read_lines(image: Image, most: int) -> str:
    """Read the `most` widest and sharpest lines of an upright image, to find its page by."""
    from mmsearch.ocr import lines

    return lines.read_lines(image, most)


def has_tesseract() -> bool:
    """Whether the `tesseract` command is installed."""
    from mmsearch.ocr import tesseract

    return tesseract.is_installed()
