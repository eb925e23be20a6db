"""What every index backend must answer: brute force in NumPy, written to be read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmsearch.filters import AnyOf, Between, Condition, Filter, HasVector, Ids
from mmsearch.index import Collection, Point, Schema, Scored, Search
from mmsearch.types import Payload, PointId, SparseVector, Vector


class Reference(Collection):
    """A collection in a dict."""

    def __init__(self, schema: Schema, points: Sequence[Point] = ()) -> None:
        self.schema = schema
        self.points: dict[PointId, Point] = {}
        self.upsert(points)

    def upsert(self, points: Sequence[Point]) -> None:
        self.points |= {point.id: point for point in points}

    def set_vectors(self, vectors: Mapping[PointId, Mapping[str, Vector]]) -> None:
        for id_ in vectors.keys() & self.points.keys():
            old = self.points[id_]
            self.points[id_] = Point(id_, old.payload, {**old.vectors, **vectors[id_]})

    def set_payload(self, payload: Payload, where: Filter) -> None:
        for old in self.selected(where):
            self.points[old.id] = Point(old.id, {**old.payload, **payload}, old.vectors)

    def delete(self, where: Filter) -> None:
        for point in self.selected(where):
            del self.points[point.id]

    def search(
        self, searches: Sequence[Search], where: Filter, *, payload: bool | Sequence[str] = True
    ) -> list[list[Scored]]:
        lists = []
        for search in searches:
            scores = self.scores(search.view, search.vector, where)
            best = sorted(scores, key=lambda id_: (-scores[id_], id_))[: search.limit]
            lists.append(
                [
                    Scored(id_, scores[id_], selected_payload(self.points[id_].payload, payload))
                    for id_ in best
                ]
            )
        return lists

    def scores(self, view: str, query: Vector, where: Filter) -> dict[PointId, float]:
        """The score of every point that a search of the view may find."""
        terms = self.statistics(view, query)
        usual = self.schema.view(view).idf
        weights = {term: idf(*counts) if usual else 1.0 for term, counts in terms.items()}
        scores = {
            point.id: score(query, point.vectors[view], weights)
            for point in self.selected(where)
            if view in point.vectors
        }
        return {id_: value for id_, value in scores.items() if value is not None}

    def statistics(self, view: str, query: Vector) -> dict[int, tuple[int, int]]:
        """For each term of a sparse query: how many points have the view, and have the term."""
        if not isinstance(query, SparseVector):
            return {}
        pages = [as_weights(p.vectors[view]) for p in self.points.values() if view in p.vectors]
        return {
            term: (len(pages), sum(term in page for page in pages)) for term in as_weights(query)
        }

    def retrieve(
        self, ids: Sequence[PointId], *, payload: bool | Sequence[str] = True, vectors: bool = False
    ) -> list[Point]:
        return [self._shown(id_, payload, vectors) for id_ in ids if id_ in self.points]

    def scroll(
        self,
        where: Filter,
        *,
        payload: bool | Sequence[str] = True,
        vectors: bool = False,
        batch: int = 256,
    ) -> Iterator[Point]:
        for id_ in sorted(point.id for point in self.selected(where)):
            yield self._shown(id_, payload, vectors)

    def count(self, where: Filter) -> int:
        return len(self.selected(where))

    def facet(self, name: str, where: Filter, *, limit: int = 10) -> dict[str | int, int]:
        counted: Counter[str | int] = Counter()
        for point in self.selected(where):
            counted.update(set(values_of(point.payload, name)))
        return dict(counted.most_common(limit))

    def selected(self, where: Filter) -> list[Point]:
        return [point for point in self.points.values() if matches(point, where)]

    def _shown(self, id_: PointId, payload: bool | Sequence[str], vectors: bool) -> Point:
        point = self.points[id_]
        return Point(
            id_, selected_payload(point.payload, payload), point.vectors if vectors else {}
        )


def score(query: Vector, page: Vector, weights: Mapping[int, float]) -> float | None:
    """Dot product; of the best row for a multi view; None for a page without a term asked for."""
    if not isinstance(query, SparseVector):
        assert not isinstance(page, SparseVector)
        return float(np.max(page.astype(np.float64) @ query.astype(np.float64).reshape(-1)))
    asked, found = as_weights(query), as_weights(page)
    if not asked.keys() & found.keys():
        return None
    return math.fsum(asked[t] * weights[t] * found[t] for t in asked.keys() & found.keys())


def idf(total: int, frequency: int) -> float:
    """BM25's weight of a term that `frequency` of `total` points have."""
    return math.log((total - frequency + 0.5) / (frequency + 0.5) + 1)


def as_weights(vector: Vector) -> dict[int, float]:
    assert isinstance(vector, SparseVector)
    return dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))


def matches(point: Point, where: Filter) -> bool:
    return all(holds(point, condition) for condition in where.must) and not any(
        holds(point, condition) for condition in where.must_not
    )


def holds(point: Point, condition: Condition) -> bool:
    match condition:
        case Ids(ids):
            return point.id in ids
        case HasVector(view):
            return view in point.vectors
        case AnyOf(field, values):
            return any(value in values for value in values_of(point.payload, field))
        case Between(field, low, high):
            return any(
                isinstance(value, int | float)
                and (low is None or value >= low)
                and (high is None or value <= high)
                for value in values_of(point.payload, field)
            )


def values_of(payload: Payload, field: str) -> list[Any]:
    """A field's values: its elements where it is a list, none where it is missing or null."""
    value = payload.get(field)
    values = value if isinstance(value, list) else [value]
    return [item for item in values if item is not None]


def selected_payload(payload: Payload, wanted: bool | Sequence[str]) -> Payload:
    if isinstance(wanted, bool):
        return dict(payload) if wanted else {}
    return {key: value for key, value in payload.items() if key in wanted}
