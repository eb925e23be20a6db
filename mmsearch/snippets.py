"""The few words of a page that show why it was found."""

from __future__ import annotations

LENGTH = 200  # characters


def snippet(text: str, query: str, *, length: int = LENGTH) -> str:
    """The stretch of `text` that holds most of the query's words, on one line.

    Args:
        text: a page's text.
        query: what was searched for; without words the page's beginning is taken.
        length: most characters of the stretch.

    Returns:
        At most `length` characters and an ellipsis on each side that was cut.
    """
    words = text.split()
    if not words:
        return ""
    wanted = {_plain(word) for word in query.split()} - {""}
    marks = [_plain(word) in wanted for word in words]
    start = _best_window(words, marks, length)
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


def _best_window(words: list[str], marks: list[bool], length: int) -> int:
    """Where the stretch with most distinct matches begins, a few words before the first."""
    best, best_count = 0, 0
    for first, marked in enumerate(marks):
        if not marked:
            continue
        seen: set[str] = set()
        used = 0
        for word, mark in zip(words[first:], marks[first:], strict=True):
            used += len(word) + 1
            if used > length:
                break
            if mark:
                seen.add(_plain(word))
        if len(seen) > best_count:
            best, best_count = first, len(seen)
    return max(0, best - 4)


def _plain(word: str) -> str:
    return word.strip(".,;:!?()[]{}\"'«»„“”‘’").casefold()
