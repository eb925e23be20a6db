"""Lines of recognised text: their reading order, their words, their text put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mmsearch.types import Box, PageText, Word

_HYPHEN_BREAK = re.compile(r"(\w)[-\u00ad\u2010]$")
_WIDE = re.compile("[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uff60]")
_NARROW = frozenset(" iljtfrI1|!.,:;'()[]-")


class Line(NamedTuple):
    """A line of text; the box is in page fractions, `confidence` in [0, 1]."""

    text: str
    box: Box
    confidence: float
    words: tuple[Word, ...]


def join_words(words: Iterable[str]) -> str:
    """The words of a line as one writes them: with spaces, in Chinese and Japanese without."""
    text = ""
    for word in words:
        apart = text and not (_WIDE.match(text[-1]) and _WIDE.match(word))
        text += f" {word}" if apart else word
    return text


def page_text(lines: Sequence[Line], confidence: float) -> PageText:
    """The text of a page from its lines in reading order."""
    words = tuple(word for line in lines for word in line.words)
    if not words:
        return PageText()
    return PageText(join_lines(line.text for line in lines), "ocr", words, confidence)


def join_lines(lines: Iterable[str]) -> str:
    """Put lines of text together, words that a hyphen breaks over two lines made whole.

    A hyphen is kept before a capital or a digit, and where the rest of the word has one too:
    `state-` and `of-the-art` are one compound.
    """
    text = ""
    for line in filter(None, (line.strip() for line in lines)):
        broken = _HYPHEN_BREAK.search(text[-2:])
        if not broken:
            text += f"\n{line}" if text else line
            continue
        rest, _, after = line.partition(" ")
        joins = rest[:1].islower() and not re.search(r"\w-\w", rest) and broken[1].isalpha()
        text = (text[:-1] if joins or text[-1] == "\u00ad" else text) + rest
        text += f"\n{after}" if after else ""
    return text.replace("\u00ad", "")


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Order lines as one reads: columns from left to right, between lines that span them.

    Returns:
        Indices into `boxes`.
    """
    return _ordered(boxes, list(range(len(boxes))))


def _ordered(boxes: Sequence[Box], among: list[int]) -> list[int]:
    gutter = _gutter(boxes, among)
    if gutter is None:
        return _by_rows(boxes, among)
    order: list[int] = []
    left: list[int] = []
    right: list[int] = []
    for index in sorted(among, key=lambda item: boxes[item].y0):
        box = boxes[index]
        if box.x1 <= gutter:
            left.append(index)
        elif box.x0 >= gutter:
            right.append(index)
        else:  # a heading over both columns ends what stands above it
            order += _ordered(boxes, left) + _ordered(boxes, right) + [index]
            left, right = [], []
    return order + _ordered(boxes, left) + _ordered(boxes, right)


def _gutter(boxes: Sequence[Box], among: list[int]) -> float | None:
    """The x of a gap between two columns of text; None for one column or a table."""
    if len(among) < 8:
        return None
    best: tuple[int, float] | None = None
    for candidate in sorted({boxes[index].x0 for index in among})[1:]:
        at = candidate - 1e-6
        left = [index for index in among if boxes[index].x1 <= at]
        right = [index for index in among if boxes[index].x0 >= at]
        crossing = len(among) - len(left) - len(right)
        if min(len(left), len(right)) < 0.2 * len(among) or crossing > 0.25 * len(among):
            continue
        # Cells of a table are short; lines of a column fill it.
        if min(_median_width(boxes, left), _median_width(boxes, right)) < 0.15:
            continue
        if best is None or crossing < best[0]:
            best = (crossing, at)
    return None if best is None else best[1]


def _median_width(boxes: Sequence[Box], among: list[int]) -> float:
    return sorted(boxes[index].x1 - boxes[index].x0 for index in among)[len(among) // 2]


def _by_rows(boxes: Sequence[Box], among: list[int]) -> list[int]:
    """Top to bottom; what overlaps in height by half is one row, left to right."""
    rows: list[list[int]] = []
    for index in sorted(among, key=lambda item: boxes[item].y0 + boxes[item].y1):
        box = boxes[index]
        if rows:
            last = boxes[rows[-1][0]]
            overlap = min(box.y1, last.y1) - max(box.y0, last.y0)
            if overlap > 0.5 * min(box.y1 - box.y0, last.y1 - last.y0):
                rows[-1].append(index)
                continue
        rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda item: boxes[item].x0)]


def split_line(text: str, box: Box, confidence: float) -> list[Word]:
    """Words of a line, the box shared out by the usual widths of their characters."""
    total = sum(map(_advance, text)) or 1.0
    words, done = [], 0.0
    for part in re.findall(r"\s+|\S+", text):
        width = sum(map(_advance, part))
        if not part.isspace():
            x0 = box.x0 + (box.x1 - box.x0) * done / total
            x1 = box.x0 + (box.x1 - box.x0) * (done + width) / total
            words.append(Word(part, Box(x0, box.y0, x1, box.y1), confidence))
        done += width
    return words


def _advance(character: str) -> float:
    """Width of a character in common typefaces, in units of an average letter."""
    if character in _NARROW:
        return 0.55
    if _WIDE.match(character):
        return 1.9
    return 1.25 if character.isupper() or character in "mwMW@%" else 1.0


def clipped(x0: float, y0: float, x1: float, y1: float) -> Box:
    """A box with its sides kept on the page."""
    return Box(*(min(max(float(side), 0.0), 1.0) for side in (x0, y0, x1, y1)))
