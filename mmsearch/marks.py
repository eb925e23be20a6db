"""Where a query's words stand: in a text, and as boxes on a page."""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple
from unicodedata import east_asian_width

import regex

from mmsearch.encoders.tokens import MAX_QUERY_CHARACTERS, matches
from mmsearch.types import Box, Span

MOST_BOXES = 100  # of a page
MOST_WORDS = 20_000  # of a page that are looked at
PUNCTUATION = string.punctuation + "«»„“”‘’‚‹›…–—、。，：；！？（）「」"

_LONGEST_GAP = 3  # stop words between two words that are marked
_LONGEST_LINE = 200  # characters of a word without spaces inside that are told apart
_MOST_TOLD_APART = 20_000  # such characters of a page
_SPACE = 2.0  # widest space between neighbours on a line, in their mean character
_TALL = 1.5  # times as high as wide: text that runs downwards, whatever the page's own shape
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]")

WordRow = Sequence[Any]  # text, x0, y0, x1, y1, confidence: as the page store keeps it


class _Piece(NamedTuple):
    """A marked word, or part of one; `follows` says that the word before it is marked, too."""

    box: Box
    text: str
    follows: bool


def find(query: str, words: Sequence[str]) -> list[bool]:
    """Which words a query asks for, as `tokens.matches`, and its stop words between two of them.

    Args:
        query: the query's text.
        words: a page's words in reading order.

    Returns:
        One flag a word.
    """
    flags = matches(query, words)
    marked = [position for position, flag in enumerate(flags) if flag]
    if len(marked) < 2:
        return flags
    asked = {_core(word) for word in query[:MAX_QUERY_CHARACTERS].split()}
    for left, right in pairwise(marked):
        between = range(left + 1, right)
        if len(between) <= _LONGEST_GAP and all(_core(words[i]) in asked for i in between):
            for i in between:
                flags[i] = True
    return flags


def parts(query: str, word: str) -> list[Span]:
    """The part of a marked word that is asked for, as character positions.

    That is the word without the punctuation around it; of Chinese or Japanese text, which is a
    whole line in one piece, the characters that match.
    """
    if 1 < len(word) <= _LONGEST_LINE and _UNSPACED.search(word):
        flags = matches(query, list(word))
        edges = [i for i, pair in enumerate(pairwise([False, *flags, False])) if pair[0] != pair[1]]
        if edges:
            return list(zip(edges[::2], edges[1::2], strict=True))
    core = word.strip(PUNCTUATION) or word
    start = word.index(core)
    return [(start, start + len(core))]


def boxes(query: str, rows: Sequence[WordRow], *, most: int = MOST_BOXES) -> tuple[Box, ...]:
    """The places of a query's words on a page.

    Args:
        query: the query's text.
        rows: the page's words in reading order, as `PageStore.word_rows` reads them.
        most: boxes at most; where there are more, those of the rarest words are kept.

    Returns:
        Boxes in reading order; neighbours on a line are one box. A word broken over two lines has
        two.
    """
    if not query.strip():
        return ()
    rows = rows[:MOST_WORDS]
    pieces = list(_pieces(query, rows))
    counts = Counter(piece.text for piece in pieces)
    runs: list[tuple[Box, int]] = []  # with how often its rarest word stands on the page
    for piece in pieces:
        box, count = piece.box, counts[piece.text]
        if runs and piece.follows and _on_one_line(runs[-1][0], box, len(piece.text)):
            before, rarest = runs.pop()
            box, count = _around(before, box), min(rarest, count)
        runs.append((box, count))
    kept = sorted(range(len(runs)), key=lambda i: runs[i][1])[:most]
    return tuple(runs[i][0] for i in sorted(kept))


def _pieces(query: str, rows: Sequence[WordRow]) -> Iterator[_Piece]:
    flags = find(query, [str(row[0]) for row in rows])
    before = -2
    left = _MOST_TOLD_APART
    for position, row in enumerate(rows):
        if not flags[position]:
            continue
        word, box = str(row[0]), _box(row)
        if box is None:
            continue
        if not _UNSPACED.search(word) or len(word) > left:
            yield _Piece(box, _core(word), before == position - 1)
            before = position
            continue
        left -= len(word)
        for start, end in parts(query, word):
            part = _part(box, word, start, end)
            yield _Piece(part, _core(word[start:end]), before == position - 1)
            before = position


def _box(row: WordRow) -> Box | None:
    """The word's box inside the page; None where it has no area."""
    x0, y0, x1, y1 = (
        min(1.0, max(0.0, float(edge))) if math.isfinite(edge) else 0.0 for edge in row[1:5]
    )
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _part(box: Box, word: str, start: int, end: int) -> Box:
    """The share of a line's box that some of its characters take."""
    widths = (2 if east_asian_width(character) in "WF" else 1 for character in word)
    ends = list(accumulate(widths, initial=0))
    first, last = ends[start] / ends[-1], ends[end] / ends[-1]
    width, height = box.x1 - box.x0, box.y1 - box.y0
    if height > _TALL * width:
        return box._replace(y0=box.y0 + first * height, y1=box.y0 + last * height)
    return box._replace(x0=box.x0 + first * width, x1=box.x0 + last * width)


def _on_one_line(run: Box, box: Box, length: int) -> bool:
    """Whether a word of `length` characters goes on where a run ends, on either side of it."""
    across, down = box.x1 - box.x0, box.y1 - box.y0
    apart_x = max(run.x0, box.x0) - min(run.x1, box.x1)
    apart_y = max(run.y0, box.y0) - min(run.y1, box.y1)
    if -apart_y >= 0.5 * min(down, run.y1 - run.y0) and apart_x <= _SPACE * across / length:
        return True
    tall = length > 1 and down > _TALL * across and run.y1 - run.y0 > _TALL * (run.x1 - run.x0)
    beside = -apart_x >= 0.5 * min(across, run.x1 - run.x0)
    return tall and beside and apart_y <= _SPACE * down / length


def _around(one: Box, other: Box) -> Box:
    return Box(*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:]))


def _core(word: str) -> str:
    return (word.strip(PUNCTUATION) or word).casefold()
