"""What the three formats have in common: pages of lines of words, in the file's own units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mmsearch.errors import LimitExceeded
from mmsearch.ocr.layout import join_lines, split_line
from mmsearch.types import Box, PageText, Word

MAX_CHARACTERS = 200_000  # of one page; a dense newspaper page has 60,000


class Piece(NamedTuple):
    """A word, or a line without words: box in units of the file, confidence in [0, 1]."""

    text: str
    box: Box | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `text` may differ from its words: a broken word is whole in it.

    `whole` is set where the line has no words of its own: `words` is then the line itself, to be
    shared out.
    """

    text: str
    words: Sequence[Piece]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page; `extent` is the page's own box, None where the file does not tell its size."""

    extent: Box | None
    lines: Sequence[Line]


def page_text(sheet: Sheet, name: str) -> PageText | None:
    """The text of a page with boxes as fractions of it; None where there is none.

    Raises:
        LimitExceeded: more text than fits a page.
    """
    if sum(len(line.text) for line in sheet.lines) > MAX_CHARACTERS:
        raise LimitExceeded(
            f"{name}: a page of more than {MAX_CHARACTERS} characters; split it into pages"
        )
    text = join_lines(line.text for line in sheet.lines)
    if not text:
        return None
    words: list[Word] = []
    told: list[float] = []
    for line in sheet.lines:
        for piece in line.words:
            told += [] if piece.confidence is None else [piece.confidence]
            box = _fraction(piece.box, sheet.extent)
            if box is None or not piece.text:
                continue
            confidence = 1.0 if piece.confidence is None else piece.confidence
            if line.whole:
                words += split_line(piece.text, box, confidence)
            else:
                words.append(Word(piece.text, box, confidence))
    return PageText(text, "sidecar", tuple(words), sum(told) / len(told) if told else None)


def number(value: str | None) -> float | None:
    """A finite number of an attribute; None where it is missing or nonsense."""
    try:
        found = float(value or "")
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def box_of(*sides: float | None) -> Box | None:
    """The box of left, top, right and bottom; None where a side is missing or none has an area."""
    x0, y0, x1, y1 = sides
    if x0 is None or y0 is None or x1 is None or y1 is None or x1 <= x0 or y1 <= y0:
        return None
    return Box(x0, y0, x1, y1)


def confidence_of(value: str | None, whole: float = 1.0) -> float | None:
    """A confidence of which `whole` is certainty, in [0, 1]."""
    found = number(value)
    return None if found is None else min(max(found / whole, 0.0), 1.0)


def _fraction(box: Box | None, extent: Box | None) -> Box | None:
    if box is None or extent is None:
        return None
    width, height = extent.x1 - extent.x0, extent.y1 - extent.y0
    sides = (
        (box.x0 - extent.x0) / width,
        (box.y0 - extent.y0) / height,
        (box.x1 - extent.x0) / width,
        (box.y1 - extent.y0) / height,
    )
    # A box that lies beside the page is none.
    return box_of(*(min(max(side, 0.0), 1.0) for side in sides))
