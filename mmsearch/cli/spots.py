"""What is said of a hit for a screenshot: how sure it is, and the spot on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsearch.types import Box, Hit

THIS_PAGE, SIMILAR, NOT_FOUND = "this very page", "looks similar", "not found"

_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
_NEARLY_ALL = 0.8  # of the height or width: no word says where it is


def confidence(hit: Hit | None) -> str:
    """How sure it is that the screenshot was cut from this page."""
    if hit is None:
        return NOT_FOUND
    return THIS_PAGE if hit.match else SIMILAR


def spot(box: Box) -> str:
    """A box in words and figures: `top left (12-48 % across, 5-20 % down)`."""
    across, down = (
        f"{100 * low:.0f}-{100 * high:.0f} %" for low, high in ((box.x0, box.x1), (box.y0, box.y1))
    )
    row, column = _third(box.y0, box.y1, _ROWS), _third(box.x0, box.x1, _COLUMNS)
    if row == "middle" and column == "centre":
        column = ""
    words = " ".join(filter(None, (row, column))) or "nearly all"
    return f"{words} ({across} across, {down} down)"


def match_row(hit: Hit | None) -> dict[str, Any] | None:
    """The match of a hit as JSON."""
    if hit is None or hit.match is None:
        return None
    match = hit.match
    return {
        "box": list(match.box),
        "inliers": match.inliers,
        "agreement": match.agreement,
        "inverted": match.inverted,
    }


def repaired(steps: tuple[str, ...]) -> str:
    """What was done to a query image before it was looked for."""
    return f"the image was repaired: {', '.join(steps)}"


def _third(low: float, high: float, words: tuple[str, str, str]) -> str:
    if high - low > _NEARLY_ALL:
        return ""
    return words[min(2, max(0, int(3 * (low + high) / 2)))]
