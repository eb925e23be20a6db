"""The few words of a page that show why it was found."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import regex

from mmsearch import marks
from mmsearch.types import Float32, Span

LENGTH = 200  # characters
WORDS_PER_COSINE = 8.0  # how much a passage's likeness counts beside the query's words in it
_LEAD = 4  # words shown before the first match
_SENTENCE = 20  # words of one that has begun before its passage and are left out
_ABBREVIATION = 3  # characters of a word whose point ends no sentence: Mr., no., S.
_JOINT = 2  # characters between two marks that are one
# Scripts without spaces are cut into pieces: a line of them is a page's only word otherwise.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\uffff\U00020000-\U0003ffff"
_WORD = regex.compile(rf"[^\s{_UNSPACED}]+|[{_UNSPACED}--\s]{{1,24}}", regex.VERSION1)


class Passage(NamedTuple):
    """A stretch of a page's text, and its cosine to the query."""

    start: int
    end: int
    cosine: float


class Snippet(NamedTuple):
    """One line of text, and where in it the query's words stand."""

    text: str
    marks: tuple[Span, ...]


def snippet(
    text: str, query: str, *, passages: Sequence[Passage] = (), length: int = LENGTH
) -> Snippet:
    """The stretch of `text` that says most of what the query asks for, on one line.

    That is the one with most of the query's words; where the page was found by meaning, a passage
    that is nearer to the query outweighs a few words more elsewhere.

    Args:
        text: a page's text.
        query: what was searched for; without words the page's beginning is taken.
        passages: of the text in order, from the view that found it by meaning.
        length: most characters of the stretch.

    Returns:
        At most `length` characters and an ellipsis on each side that was cut.
    """
    spans = [found.span() for found in islice(_WORD.finditer(text), marks.MOST_WORDS)]
    words = [text[start:end] for start, end in spans]
    flags = marks.find(query, words) if query.strip() else [False] * len(words)
    first = _best_start(words, spans, flags, passages, length)
    while first and spans[-1][1] - spans[first - 1][0] <= length:  # room is left at the text's end
        first -= 1
    shown = "… " if first else ""
    most = len(shown) + length
    found: list[Span] = []
    last = first
    for last in range(first, len(words)):
        apart = "" if last == first or spans[last - 1][1] == spans[last][0] else " "
        word = words[last][:length]
        if last > first and len(shown) + len(apart) + len(word) > most:
            break
        shown += apart
        if flags[last]:
            at = len(shown)
            found += ((at + start, at + end) for start, end in marks.parts(query, word))
        shown += word
    else:
        last = len(words)
    cut = last < len(words) or (spans and spans[-1][1] < len(text.rstrip()))
    return Snippet(shown + " …" if cut else shown, _joined(shown, found))


def by_likeness(spans: Sequence[Span], rows: Float32, query: Float32) -> list[Passage]:
    """A page's passages with their likeness to a query.

    Args:
        spans: where they stand in the page's text.
        rows: (passages, dimension) float32, unit rows: their vectors.
        query: (dimension,) float32, a unit vector.

    Returns:
        Nothing where the rows are of another text: it was replaced just now.
    """
    if rows.ndim != 2 or len(rows) != len(spans):
        return []
    cosines = (rows @ query).tolist()
    return [Passage(*span, cosine) for span, cosine in zip(spans, cosines, strict=True)]


def _best_start(
    words: list[str],
    spans: list[Span],
    flags: list[bool],
    passages: Sequence[Passage],
    length: int,
) -> int:
    """The word with which the best stretch begins: near a match, or where a passage does."""
    marked = [position for position, flag in enumerate(flags) if flag]
    likeness = np.full(len(words), min((p.cosine for p in passages), default=0.0))
    starts = {max(0, position - _LEAD): position for position in reversed(marked)}
    offsets = [start for start, _ in spans]
    for passage in passages:
        begin, end = (bisect_left(offsets, edge) for edge in passage[:2])
        likeness[begin:end] = np.maximum(likeness[begin:end], passage.cosine)
        if begin < len(words):
            sentence = _sentence(words, begin)
            starts.setdefault(sentence, sentence)
    counts: Counter[str] = Counter()
    keys = [words[position].casefold() for position in marked]
    left = right = 0
    best, best_score = 0, -np.inf
    for start in sorted(starts):
        while right < len(marked) and spans[marked[right]][1] - spans[start][0] <= length:
            counts[keys[right]] += 1
            right += 1
        while left < right and marked[left] < start:
            counts[keys[left]] -= 1
            if not counts[keys[left]]:
                del counts[keys[left]]
            left += 1
        score = len(counts) + WORDS_PER_COSINE * likeness[starts[start]]
        if score > best_score:
            best, best_score = start, score
    return best


def _sentence(words: list[str], begin: int) -> int:
    """Where a sentence begins soon after, else `begin`: passages are cut at any word."""
    for position in range(begin, min(begin + _SENTENCE, len(words) - 1) if begin else 0):
        word = words[position]
        if len(word) > _ABBREVIATION and word.endswith((".", "!", "?", "。", "！", "？")):
            return position + 1
    return begin


def _joined(text: str, spans: list[Span]) -> tuple[Span, ...]:
    """Spans with those joined between which no letter or number stands."""
    joined: list[Span] = []
    for start, end in spans:
        between = text[joined[-1][1] : start] if joined else ""
        if joined and len(between) <= _JOINT and not any(map(str.isalnum, between)):
            start = joined.pop()[0]
        joined.append((start, end))
    return tuple(joined)
