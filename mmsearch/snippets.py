"""The few words of a page that show why it was found."""

from __future__ import annotations

from mmsearch.encoders.tokens import matches

LENGTH = 200  # characters
MOST_WORDS = 20_000  # of a page that are looked at
_LEAD = 4  # words shown before the first match


def snippet(text: str, query: str, *, length: int = LENGTH) -> str:
    """The stretch of `text` that holds most of the query's words, on one line.

    Args:
        text: a page's text.
        query: what was searched for; without words the page's beginning is taken.
        length: most characters of the stretch.

    Returns:
        At most `length` characters and an ellipsis on each side that was cut.
    """
    words = text.split(maxsplit=MOST_WORDS)[:MOST_WORDS]
    marks = matches(query, words) if query.strip() else [False] * len(words)
    start = max(0, _best_start(words, marks, length) - _LEAD)
    taken: list[str] = []
    used = 0
    for word in words[start:]:
        used += len(word) + 1
        if taken and used > length:
            break
        taken.append(word[:length])
    before = "… " if start else ""
    after = " …" if start + len(taken) < len(words) else ""
    return before + " ".join(taken) + after


def _best_start(words: list[str], marks: list[bool], length: int) -> int:
    """The match at which the stretch with most distinct matches begins."""
    marked = [position for position, mark in enumerate(marks) if mark]
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word) + 1)
    best, best_count, last = 0, 0, 0
    counts: dict[str, int] = {}
    for first, position in enumerate(marked):
        while last < len(marked) and ends[marked[last] + 1] - ends[position] <= length:
            word = words[marked[last]].casefold()
            counts[word] = counts.get(word, 0) + 1
            last += 1
        if len(counts) > best_count:
            best, best_count = position, len(counts)
        if last > first:  # the window leaves its first match behind
            word = words[position].casefold()
            counts[word] -= 1
            if not counts[word]:
                del counts[word]
        else:
            last = first + 1
    return best
