"""Find the page that a screenshot was cut from, and where on it.

Local features of the screenshot vote for a place on each of the most likely pages (`votes`), and
the best few are compared with it in detail (`verification`). `repair` takes off what screenshots
have around and over the page.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmsearch.types import Hit, Query


def repairs(query: Query, hits: Sequence[Hit]) -> tuple[str, ...]:
    """What was done to the image before it was found: nothing where it was found as it is."""
    match = hits[0].match if hits else None
    return () if match and not match.repaired else query.repairs
