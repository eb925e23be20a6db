"""hOCR: HTML whose `class` and `title` attributes tell pages, lines, words and boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ingest.sidecars.sheet import Line, Piece, Sheet, box_of, confidence_of, number
from mmsearch.ocr.layout import join_words
from mmsearch.types import Box

_LINES = frozenset({"ocr_line", "ocrx_line", "ocr_header", "ocr_caption", "ocr_textfloat"})
_WORDS = frozenset({"ocrx_word", "ocr_word"})
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")  # the name of the image may hold anything
_BOX = re.compile(r"\bbbox\s+(\S+)\s+(\S+)\s+(\S+)\s+([^\s;]+)")
_CONFIDENCE = re.compile(r"\bx_wconf\s+([^\s;]+)")


def sheets(root: Element) -> Iterator[Sheet]:
    """The pages of an hOCR file, in order; none of other HTML."""
    for element in root.iter():
        if "ocr_page" in _classes(element):
            yield Sheet(_box(element), list(_lines(element)))


def _lines(element: Element) -> Iterator[Line]:
    """The lines within an element; words that stand in none make one together."""
    loose: list[Element] = []
    for child in element:
        classes = _classes(child)
        if classes & _WORDS:
            loose.append(child)
            continue
        yield from _line(loose)
        loose = []
        if classes & _LINES:
            words = [word for word in child.iter() if _classes(word) & _WORDS]
            yield from _line(words or [child], whole=not words)
        else:
            yield from _lines(child)
    yield from _line(loose)


def _line(elements: list[Element], *, whole: bool = False) -> Iterator[Line]:
    pieces = []
    for element in elements:
        text = " ".join("".join(element.itertext()).split())
        found = _CONFIDENCE.search(element.get("title", ""))
        confidence = confidence_of(found[1], 100) if found else None
        if text:
            pieces.append(Piece(text, _box(element), confidence))
    if pieces:
        yield Line(join_words(piece.text for piece in pieces), pieces, whole)


def _classes(element: Element) -> set[str]:
    return set(element.get("class", "").split())


def _box(element: Element) -> Box | None:
    found = _BOX.search(_QUOTED.sub("", element.get("title", "")))
    return box_of(*map(number, found.groups())) if found else None
