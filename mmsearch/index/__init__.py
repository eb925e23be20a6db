"""The index seam: where vectors and payloads live, embedded or on a server.

An index holds two collections: `pages` (a point a page, a named vector a view) and `documents`
(a point a document, payload only). Everything above this seam speaks in these terms alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mmsearch.filters import Filter
from mmsearch.types import Payload, PointId, SparseVector, Vector, VectorKind

FORMAT = 4  # of the index; a change to what is stored and how raises it

# No booleans: Qdrant Edge's Python binding reads True in a filter as 1. Flags are integers 0 and 1.
FieldType = Literal["keyword", "integer", "float"]


@dataclass(frozen=True, slots=True)
class View:
    """The schema of one named vector: scores are dot products of what is stored and asked for.

    `multi` compares by MAX_SIM: the best of the page's rows counts. With `idf`, `sparse` values
    are multiplied by the index with the term's IDF, `ln((N - n + .5) / (n + .5) + 1)`; in other
    kinds it says nothing.
    """

    name: str
    kind: VectorKind
    dimension: int | None = None
    idf: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """The vectors and the filterable fields of one collection."""

    views: tuple[View, ...] = ()
    fields: Mapping[str, FieldType] = field(default_factory=dict)

    def view(self, name: str) -> View:
        """The view of this name; ValueError where there is none."""
        for view in self.views:
            if view.name == name:
                return view
        known = ", ".join(view.name for view in self.views) or "none"
        raise ValueError(f"view {name!r}: the index has no such view; it has: {known}")


@dataclass(frozen=True, slots=True)
class Point:
    """What is written: id (a UUID as text), payload, and vectors by view."""

    id: PointId
    payload: Payload = field(default_factory=dict)
    vectors: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a search returns: id, the view's raw score and the payload."""

    id: PointId
    score: float
    payload: Payload


@dataclass(frozen=True, slots=True)
class Search:
    """One ranked list that is asked for: a vector against a view.

    A multi view is searched with one row, (dimension,) or (1, dimension).
    """

    view: str
    vector: Vector
    limit: int


class Collection(ABC):
    """Points with named vectors and a payload. Every verb is safe to repeat."""

    schema: Schema

    @abstractmethod
    def upsert(self, points: Sequence[Point]) -> None:
        """Write points whole: payload and vectors replace what was there."""

    @abstractmethod
    def set_vectors(self, vectors: Mapping[PointId, Mapping[str, Vector]]) -> None:
        """Add or replace some views of existing points; other views stay."""

    @abstractmethod
    def set_payload(self, payload: Payload, where: Filter) -> None:
        """Merge `payload` into every point that the filter selects."""

    @abstractmethod
    def delete(self, where: Filter) -> None:
        """Remove every point that the filter selects; an empty filter is refused."""

    @abstractmethod
    def search(
        self, searches: Sequence[Search], where: Filter, *, payload: bool | Sequence[str] = True
    ) -> list[list[Scored]]:
        """All lists in one batched request, each best first; ties in no fixed order."""

    @abstractmethod
    def retrieve(
        self, ids: Sequence[PointId], *, payload: bool | Sequence[str] = True, vectors: bool = False
    ) -> list[Point]:
        """The points that exist among `ids`, in the order of `ids`."""

    @abstractmethod
    def scroll(
        self,
        where: Filter,
        *,
        payload: bool | Sequence[str] = True,
        vectors: bool = False,
        batch: int = 256,
    ) -> Iterator[Point]:
        """Every point that the filter selects, in order of id, read `batch` at a time."""

    @abstractmethod
    def count(self, where: Filter) -> int:
        """How many points the filter selects, exactly."""

    @abstractmethod
    def facet(self, name: str, where: Filter, *, limit: int = 10) -> dict[str | int, int]:
        """Counts of the commonest values of an indexed field, most frequent first."""


class Index(ABC):
    """The two collections of one index, and what is known of how it was made.

    `info` is the content of `format.json`: format number, profile, models, tokeniser version ...
    `address` is the folder or the URL, for messages.
    """

    pages: Collection
    documents: Collection
    info: Mapping[str, object]
    address: str

    @abstractmethod
    def optimize(self) -> None:
        """Bring the index into its fastest shape. May take minutes; searches go on."""

    @abstractmethod
    def compact(self) -> None:
        """Rewrite the index so that nothing of what was removed is left on disk."""

    @abstractmethod
    def flush(self) -> None:
        """Make everything written so far durable."""

    @abstractmethod
    def close(self) -> None:
        """Release the index; safe to call twice."""

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def checked_vectors(schema: Schema, vectors: Mapping[str, Vector]) -> dict[str, Vector]:
    """Return `vectors` in the shapes of the schema.

    A row given to a multi view becomes (1, dimension), and an empty multi or sparse vector is
    left out: it holds nothing to find.

    Raises:
        ValueError: an unknown view, a wrong shape, or a number that is not finite.
    """
    checked: dict[str, Vector] = {}
    for name, vector in vectors.items():
        view = schema.view(name)
        if isinstance(vector, SparseVector) != (view.kind == "sparse"):
            raise ValueError(f"view {name!r}: expected a {view.kind} vector")
        if isinstance(vector, SparseVector):
            if not np.isfinite(vector.values).all():
                raise ValueError(f"view {name!r}: a weight is not finite")
            if len(vector.indices):
                checked[name] = vector
            continue
        array = np.asarray(vector, dtype=np.float32)
        if view.kind == "multi" and array.ndim == 1:
            array = array[None, :]
        if array.ndim != (2 if view.kind == "multi" else 1) or array.shape[-1] != view.dimension:
            raise ValueError(
                f"view {name!r}: expected dimension {view.dimension}, got shape {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"view {name!r}: a number is not finite")
        if array.size:
            checked[name] = array
    return checked
