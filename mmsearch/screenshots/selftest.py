"""How well screenshots are found in an index: cut from its own pages, and looked for."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmsearch import documents, filters
from mmsearch.documents import READY
from mmsearch.errors import InvalidQuery, NotFound, UnreadableFile
from mmsearch.filters import Filter, HasVector
from mmsearch.images import open_image
from mmsearch.screenshots.cuts import Cut, cuts, pixels
from mmsearch.types import Box, Float32, Hit

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

_COMPARED_WIDTH = 850  # pixels of a page: 100 dpi
_SAME_BLOCK = 10  # pixels
_SAME = 20.0  # of 255: mean difference of the worst block of two pages that show the same
_COPIES = 12  # pages that show the same and are hidden one after the other

_GOOD, _FAIR = 0.95, 0.85  # share found first
_MOST_WRONG = 0.02  # share taken for a page that does not show it
_MOST_WITHOUT = 0.02  # share of pages without vectors
_SMALL = 500_000  # pixels of a page picture

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a screenshot: rank of its page from 1, None beyond ten.

    A page that shows the very same is as good as its own: `first` counts it, `rank` does not.
    `wrong` says that another page was taken for the very page, `hidden_wrong` that one was while
    all pages that show the same were hidden. `seconds` is of the search.
    """

    cut: Cut
    rank: int | None
    first: bool
    iou: float | None
    verified: bool
    wrong: bool
    hidden_wrong: bool
    seconds: float

    @property
    def fault(self) -> str:
        """`mistaken` for another page's part, or `missed`, or neither."""
        if self.wrong or self.hidden_wrong:
            return "mistaken"
        return "" if self.first else "missed"


def outcomes(engine: SearchEngine, count: int, seed: int = 1) -> Iterator[Outcome]:
    """Cut up to `count` screenshots, the same for the same index and seed, and look for each.

    Raises:
        NotFound: the index is empty.
    """
    for number, cut in enumerate(cuts(engine, count, seed)):
        if not number:  # the first search loads what all need
            _search(engine, cut)
        yield _outcome(engine, cut)


def figures(tried: Sequence[Outcome]) -> dict[str, float]:
    """Shares in [0, 1]: see `docs/commands.md`; `p50` and `p95` in seconds."""
    count = max(1, len(tried))
    seconds = sorted(outcome.seconds for outcome in tried) or [0.0]
    boxes = [outcome.iou for outcome in tried if outcome.iou is not None]
    return {
        "screenshots": len(tried),
        "rank1": sum(o.first for o in tried) / count,
        "rank10": sum(o.first or o.rank is not None for o in tried) / count,
        "iou": statistics.fmean(boxes) if boxes else 0.0,
        "verified": sum(o.verified for o in tried) / count,
        "wrong": sum(o.wrong for o in tried) / count,
        "hidden_wrong": sum(o.hidden_wrong for o in tried) / count,
        "p50": seconds[len(seconds) // 2],
        "p95": seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
    }


def verdict(engine: SearchEngine, tried: Sequence[Outcome]) -> str:
    """One sentence: how well screenshots are found here, and what to do if they are not."""
    if not tried:
        return "No page of the index has anything drawn on it that a screenshot could be cut of."
    found, count = sum(o.first for o in tried), len(tried)
    wrong = sum(o.fault == "mistaken" for o in tried)
    share = found / count
    grade = "Good" if share >= _GOOD else "Fair" if share >= _FAIR else "Bad"
    result = f"{found} of {count} screenshots have their page first"
    if without := _without_vectors(engine):
        return (
            f"Bad: {without:,} pages have no vectors of their picture yet ({result}); "
            "run again: mmsearch ingest PATH"
        )
    if wrong > _MOST_WRONG * count:
        return (
            f"{grade}, with care: {result}, but {wrong} were taken for a page that does not show "
            'them; compare the pictures before you trust "this very page"'
        )
    if grade == "Good":
        return f"Good: {result}."
    if statistics.median(o.cut.pixels for o in tried if not o.first) < _SMALL:
        return (
            f"{grade}: {result}; the pictures of those that were missed are small, "
            "ingest sharper scans of them where there are any"
        )
    return (
        f"{grade}: {result}; look at the places that were missed, pages that are nearly alike "
        "and parts with little on them are hard to tell"
    )


def _outcome(engine: SearchEngine, cut: Cut) -> Outcome:
    started = time.perf_counter()
    hits = _search(engine, cut)
    seconds = time.perf_counter() - started
    rank = next((hit.rank for hit in hits if _is_own(hit, cut)), None)
    match = hits[0].match if hits else None
    first = rank == 1 or (bool(hits) and _shows_same(engine, hits[0], cut))
    return Outcome(
        cut=cut,
        rank=rank,
        first=first,
        iou=iou(match.box, cut.box) if match and rank == 1 else None,
        verified=match is not None,
        wrong=match is not None and not first,
        hidden_wrong=_is_mistaken(engine, cut),
        seconds=seconds,
    )


def _search(
    engine: SearchEngine, cut: Cut, where: Filter | None = None, views: Sequence[str] = ()
) -> list[Hit]:
    with suppress(InvalidQuery):  # nothing on it that could be looked for
        return engine.search(image=cut.image, where=where, views=views)
    return []


def _is_mistaken(engine: SearchEngine, cut: Cut) -> bool:
    """Whether another page is taken for the very page once that is not there to be found."""
    hidden = {documents.point_id(cut.document, cut.page)}
    # Reading its words would take most of the time, and finds pages that are compared as strictly.
    by_look = [name for name, encoder in engine.encoders.items() if encoder.reads != "text"]
    for _ in range(_COPIES):
        where = Filter(must_not=filters.ids(sorted(hidden)).must)
        hits = _search(engine, cut, where, by_look)
        if not hits or not hits[0].match:
            return False
        if not _shows_same(engine, hits[0], cut):
            return True
        hidden.add(documents.point_id(hits[0].document.id, hits[0].page))
    return False


def _is_own(hit: Hit, cut: Cut) -> bool:
    return (hit.document.id, hit.page) == (cut.document, cut.page)


def _shows_same(engine: SearchEngine, hit: Hit, cut: Cut) -> bool:
    """Whether the page is a copy of the screenshot's, or shows, somewhere, all that was cut."""
    if any((twin.document.id, twin.page) == (cut.document, cut.page) for twin in hit.also_in):
        return True
    try:
        own, other = (
            np.asarray(open_image(engine.store.picture(*page)).convert("L"), np.uint8)
            for page in ((cut.document, cut.page), (hit.document.id, hit.page))
        )
    except (NotFound, UnreadableFile):  # removed since
        return False
    return shows(own, cut.box, other, hit.match.box if hit.match else None)


def shows(own: Grey, box: Box, other: Grey, spot: Box | None) -> bool:
    """Whether another page shows what a page has in `box`: somewhere, or at `spot`."""
    # A spot is rounded: where both pages are as wide, it only blurs what is compared.
    pairs = (at_one_size(own, box, other, place) for place in dict.fromkeys((None, spot)))
    return any(pair is not None and holds(*pair) for pair in pairs)


def at_one_size(own: Grey, box: Box, other: Grey, spot: Box | None) -> tuple[Grey, Grey] | None:
    """Another page, and the part of its own that a screenshot shows, at the same scale.

    `spot` is where the other page seems to show it; without, both pages are taken to be as wide.
    None where the other page would be enormous.
    """
    height = round(_COMPARED_WIDTH * own.shape[0] / own.shape[1])
    left, top, right, bottom = pixels(box, _COMPARED_WIDTH, height)
    part = _resized(own, _COMPARED_WIDTH, height)[top:bottom, left:right]
    width, height = _COMPARED_WIDTH, round(_COMPARED_WIDTH * other.shape[0] / other.shape[1])
    if spot:
        width = round((right - left) / max(spot.x1 - spot.x0, 1e-3))
        height = round((bottom - top) / max(spot.y1 - spot.y0, 1e-3))
    if max(width, height) > 4 * _COMPARED_WIDTH:
        return None
    return _resized(other, width, height), part


def holds(page: Grey, part: Grey) -> bool:
    """Whether a part is somewhere on a page, at its own size: no block of it may differ."""
    import cv2

    if page.shape[0] < part.shape[0] + 2 or page.shape[1] < part.shape[1] + 2 or part.std() < 1:
        return False
    _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(page, part, cv2.TM_CCOEFF_NORMED))
    if likeness < 0.8:
        return False
    worst: Float32 = np.full([side // _SAME_BLOCK for side in part.shape], 255, np.float32)
    rows, columns = (side * _SAME_BLOCK for side in worst.shape)
    for down, right in itertools.product((-1, 0, 1), repeat=2):
        top, left = max(0, y + down), max(0, x + right)
        there = page[top : top + rows, left : left + columns]
        if there.shape == (rows, columns):
            apart = np.abs(there.astype(np.float32) - part[:rows, :columns])
            blocks = apart.reshape(worst.shape[0], _SAME_BLOCK, worst.shape[1], _SAME_BLOCK)
            worst = np.minimum(worst, blocks.mean(axis=(1, 3)))
    return bool(worst.max() < _SAME)


def _resized(grey: Grey, width: int, height: int) -> Grey:
    import cv2

    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def iou(ours: Box, truth: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    wide = min(ours.x1, truth.x1) - max(ours.x0, truth.x0)
    high = min(ours.y1, truth.y1) - max(ours.y0, truth.y0)
    both = max(wide, 0.0) * max(high, 0.0)
    areas = [(box.x1 - box.x0) * (box.y1 - box.y0) for box in (ours, truth)]
    return both / (sum(areas) - both)


def _without_vectors(engine: SearchEngine) -> int:
    """How many pages still lack what a screenshot is found by; 0 where those are hardly any."""
    pending = [document.id for document in engine.documents.all(filters.equals("state", "pending"))]
    there = READY & filters.equals("document", *pending)
    views = [name for name, encoder in engine.encoders.items() if encoder.reads != "text"]
    pages = engine.index.pages
    lacking = max(
        (pages.count(there & Filter(must_not=(HasVector(name),))) for name in views if pending),
        default=0,
    )
    return lacking if lacking > _MOST_WITHOUT * pages.count(READY) else 0
