"""Places a screenshot on the pages that may be its own: votes first, then a close look at a few."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.errors import NotFound, UnreadableFile
from mmsearch.screenshots import features as local
from mmsearch.screenshots.features import Features
from mmsearch.screenshots.verification import Pose, verify
from mmsearch.screenshots.votes import vote
from mmsearch.types import Match, PointId, SparseVector

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.page_store import PageStore

CLOSE_LOOKS = 6  # pages compared in detail
_RIVAL = 0.7  # of the votes of a match: pages this near are compared as well, they may fit better
_DARK = 128  # median grey below which light and dark have probably been exchanged
_PIXELS = 2_000_000  # of the screenshot, for comparing

PageId = tuple[str, int]  # document, number


@dataclass(frozen=True, slots=True)
class Side:
    """A screenshot as it is, or with light and dark exchanged: grey pixels and features.

    `repaired` says that it is not the image that was given.
    """

    grey: NDArray[np.uint8]
    features: Features
    inverted: bool
    repaired: bool

    @property
    def vector(self) -> SparseVector | None:
        """What to look for among the visual words of pages."""
        return local.sparse(self.features)


class Vote(NamedTuple):
    """The place that a page's features speak for, and how much."""

    score: float
    pose: Pose


def sides(image: Image, *, repaired: bool = False) -> tuple[Side, Side]:
    """Both sides of an RGB image, the likelier one first."""
    grey = local.shrunk(np.asarray(image.convert("L"), np.uint8), _PIXELS)
    plain, exchanged = local.both_ways(grey)
    first = Side(grey, plain, inverted=False, repaired=repaired)
    second = Side(grey, exchanged, inverted=True, repaired=repaired)
    return (first, second) if np.median(grey) >= _DARK else (second, first)


def votes(
    side: Side, pages: Mapping[PointId, PageId], store: PageStore, pool: Executor
) -> dict[PointId, Vote]:
    """Where on each page the screenshot may sit, most votes first; pages without any left out."""
    found = pool.map(lambda page: _vote(side, page, store), pages.values())
    placed = {point: vote for point, vote in zip(pages, found, strict=True) if vote}
    return dict(sorted(placed.items(), key=lambda item: -item[1].score))


def matches(
    side: Side, found: Mapping[PointId, Vote], pages: Mapping[PointId, PageId], store: PageStore
) -> dict[PointId, Match]:
    """Compare the pages in detail, most votes first, until one is the very page; best fit first."""
    matched: dict[PointId, Match] = {}
    enough = 0.0
    for point in list(found)[:CLOSE_LOOKS]:
        score, pose = found[point]
        if score < enough:
            break
        with suppress(NotFound, UnreadableFile):  # it was removed since, or is damaged
            match = verify(side.grey, local.grey_of(store.picture(*pages[point])), pose)
            if match:
                matched[point] = replace(match, repaired=side.repaired)
                enough = max(enough, _RIVAL * score)
    return dict(sorted(matched.items(), key=lambda item: -item[1].agreement))


def _vote(side: Side, page: PageId, store: PageStore) -> Vote | None:
    try:
        theirs = store.features(*page)
    except (NotFound, UnreadableFile):
        return None
    place = vote(side.features, theirs)
    if place is None:
        return None
    scale = place.scale * side.features.width / theirs.width
    pose = Pose(scale, place.x / theirs.width, place.y / theirs.height, side.inverted)
    return Vote(place.score, pose)
