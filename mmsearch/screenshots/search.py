"""The candidates for a query with an image: by its look first, by the words on it where needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from mmsearch.encoders import Encoder
from mmsearch.engine import DEPTH
from mmsearch.errors import InvalidQuery
from mmsearch.filters import Filter
from mmsearch.index import Search
from mmsearch.mixing import Part, join, parts
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
    """Pages for images, or images and words; those that an image was cut from first.

    The words on an image are read only where its look did not find the very page: that takes
    longer than everything else.
    """
    asked = parts(query)
    apart = any(part.query.image is None for part in asked)
    found: list[tuple[Part, Sequence[Candidate]]] = []
    matched: dict[str, Mapping[PointId, Match]] = {}
    by_words: list[Candidate] = []
    for part in asked:
        if part.query.image is None:
            with suppress(InvalidQuery):  # no word to search for, but there are images
                by_words = engine.candidates(part.query, where=where, views=[*encoders])
                found.append((part, by_words))
            continue
        search = _Search(engine, encoders, where, ".image" if apart else "")
        ranked = search.candidates(part.query, by_words[:_MOST_WORDS])
        if search.asked or ranked:
            found.append((part, ranked))
            matched[part.label] = search.matched
    if not found:
        return engine.fuse({})  # says that there is nothing to search for
    return _spotted_first(join(found, DEPTH), matched)


def _spotted_first(
    candidates: Sequence[Candidate], matched: Mapping[str, Mapping[PointId, Match]]
) -> list[Candidate]:
    """The pages that the most images were cut from first, then the better fit; by image label,
    its matches.
    """
    matches: dict[PointId, dict[str, Match]] = {}
    for label, of_image in matched.items():
        for point, match in of_image.items():
            matches.setdefault(point, {})[label] = match
    top = max((candidate.score for candidate in candidates), default=0.0)
    spotted, rest = [], []
    for candidate in candidates:
        if not (found := matches.get(candidate.point)):
            rest.append(candidate)
            continue
        best = max(found.values(), key=lambda match: match.agreement)
        inliers = {f"inliers{label}": float(match.inliers) for label, match in found.items()}
        score = top + len(found) - 1 + best.agreement
        scores = {**candidate.scores, **inliers}
        spotted.append(replace(candidate, score=score, match=best, scores=scores))
    return sorted(spotted, key=lambda candidate: -candidate.score) + rest


class _Search:
    """The search for one image: its lists, votes and matches grow until the page is found."""

    def __init__(
        self,
        engine: SearchEngine,
        encoders: Mapping[str, Encoder],
        where: Filter | None,
        label: str,
    ) -> None:
        self._engine = engine
        self._where = where
        self._label = label  # of views that know words as well
        self._words = {n: e for n, e in encoders.items() if e.reads == "text"}
        self._models = {n: e for n, e in encoders.items() if e.reads == "picture"}
        self._features = [n for n, e in encoders.items() if e.reads == "features"]
        self._depth = DEPTH if self._features else DEPTH_WITHOUT
        self._ranked: dict[str, Ranked] = {}
        self._votes: dict[PointId, Vote] = {}
        self._sides: list[Side] = []
        self.asked = False  # the index was: the query holds something to look for
        self.matched: dict[PointId, Match] = {}

    def candidates(self, query: Query, likely: Sequence[Candidate]) -> list[Candidate]:
        """All that is found for an image, and the words with it, by looks, votes and words; it may
        have been cut from one of the pages that are `likely`.
        """
        assert query.image is not None
        self._by_look(query, query.image if query.given is None else query.given)
        if not self.matched and query.repairs:
            self._by_look(query, query.image, repaired=True)
        if likely and not self.matched:
            self._place(self._sides, [candidate.point for candidate in likely])
        if query.text or not self.matched:
            self._by_words(query)
        ranked = dict(self._ranked)
        if self._votes:
            label = self._features[0] if self._features else "votes"
            ranked[label] = [(point, vote.score) for point, vote in self._votes.items()]
        return self._engine.fuse(ranked) if ranked else []

    def _by_look(self, query: Query, image: Image, *, repaired: bool = False) -> None:
        """Look for the picture in the views of pictures, and place it on what they find."""
        if self._models and not self._ranked:
            self._ranked |= self._lists(self._engine.searches(query, self._models, self._label))
        for side in sides(image, repaired=repaired):
            self._sides.append(side)
            vector = side.vector
            searches = {name: Search(name, vector, DEPTH) for name in self._features if vector}
            found = self._lists(searches)
            in_turn = chain.from_iterable(zip_longest(*found.values(), *self._ranked.values()))
            self._place([side], [hit[0] for hit in in_turn if hit])
            if self.matched:
                return

    def _by_words(self, query: Query) -> None:
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
        self.asked |= bool(searches)
        return self._engine.lists(searches, self._where) if searches else {}

    def _pages(self, points: Sequence[PointId]) -> dict[PointId, PageId]:
        found = self._engine.index.pages.retrieve(points, payload=["document", "number"])
        return {point.id: (point.payload["document"], point.payload["number"]) for point in found}
