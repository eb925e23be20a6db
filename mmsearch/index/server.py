"""The index on a Qdrant server or cluster, by URL: how mmsearch outgrows one machine.

Two collections, `PREFIX-pages` and `PREFIX-documents`. What `format.json` holds for a folder is
the payload of one reserved point of the documents, which no verb of the seam shows: collection
metadata would be the natural place, but only servers from 1.16 on have it. The point is written
last, so an index that has it is whole.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mmsearch.errors import (
    FormatMismatch,
    InvalidSetting,
    NotFound,
    ProfileMismatch,
)
from mmsearch.filters import AnyOf, Between, Condition, Filter, HasVector, Ids
from mmsearch.index import Collection, Index, Point, Schema, Scored, Search, View, checked_vectors
from mmsearch.index.connection import INFO_POINT, Connection, Patience, Refused
from mmsearch.types import Payload, PointId, SparseVector, Vector

if TYPE_CHECKING:
    from qdrant_client import models

BATCH_POINTS = 256
BATCH_BYTES = 8 << 20  # a request; servers refuse more than 32 MiB unless told otherwise
READ_BATCH = 1000

T = TypeVar("T")
logger = logging.getLogger(__name__)


class ServerCollection(Collection):
    """One collection of the server. Every write waits until the server has applied it."""

    def __init__(
        self, server: Connection, name: str, schema: Schema, hidden: Sequence[PointId] = ()
    ) -> None:
        self.schema = schema
        self._server = server
        self._name = name
        self._hidden = tuple(hidden)

    def upsert(self, points: Sequence[Point]) -> None:
        from qdrant_client import models

        checked = [Point(p.id, p.payload, checked_vectors(self.schema, p.vectors)) for p in points]
        for batch in _batches(checked):
            written = [
                models.PointStruct(id=p.id, payload=p.payload, vector=_sent_all(p.vectors))
                for p in batch
            ]
            self._ask("upsert", points=written, wait=True)

    def set_vectors(self, vectors: Mapping[PointId, Mapping[str, Vector]]) -> None:
        """Add or replace some views of existing points; points that are gone are left out."""
        checked = [Point(id_, {}, checked_vectors(self.schema, v)) for id_, v in vectors.items()]
        for batch in _batches([point for point in checked if point.vectors]):
            try:
                self._set_vectors(batch)
            except Refused as error:
                if error.status != 404:
                    raise
                # A point was removed meanwhile. Which of the others were written is not promised.
                alive = {point.id for point in self.retrieve([p.id for p in batch], payload=False)}
                self._set_vectors([point for point in batch if point.id in alive])

    def _set_vectors(self, batch: Sequence[Point]) -> None:
        from qdrant_client import models

        written = [models.PointVectors(id=p.id, vector=_sent_all(p.vectors)) for p in batch]
        if written:
            self._ask("update_vectors", points=written, wait=True)

    def set_payload(self, payload: Payload, where: Filter) -> None:
        if payload:
            self._ask("set_payload", payload=payload, points=self._filter(where), wait=True)

    def delete(self, where: Filter) -> None:
        from qdrant_client import models

        if where == Filter():
            raise ValueError("delete: an empty filter would remove every point")
        selected = models.FilterSelector(filter=self._filter(where))
        self._ask("delete", points_selector=selected, wait=True)

    def search(
        self, searches: Sequence[Search], where: Filter, *, payload: bool | Sequence[str] = True
    ) -> list[list[Scored]]:
        condition = self._filter(where)
        requests = [self._request(search, condition, payload) for search in searches]
        asked = [request for request in requests if request is not None]
        if not asked:
            return [[] for _ in searches]
        answers = iter(self._ask("query_batch_points", requests=asked))
        return [
            []
            if request is None
            else [Scored(str(hit.id), hit.score, hit.payload or {}) for hit in next(answers).points]
            for request in requests
        ]

    def _request(
        self, search: Search, condition: models.Filter, payload: bool | Sequence[str]
    ) -> models.QueryRequest | None:
        """One query of a batch; None where the vector holds nothing to find."""
        from qdrant_client import models

        if search.limit < 1:
            raise ValueError(f"search in {search.view!r}: limit must be at least 1")
        checked = checked_vectors(self.schema, {search.view: search.vector})
        if search.view not in checked:
            return None
        return models.QueryRequest(
            query=models.NearestQuery(nearest=_sent(checked[search.view])),
            using=search.view,
            filter=condition,
            limit=search.limit,
            with_payload=_selected(payload),
        )

    def retrieve(
        self, ids: Sequence[PointId], *, payload: bool | Sequence[str] = True, vectors: bool = False
    ) -> list[Point]:
        asked = [id_ for id_ in ids if id_ not in self._hidden]
        found: dict[PointId, Point] = {}
        for start in range(0, len(asked), READ_BATCH):
            records = self._ask(
                "retrieve",
                ids=asked[start : start + READ_BATCH],
                with_payload=_selected(payload),
                with_vectors=vectors,
            )
            found |= {str(record.id): _point(record) for record in records}
        return [found[id_] for id_ in asked if id_ in found]

    def scroll(
        self,
        where: Filter,
        *,
        payload: bool | Sequence[str] = True,
        vectors: bool = False,
        batch: int = 256,
    ) -> Iterator[Point]:
        condition, offset = self._filter(where), None
        while True:
            records, offset = self._ask(
                "scroll",
                scroll_filter=condition,
                limit=batch,
                offset=offset,
                with_payload=_selected(payload),
                with_vectors=vectors,
            )
            yield from map(_point, records)
            if offset is None:
                return

    def count(self, where: Filter) -> int:
        return int(self._ask("count", count_filter=self._filter(where), exact=True).count)

    def facet(self, name: str, where: Filter, *, limit: int = 10) -> dict[str | int, int]:
        if self.schema.fields.get(name) not in ("keyword", "integer"):
            raise ValueError(f"facet {name!r}: not an indexed keyword or integer field")
        answer = self._ask(
            "facet", key=name, facet_filter=self._filter(where), limit=limit, exact=True
        )
        return {hit.value: hit.count for hit in answer.hits}

    def create(self) -> bool:
        """Make the collection; False where it was there, or another process was faster."""
        from qdrant_client import models

        if self._server.ask(lambda client: client.collection_exists(self._name)):
            return False
        # Dot, not Cosine: the score is then the dot product of exactly what was given, where
        # Cosine would store, compare and return a normalised copy.
        dense = {
            view.name: models.VectorParams(
                size=view.dimension or 0,
                distance=models.Distance.DOT,
                multivector_config=(
                    models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
                    if view.kind == "multi"
                    else None
                ),
            )
            for view in self.schema.views
            if view.kind != "sparse"
        }
        sparse = {
            view.name: models.SparseVectorParams(modifier=models.Modifier.IDF if view.idf else None)
            for view in self.schema.views
            if view.kind == "sparse"
        }
        try:
            self._ask(
                "create_collection", vectors_config=dense, sparse_vectors_config=sparse or None
            )
        except Refused as error:
            if error.status not in (400, 409):  # what "already exists" is depends on the version
                raise
            if not self._server.ask(lambda client: client.collection_exists(self._name)):
                raise
            return False
        return True

    def prepare(self) -> None:
        """Check that the collection has the schema's views, and index fields that are not yet.

        Raises:
            ProfileMismatch: it has other views.
        """
        state = self._ask("get_collection")
        found = _views(state.config.params)
        if found != set(self.schema.views):
            raise ProfileMismatch(
                f"{self._server.address}: collection {self._name} has the views "
                f"{_listed(found)}, not {_listed(self.schema.views)}; use the profile it was made "
                f"with, or another name in the setting `collection`"
            )
        for field, kind in self.schema.fields.items():
            if field not in state.payload_schema:
                self._ask("create_payload_index", field_name=field, field_schema=kind, wait=True)

    def vacuum(self, patience: float) -> None:
        """Have segments that hold removed points rewritten, and wait for that."""
        from qdrant_client import models

        before = self._ask("get_collection").config.optimizer_config
        eager = models.OptimizersConfigDiff(deleted_threshold=0.0, vacuum_min_vector_number=100)
        usual = models.OptimizersConfigDiff(
            deleted_threshold=before.deleted_threshold,
            vacuum_min_vector_number=before.vacuum_min_vector_number,
        )
        self._ask("update_collection", optimizers_config=eager)
        try:
            deadline = time.monotonic() + patience
            while self._ask("get_collection").status != models.CollectionStatus.GREEN:
                if time.monotonic() > deadline:
                    logger.warning("%s: %s is still optimizing", self._server.address, self._name)
                    return
                time.sleep(0.5)
        finally:
            self._ask("update_collection", optimizers_config=usual)

    def _ask(self, verb: str, **arguments: Any) -> Any:
        return self._server.ask(lambda client: getattr(client, verb)(self._name, **arguments))

    def _filter(self, where: Filter) -> models.Filter:
        from qdrant_client import models

        hidden = (Ids(self._hidden),) if self._hidden else ()
        return models.Filter(
            must=[self._condition(condition) for condition in where.must] or None,
            must_not=[self._condition(condition) for condition in (*where.must_not, *hidden)]
            or None,
        )

    def _condition(self, condition: Condition) -> Any:
        from qdrant_client import models

        match condition:
            case Ids(ids):
                return models.HasIdCondition(has_id=list(ids))
            case HasVector(view):
                return models.HasVectorCondition(has_vector=self.schema.view(view).name)
            case AnyOf(field, values):
                matched = models.MatchAny(any=list(dict.fromkeys(values)))  # type: ignore[arg-type]
                return models.FieldCondition(key=field, match=matched)
            case Between(field, low, high):
                if not all(math.isfinite(bound) for bound in (low, high) if bound is not None):
                    raise ValueError(f"filter on {field!r}: a bound is not finite; None is open")
                if self.schema.fields.get(field) == "integer":
                    # Older servers cut the bounds of an integer index: from 2.5 on found 2.
                    low = None if low is None else math.ceil(low)
                    high = None if high is None else math.floor(high)
                return models.FieldCondition(key=field, range=models.Range(gte=low, lte=high))


class ServerIndex(Index):
    """The index of one pair of collections. Use `ServerIndex.open`."""

    def __init__(
        self,
        server: Connection,
        info: Mapping[str, object],
        pages: ServerCollection,
        documents: ServerCollection,
    ) -> None:
        self.address = server.address
        self.info = info
        self.pages: ServerCollection = pages
        self.documents: ServerCollection = documents
        self._server = server

    @classmethod
    def open(
        cls,
        url: str,
        *,
        api_key: str = "",
        prefix: str = "mmsearch",
        info: Mapping[str, object],
        pages: Schema,
        documents: Schema,
        patience: Patience | None = None,
    ) -> ServerIndex:
        """Open the index on the server at `url`, making it where there is none.

        Two processes may do so at once: one makes the index, the other finds it made.

        Args:
            url: `http://HOST:6333`, or https; without a port 6333 is meant.
            api_key: sent with every request; never shown.
            prefix: names the collections.
            info: how a new index is made; what is stored wins.
            pages: schema of the pages.
            documents: schema of the documents.
            patience: how long the server may take.

        Raises:
            InvalidSetting: `url` is no URL, or `prefix` is no name.
            IndexUnavailable: nothing answers, or the server stays busy.
            IndexUnusable: the server refuses the API key, is too old, or is no Qdrant server.
            ProfileMismatch: the collections have other views.
            FormatMismatch: the collections hold something that mmsearch did not write.
        """
        _check_prefix(prefix)
        server = Connection(url, api_key, patience or Patience())
        try:
            server.check()
            index = cls(
                server,
                info,
                ServerCollection(server, f"{prefix}-pages", pages),
                ServerCollection(server, f"{prefix}-documents", documents, [INFO_POINT]),
            )
            index.info = index._ensure(prefix)
            return index
        except BaseException:
            server.close()
            raise

    def _ensure(self, prefix: str) -> Mapping[str, object]:
        """Make what is missing; the info of the index that is then there."""
        stored = self._server.read_info(prefix)
        if stored is None:
            self.pages.create()
            if not self.documents.create():
                stored = self._server.await_info(prefix)
        self.pages.prepare()
        self.documents.prepare()
        if stored is not None:
            return stored
        # Nobody else is at it: we made the collections, or who did died before the info point.
        if self.documents.count(Filter()):
            raise FormatMismatch(
                f"{self.address}: the collection {prefix}-documents is no index of mmsearch; "
                f"use another name in the setting `collection`"
            )
        self._server.write_info(prefix, self.info)
        return self._server.read_info(prefix) or self.info

    def optimize(self) -> None:
        """Do nothing: the server optimizes by itself, as points come in."""

    def flush(self) -> None:
        """Do nothing: a write is answered when the server's write-ahead log has it."""

    def compact(self) -> None:
        """Have the server rewrite every segment of 100 points or more that holds removed points.

        The rest is the server's own time: smaller segments wait until they are merged, the
        write-ahead log until it is full, and snapshots until they are deleted.
        """
        for collection in (self.pages, self.documents):
            collection.vacuum(patience=600.0)

    def close(self) -> None:
        self._server.close()


def read_info(
    url: str, *, api_key: str = "", prefix: str = "mmsearch", patience: Patience | None = None
) -> dict[str, object]:
    """Read how the index on the server at `url` was made, without opening it.

    Raises:
        InvalidSetting: `url` is no URL, or `prefix` is no name.
        NotFound: there is no index of that prefix.
        IndexUnavailable: nothing answers, or the server stays busy.
        IndexUnusable: the server refuses the API key, is too old, or is no Qdrant server.
    """
    _check_prefix(prefix)
    server = Connection(url, api_key, patience or Patience())
    try:
        server.check()
        info = server.read_info(prefix)
    finally:
        server.close()
    if info is None:
        raise NotFound(
            f"{server.address}: no index {prefix!r} here; "
            f"make one: mmsearch ingest PATH --index {server.address}"
        )
    return info


def _check_prefix(prefix: str) -> None:
    if not re.fullmatch(r"[\w.-]{1,200}", prefix):
        raise InvalidSetting(
            f"collection {prefix!r}: letters, digits and . _ - are allowed, at most 200"
        )


class _Fault:
    """A passing failure: its cause, the pause in seconds that the server asks for, what to do."""

    cause: str
    pause: float | None = None
    advice: str = "try again later"


def _batches(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Cut `points` into requests of bounded count and size; a larger point goes alone."""
    batch: list[Point] = []
    size = 0
    for point in points:
        more = _bytes(point)
        if batch and (len(batch) == BATCH_POINTS or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(point)
        size += more
    if batch:
        yield batch


def _bytes(point: Point) -> int:
    """How long the point is as JSON, rather too many than too few."""
    numbers = sum(
        2 * vector.values.size if isinstance(vector, SparseVector) else vector.size
        for vector in point.vectors.values()
    )
    return 24 * numbers + len(json.dumps(point.payload, allow_nan=False)) + 200


def _sent_all(vectors: Mapping[str, Vector]) -> dict[str, Any]:
    return {name: _sent(vector) for name, vector in vectors.items()}


def _sent(vector: Vector) -> Any:
    from qdrant_client import models

    if isinstance(vector, SparseVector):
        return models.SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())
    return vector.tolist()


def _point(record: models.Record) -> Point:
    vectors = record.vector if isinstance(record.vector, dict) else {}
    return Point(
        str(record.id),
        record.payload or {},
        {name: _received(vector) for name, vector in vectors.items()},
    )


def _received(vector: Any) -> Vector:
    if not hasattr(vector, "indices"):
        return np.asarray(vector, dtype=np.float32)
    indices = np.asarray(vector.indices, dtype=np.uint32)
    order = np.argsort(indices)
    return SparseVector(indices[order], np.asarray(vector.values, dtype=np.float32)[order])


def _views(params: models.CollectionParams) -> set[View]:
    """The views that a collection of the server has."""
    from qdrant_client import models

    dense = params.vectors if isinstance(params.vectors, dict) else {}
    return {
        View(name, "multi" if vector.multivector_config else "dense", vector.size)
        for name, vector in dense.items()
    } | {
        View(name, "sparse", idf=vector.modifier == models.Modifier.IDF)
        for name, vector in (params.sparse_vectors or {}).items()
    }


def _listed(views: set[View] | tuple[View, ...]) -> str:
    described = (
        f"{v.name} ({v.kind}{f' {v.dimension}' if v.dimension else ''}"
        f"{'' if v.idf else ', without IDF'})"
        for v in views
    )
    return ", ".join(sorted(described)) or "none"


def _selected(payload: bool | Sequence[str]) -> bool | list[str]:
    return payload if isinstance(payload, bool) else list(payload)
