"""What one engine read, completed by the other: lines that are missing or doubtful."""

from __future__ import annotations

from collections.abc import Sequence

from mmsearch.ocr.layout import Line, reading_order
from mmsearch.types import Box

_COVERED = 0.4  # share of a found line that words must cover for it to count as read
# Mean confidence of a line that need not be read again: with .88, old German print has a character
# error rate of .109, with .93 one of .088, as by RapidOCR alone.
_SURE_LINE = 0.93


def sure(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines that need not be read again."""
    return tuple(line for line in lines if line.confidence >= _SURE_LINE and len(line.text) > 2)


def uncovered(boxes: Sequence[Box], lines: Sequence[Line]) -> list[int]:
    """Indices of those boxes that hardly any word of the lines stands in."""
    words = [word.box for line in lines for word in line.words]
    return [index for index, box in enumerate(boxes) if _share(box, words) < _COVERED]


def ordered(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines in reading order; columns written downwards from right to left."""
    down = [_runs_down(line) for line in lines]
    if sum(down) > len(lines) / 2:
        return tuple(sorted(lines, key=lambda line: (-line.box.x1, line.box.y0)))
    return tuple(lines[index] for index in reading_order([line.box for line in lines]))


def _runs_down(line: Line) -> bool:
    box = line.box
    return len(line.text) > 2 and box.y1 - box.y0 > 2 * (box.x1 - box.x0)


def confidence(lines: Sequence[Line], unread: float) -> float:
    """Mean confidence of the lines by length; `unread` is the length of text found besides."""
    total = sum(len(line.text) for line in lines) + unread
    return sum(len(line.text) * line.confidence for line in lines) / max(total, 1.0)


def _share(box: Box, words: Sequence[Box]) -> float:
    """The share of a box's width that words in the middle of its height cover."""
    middle = (box.y0 + box.y1) / 2
    inside = (
        min(word.x1, box.x1) - max(word.x0, box.x0) for word in words if word.y0 < middle < word.y1
    )
    return sum(part for part in inside if part > 0) / max(box.x1 - box.x0, 1e-9)
