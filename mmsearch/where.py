"""Where in its document a hit is, as people say it."""

from __future__ import annotations

from mmsearch.types import Hit, Kind

_UNITS: dict[Kind, str] = {"slides": "slide", "image": "image", "video": "frame"}


def place_of(hit: Hit) -> str:
    """Such as `page 3 of 12`, `slide 2 of 9`, `at 1:05`."""
    if hit.seconds is not None:
        minutes, seconds = divmod(int(hit.seconds), 60)
        return f"at {minutes}:{seconds:02}"
    unit = _UNITS.get(hit.document.kind, "page")
    if unit == "image" and hit.document.page_count <= 1:
        return unit
    total = f" of {hit.document.page_count}" if hit.document.page_count else ""
    return f"{unit} {hit.page}{total}"
