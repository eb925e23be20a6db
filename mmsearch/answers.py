"""What is shown of a list of candidates: a stretch of it, reranked, with totals and facets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmsearch import facets, grouping, mixing
from mmsearch.errors import InvalidSetting
from mmsearch.types import Hit, Query

if TYPE_CHECKING:
    from mmsearch.engine import Candidate, SearchEngine

_FACET_VALUES = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, and what stands beside them.

    `total` counts all that was found: pages, or documents where they are grouped. `facets` has, by
    facet, values and their numbers of pages. Another answer follows unless this is the `last`.
    """

    hits: list[Hit]
    total: int
    facets: Mapping[str, facets.Counts]
    last: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """Which stretch of a list is shown, and whether only the best page of each document is."""

    limit: int
    offset: int
    group: bool

    def __post_init__(self) -> None:
        if self.limit < 0 or self.offset < 0:
            raise InvalidSetting(
                f"limit {self.limit}, offset {self.offset}: neither may be below 0"
            )

    @property
    def end(self) -> int:
        """Behind the last one that is shown."""
        return self.offset + self.limit

    def taken(
        self, engine: SearchEngine, query: Query, found: Sequence[Candidate]
    ) -> tuple[list[Hit], int]:
        """The hits of this stretch, ranked from its first on, and how many there are in all."""
        first = self.offset + 1
        if not self.group:
            return engine.hits(query, found[self.offset : self.end], first=first), len(found)
        groups = grouping.by_document(found, _places(engine, found))
        shown = {group.document: group for group in groups[self.offset : self.end]}
        hits = engine.hits(query, [group.best for group in shown.values()], first=first)
        return [
            replace(hit, more=group.more, more_pages=group.pages)
            for hit in hits
            for group in (shown[hit.document.id],)
        ], len(groups)


def reranked(
    engine: SearchEngine,
    query: Query,
    found: Sequence[Candidate],
    cut: Cut,
    rerank: bool | int | None,
) -> list[Candidate] | None:
    """The candidates in the reranker's order; None where it has nothing to reorder."""
    if not _reorders(engine, query, found, cut, rerank):
        return None
    count = None if rerank is None or rerank is True else rerank
    return mixing.rerank(engine, query, found, count)


def staged(
    engine: SearchEngine,
    query: Query,
    found: Sequence[Candidate],
    cut: Cut,
    rerank: bool | int | None,
) -> Iterator[Answer]:
    """See `SearchEngine.answers`."""
    counts = facets.of_candidates(engine.index.pages, found, _FACET_VALUES)
    last = not _reorders(engine, query, found, cut, rerank)
    yield Answer(*cut.taken(engine, query, found), counts, last)
    if better := reranked(engine, query, found, cut, rerank):
        yield Answer(*cut.taken(engine, query, better), counts, last=True)


def _reorders(
    engine: SearchEngine,
    query: Query,
    found: Sequence[Candidate],
    cut: Cut,
    rerank: bool | int | None,
) -> bool:
    """Whether the reranker has pages to reorder: by default those that words alone have found."""
    wanted = query.image is None if rerank is None else rerank
    # Which pages are reranked does not depend on what is shown of them.
    shown = found if cut.group else found[: cut.end]
    return bool(engine.reranker and wanted and not all(candidate.match for candidate in shown))


def _places(engine: SearchEngine, candidates: Sequence[Candidate]) -> dict[str, grouping.Place]:
    """Document and number of the pages that still exist, by point."""
    points = [candidate.point for candidate in candidates]
    found = engine.index.pages.retrieve(points, payload=["document", "number"])
    return {point.id: (point.payload["document"], point.payload["number"]) for point in found}
