"""The candidates for a query with an image: by its look first, by the words on it where needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from mmsearch.encoders import Encoder
from mmsearch.engine import DEPTH
from mmsearch.filters import Filter
from mmsearch.index import Search
from mmsearch.screenshots.finding import PageId, Side, Vote, matches, sides, votes
from mmsearch.types import Match, PointId, Query

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.engine import Candidate, Ranked, SearchEngine

# Where no view holds features they are made now, and that takes longer than all else.
DEPTH_WITHOUT = 10
LINES = 8  # of the screenshot that are read
_MOST_WORDS = 20  # candidates by words that are placed


def candidates(
    engine: SearchEngine,
    query: Query,
    encoders: Mapping[str, Encoder],
    where: Filter | None,
) -> list[Candidate]:
    """Pages for an image, or an image and words; those that it was cut from first.

    The words on the image are read only where its look did not find the very page: that takes
    longer than everything else.
    """
    assert query.image is not None
    given = query.image if query.given is None else query.given
    search = _Search(engine, encoders, where)
    search.by_look(query, given)
    if not search.matched and query.repairs:
        search.by_look(query, query.image, repaired=True)
    if query.text or not search.matched:
        search.by_words(query)
    return search.candidates()


class _Search:
    """One search: its lists, votes and matches grow until the page is found."""

    def __init__(
        self, engine: SearchEngine, encoders: Mapping[str, Encoder], where: Filter | None
    ) -> None:
        self._engine = engine
        self._where = where
        self._words = {n: e for n, e in encoders.items() if e.reads == "text"}
        self._models = {n: e for n, e in encoders.items() if e.reads == "picture"}
        self._features = [n for n, e in encoders.items() if e.reads == "features"]
        self._depth = DEPTH if self._features else DEPTH_WITHOUT
        self._ranked: dict[str, Ranked] = {}
        self._votes: dict[PointId, Vote] = {}
        self._sides: list[Side] = []
        self._asked = False  # the index was: the image holds something to look for
        self.matched: dict[PointId, Match] = {}

    def by_look(self, query: Query, image: Image, *, repaired: bool = False) -> None:
        """Look for the picture in the views of pictures, and place it on what they find."""
        if self._models and not self._ranked:
            self._ranked |= self._lists(self._engine.searches(query, self._models))
        for side in sides(image, repaired=repaired):
            self._sides.append(side)
            vector = side.vector
            searches = {name: Search(name, vector, DEPTH) for name in self._features if vector}
            found = self._lists(searches)
            in_turn = chain.from_iterable(zip_longest(*found.values(), *self._ranked.values()))
            self._place([side], [hit[0] for hit in in_turn if hit])
            if self.matched:
                return

    def by_words(self, query: Query) -> None:
        """Look for the words on the picture and those beside it."""
        from mmsearch.ocr import read_lines

        if not self._words:
            return
        assert query.image is not None
        searches = self._engine.searches(Query(query.text), self._words) if query.text else {}
        if not self.matched and (read := read_lines(query.image, LINES)):
            searches |= self._engine.searches(Query(read), self._words, ".image")
        found = self._lists(searches)
        self._ranked |= found
        if found and not self.matched:
            best = self._engine.fuse(found)[:_MOST_WORDS]
            self._place(self._sides, [candidate.point for candidate in best])

    def candidates(self) -> list[Candidate]:
        """All that was found: the very pages first, then by votes and words."""
        ranked = dict(self._ranked)
        if self._votes:
            label = self._features[0] if self._features else "votes"
            ranked[label] = [(point, vote.score) for point, vote in self._votes.items()]
        if not ranked and self._asked:
            return []
        fused = self._engine.fuse(ranked)
        by_point = {candidate.point: candidate for candidate in fused}
        top = max((candidate.score for candidate in fused), default=0.0)
        spotted = [
            replace(
                by_point[point],
                score=top + match.agreement,
                match=match,
                scores={**by_point[point].scores, "inliers": float(match.inliers)},
            )
            for point, match in self.matched.items()
        ]
        return spotted + [c for c in fused if c.point not in self.matched]

    def _place(self, sides: Sequence[Side], points: Sequence[PointId]) -> None:
        """Place the picture on these pages, and look closely at the best."""
        pages = self._pages(list(dict.fromkeys(points))[: self._depth])
        for side in sides:
            found = votes(side, pages, self._engine.store, self._engine.pool)
            for point, vote in found.items():
                known = self._votes.get(point)
                if known is None or known.score < vote.score:
                    self._votes[point] = vote
            self.matched |= matches(side, found, pages, self._engine.store)
            if self.matched:
                return

    def _lists(self, searches: Mapping[str, Search]) -> dict[str, Ranked]:
        self._asked |= bool(searches)
        return self._engine.lists(searches, self._where) if searches else {}

    def _pages(self, points: Sequence[PointId]) -> dict[PointId, PageId]:
        found = self._engine.index.pages.retrieve(points, payload=["document", "number"])
        return {point.id: (point.payload["document"], point.payload["number"]) for point in found}
