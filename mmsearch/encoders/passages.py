"""Cut a page's text into overlapping passages that fit a small encoder.

Sizes are counted in *pieces*, a cheap guess of a WordPiece tokeniser's tokens: an English word is
one or two, a long number several, a letter of any other script one. So a table of numbers or a
Chinese page yields as many tokens a passage as prose does, and nothing is cut off unseen.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

SIZE = 200  # about 125 words of English prose with figures
OVERLAP = 40
MOST = 32  # some 4,000 words, five dense pages

SCHEME = f"passages-{SIZE}-{OVERLAP}-{MOST}"
"""Part of an encoder's identity: other passages are other vectors."""

_ASCII_WORD, _DIGITS = 8, 3  # characters of a run that one piece holds
_LONGEST_STEP_BACK = 4  # runs
_RUN = re.compile(rf"[A-Za-z]{{1,{_ASCII_WORD}}}|[0-9]{{1,{_DIGITS}}}|\S")

Span = tuple[int, int]


class Passage(NamedTuple):
    """A stretch of a page's text: `text == page_text[start:end]`."""

    text: str
    start: int
    end: int


def split(
    text: str, *, size: int = SIZE, overlap: int = OVERLAP, most: int = MOST
) -> list[Passage]:
    """Cut a text into passages of about equal length.

    A text that fits is one passage. A longer one is cut into the fewest windows that hold it, of
    equal length so that no short tail is left over, and not inside a word or number of usual
    length.

    Args:
        text: a page's text, of any length and script.
        size: pieces of the longest passage.
        overlap: pieces that neighbours share, less than `size`.
        most: passages a page at most. What comes after them is left out, unread: a hostile page
            costs no more than a long one.

    Returns:
        Passages in reading order; none for a text without a visible character.
    """
    step = size - overlap
    runs = [match.span() for match in islice(_RUN.finditer(text), overlap + most * step)]
    if not runs:
        return []
    count = max(1, -(-(len(runs) - overlap) // step))
    length = -(-(len(runs) + (count - 1) * overlap) // count)
    firsts = [number * (len(runs) - length) // max(1, count - 1) for number in range(count)]
    return [_passage(text, runs, first, first + length) for first in firsts]


def _passage(text: str, runs: list[Span], first: int, last: int) -> Passage:
    start = runs[_boundary(text, runs, first)][0]
    end = runs[_boundary(text, runs, last) - 1][1]
    return Passage(text[start:end], start, end)


def _boundary(text: str, runs: list[Span], index: int) -> int:
    """The run at `index`, or the one before it that begins its word when that is near."""
    if index == len(runs):
        return index
    for candidate in range(index, max(0, index - _LONGEST_STEP_BACK), -1):
        start = runs[candidate][0]
        around = text[start - 1 : start + 1]
        if not (around.isascii() and around.isalnum()):
            return candidate
    return index
