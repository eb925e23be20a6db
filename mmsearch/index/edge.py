"""The embedded index: two Qdrant Edge shards in a folder. The only importer of qdrant_edge."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from mmsearch.errors import IndexUnusable, MMSearchError
from mmsearch.filters import AnyOf, Between, Condition, Filter, HasVector, Ids
from mmsearch.index import (
    Collection,
    Index,
    Point,
    Schema,
    Scored,
    Search,
    checked_vectors,
)
from mmsearch.index import (
    folder as folders,
)
from mmsearch.types import Payload, PointId, SparseVector, Vector

if TYPE_CHECKING:
    import qdrant_edge

UPSERT_BATCH = 256  # points an update: bounds one write-ahead-log record and one hold of the GIL
# Below this many pages all rows are compared as they are (10 ms); above, 4-bit codes choose twice
# as many as are wanted and the rows themselves decide.
EXACT_BELOW = 20_000
OVERSAMPLING = 2.0
_INDEXING_THRESHOLD = 1  # KB: whatever was written leaves memory when it is asked to optimise
_PLACEHOLDER = "_"  # Edge wants at least one vector field, so `documents` has one, never filled

_OPTIMISE = """
import sys, qdrant_edge
for folder in sys.argv[1:]:
    shard = qdrant_edge.EdgeShard.load(folder)
    shard.optimize()
    shard.flush()
    shard.close()
"""

T = TypeVar("T")


class EdgeCollection(Collection):
    """One shard. Reads run beside each other and beside writes; Edge orders the writes."""

    def __init__(self, folder: Path, schema: Schema, gate: threading.RLock | None = None) -> None:
        """Open the shard in `folder`, creating it where there is none.

        Writes pass through `gate`; whoever holds it keeps the shard as it is.
        """
        self._gate = gate or threading.RLock()
        self.schema = schema
        self._shard = _open_shard(folder, schema)

    def upsert(self, points: Sequence[Point]) -> None:
        import qdrant_edge as edge

        for batch in _batches(points):
            written = [
                edge.Point(point.id, self._vectors(point.vectors), dict(point.payload))
                for point in batch
            ]
            self._update(edge.UpdateOperation.upsert_points(written))

    def set_vectors(self, vectors: Mapping[PointId, Mapping[str, Vector]]) -> None:
        import qdrant_edge as edge

        for batch in _batches(list(vectors.items())):
            with self._gate:
                # Edge writes the points it knows and then fails on the first that is gone.
                alive = {
                    point.id for point in self.retrieve([id_ for id_, _ in batch], payload=False)
                }
                written = [
                    edge.PointVectors(id_, self._vectors(views))
                    for id_, views in batch
                    if id_ in alive
                ]
                if written:
                    self._update(edge.UpdateOperation.update_vectors(written))

    def set_payload(self, payload: Payload, where: Filter) -> None:
        import qdrant_edge as edge

        self._update(edge.UpdateOperation.set_payload_by_filter(_filter(where), payload))

    def delete(self, where: Filter) -> None:
        import qdrant_edge as edge

        if where == Filter():
            raise ValueError("delete: an empty filter would remove every point")
        self._update(edge.UpdateOperation.delete_points_by_filter(_filter(where)))

    def search(
        self, searches: Sequence[Search], where: Filter, *, payload: bool | Sequence[str] = True
    ) -> list[list[Scored]]:
        import qdrant_edge as edge

        condition = _filter(where)
        requests = [self._request(search, condition, payload) for search in searches]
        asked = [request for request in requests if request is not None]
        if not asked:
            return [[] for _ in searches]
        answers = iter(self._shard.query_batch(edge.QueryBatchRequest(asked)))
        return [
            []
            if request is None
            else [Scored(str(hit.id), float(hit.score), hit.payload or {}) for hit in next(answers)]
            for request in requests
        ]

    def retrieve(
        self, ids: Sequence[PointId], *, payload: bool | Sequence[str] = True, vectors: bool = False
    ) -> list[Point]:
        records = self._shard.retrieve(list(ids), _selected(payload), vectors)
        found = {str(record.id): self._point(record) for record in records}
        return [found[id_] for id_ in ids if id_ in found]

    def scroll(
        self,
        where: Filter,
        *,
        payload: bool | Sequence[str] = True,
        vectors: bool = False,
        batch: int = 256,
    ) -> Iterator[Point]:
        import qdrant_edge as edge

        offset = None
        while True:
            request = edge.ScrollRequest(
                offset=offset,
                limit=batch,
                filter=_filter(where),
                with_payload=_selected(payload),
                with_vector=vectors,
            )
            records, offset = self._shard.scroll(request)
            yield from map(self._point, records)
            if offset is None:
                return

    def count(self, where: Filter) -> int:
        import qdrant_edge as edge

        return int(self._shard.count(edge.CountRequest(exact=True, filter=_filter(where))))

    def facet(self, name: str, where: Filter, *, limit: int = 10) -> dict[str | int, int]:
        import qdrant_edge as edge

        request = edge.FacetRequest(key=name, limit=limit, exact=True, filter=_filter(where))
        return {hit.value: hit.count for hit in self._shard.facet(request)}

    def flush(self) -> None:
        self._shard.flush()

    def close(self) -> None:
        self._shard.close()

    def copy_to(self, folder: Path) -> None:
        """Write every live point into a fresh shard in `folder`."""
        copy = EdgeCollection(folder, self.schema)
        batch: list[Point] = []
        for point in self.scroll(Filter(), vectors=True, batch=UPSERT_BATCH):
            batch.append(point)
            if len(batch) == UPSERT_BATCH:
                copy.upsert(batch)
                batch = []
        copy.upsert(batch)
        copy.flush()
        copy.close()

    def move_to(self, folder: Path) -> None:
        """Go on with the shard in `folder`; searches still running end on the old one."""
        self._shard = _open_shard(folder, self.schema)

    def _update(self, operation: qdrant_edge.UpdateOperation) -> None:
        with self._gate:
            self._shard.update(operation)

    def _params(self, view: str) -> qdrant_edge.SearchParams:
        import qdrant_edge as edge

        asked = self.schema.view(view)
        if asked.kind == "sparse":
            if not asked.idf:
                return edge.SearchParams()
            # Else the IDF counts deleted points until a vacuum, and would depend on history.
            return edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter()))
        if self._shard.info().points_count < EXACT_BELOW:
            return edge.SearchParams(
                exact=True, quantization=edge.QuantizationSearchParams(ignore=True)
            )
        return edge.SearchParams(
            quantization=edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        )

    def _vectors(self, vectors: Mapping[str, Vector]) -> dict[str, Any]:
        return {
            name: self._encoded(vector)
            for name, vector in checked_vectors(self.schema, vectors).items()
        }

    def _request(
        self, search: Search, condition: qdrant_edge.Filter, payload: bool | Sequence[str]
    ) -> qdrant_edge.QueryRequest | None:
        """The request for one list; None where the vector is empty and finds nothing."""
        import qdrant_edge as edge

        vector = self._vectors({search.view: search.vector}).get(search.view)
        if vector is None:
            return None
        return edge.QueryRequest(
            limit=search.limit,
            query=edge.Query.Nearest(vector, using=search.view),
            filter=condition,
            with_payload=_selected(payload),
            params=self._params(search.view),
        )

    def _encoded(self, vector: Vector) -> Any:
        import qdrant_edge as edge

        if isinstance(vector, SparseVector):
            return edge.SparseVector(vector.indices.tolist(), vector.values.tolist())
        return vector.tolist()

    def _point(self, record: qdrant_edge.Record) -> Point:
        vectors = record.vector if isinstance(record.vector, dict) else {}
        return Point(
            str(record.id),
            record.payload or {},
            {name: _decoded(vector) for name, vector in vectors.items() if name != _PLACEHOLDER},
        )


class EdgeIndex(Index):
    """The embedded index of one folder. Use `EdgeIndex.open`."""

    def __init__(
        self,
        folder: Path,
        lock: IO[str],
        info: Mapping[str, object],
        pages: EdgeCollection,
        documents: EdgeCollection,
        gate: threading.RLock,
    ) -> None:
        self.folder = folder
        self.address = str(folder)
        self.info = info
        self.pages: EdgeCollection = pages
        self.documents: EdgeCollection = documents
        self._lock = lock
        self._gate = gate
        self._closed = False

    @classmethod
    def open(
        cls, folder: Path, *, info: Mapping[str, object], pages: Schema, documents: Schema
    ) -> EdgeIndex:
        """Open the index of `folder`, making it where there is none.

        Args:
            folder: the index folder.
            info: content of `format.json` for a new index; what is stored wins.
            pages: schema of the pages.
            documents: schema of the documents.

        Raises:
            IndexLocked: another process holds it.
            FormatMismatch: the folder holds something else.
        """
        if not (folder / "current").exists():
            folders.check_free(folder)
            folder.mkdir(parents=True, exist_ok=True)
        lock = folders.take_lock(folder)
        try:
            if not (folder / "current").exists() and not folders.mend_link(folder):
                _create(folder, info, pages, documents)
            folders.remove_leftovers(folder)
            current = folder / "current"
            gate = threading.RLock()
            return cls(
                folder,
                lock,
                folders.read_info(folder),
                _shard_of(current / "pages", pages, gate),
                _shard_of(current / "documents", documents, gate),
                gate,
            )
        except BaseException:
            lock.close()
            raise

    def optimize(self) -> None:
        """Merge segments in a new generation, in a process of its own.

        Edge holds the GIL for as long as it optimises, so here it would stop the whole process.
        """
        with self._new_generation() as new:
            self.flush()
            old = (self.folder / "current").resolve()
            for name in ("pages", "documents"):
                shutil.copytree(old / name, new / name)
            self._move_to(new)

    def compact(self) -> None:
        """Copy every live point into a new generation and delete the old one.

        What was removed is left nowhere: neither in segments nor in the write-ahead log.
        """
        with self._new_generation() as new:
            self.pages.copy_to(new / "pages")
            self.documents.copy_to(new / "documents")
            self._move_to(new)

    @contextlib.contextmanager
    def _new_generation(self) -> Iterator[Path]:
        """The folder of a new generation, while nobody writes; cleared away if that fails."""
        with self._gate:
            if self._closed:
                raise IndexUnusable(f"{self.folder}: the index is closed; open it again")
            new = folders.new_generation(self.folder)
            try:
                yield new
            except BaseException as error:
                if (self.folder / "current").resolve() != new.resolve():
                    shutil.rmtree(new, ignore_errors=True)
                if isinstance(error, MMSearchError) or not isinstance(error, Exception):
                    raise
                raise IndexUnusable(
                    f"{self.folder}: could not be rewritten: {error}; free some disk?"
                ) from error

    def _move_to(self, new: Path) -> None:
        """Optimise the shards of a new generation, publish it and go on with it."""
        old = (self.folder / "current").resolve()
        python = [sys.executable, "-P", "-c"]
        command = [*python, _OPTIMISE, str(new / "pages"), str(new / "documents")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            cause = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
            raise IndexUnusable(f"{self.folder}: could not be rewritten: {cause}; free some disk?")
        folders.publish(new, self.info)
        self.pages.move_to(new / "pages")
        self.documents.move_to(new / "documents")
        shutil.rmtree(old, ignore_errors=True)

    def flush(self) -> None:
        self.pages.flush()
        self.documents.flush()

    def close(self) -> None:
        # Behind the gate: a rewrite that went on after the lock is free would publish over what
        # the next owner has written.
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self.pages.close()
            self.documents.close()
            self._lock.close()


def _create(folder: Path, info: Mapping[str, object], pages: Schema, documents: Schema) -> None:
    new = folders.new_generation(folder)
    for name, schema in (("pages", pages), ("documents", documents)):
        shard = EdgeCollection(new / name, schema)
        shard.flush()
        shard.close()
    folders.publish(new, info)


def _shard_of(folder: Path, schema: Schema, gate: threading.RLock) -> EdgeCollection:
    try:
        return EdgeCollection(folder, schema, gate)
    except Exception as error:
        raise IndexUnusable(
            f"{folder}: the shard does not open: {error}; run: mmsearch doctor"
        ) from error


def _open_shard(folder: Path, schema: Schema) -> qdrant_edge.EdgeShard:
    import qdrant_edge as edge

    if (folder / "edge_config.json").exists():
        return edge.EdgeShard.load(str(folder))
    shard = edge.EdgeShard.create(str(folder), _config(schema))
    cached = edge.Memory.Cached  # mapped files once optimised, which the system may drop
    types: dict[str, Any] = {
        "keyword": edge.KeywordIndexParams(memory=cached),
        "integer": edge.IntegerIndexParams(lookup=True, range=True, memory=cached),
        "float": edge.FloatIndexParams(memory=cached),
    }
    for name, kind in schema.fields.items():
        shard.update(edge.UpdateOperation.create_field_index(name, types[kind]))
    return shard


def _config(schema: Schema) -> qdrant_edge.EdgeConfig:
    import qdrant_edge as edge

    dense = {
        view.name: edge.EdgeVectorParams(
            size=view.dimension or 0,
            distance=edge.Distance.Dot,
            multivector_config=(
                edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
                if view.kind == "multi"
                else None
            ),
            quantization_config=edge.TurboQuantQuantizationConfig(
                bits=edge.TurboQuantBitSize.Bits4, memory=edge.Memory.Cached
            ),
            # No graph: over multivectors it takes 45 s for 10k pages and finds .87 of the best ten.
            hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10_000_000),
        )
        for view in schema.views
        if view.kind != "sparse"
    }
    sparse = {
        view.name: edge.EdgeSparseVectorParams(
            modifier=edge.Modifier.Idf if view.idf else None, memory=edge.Memory.Cached
        )
        for view in schema.views
        if view.kind == "sparse"
    }
    if not dense and not sparse:
        sparse = {_PLACEHOLDER: edge.EdgeSparseVectorParams()}
    return edge.EdgeConfig(
        vectors=dense or None,
        sparse_vectors=sparse or None,
        id_tracker_memory=edge.Memory.Cached,
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_INDEXING_THRESHOLD),
    )


def _filter(where: Filter) -> qdrant_edge.Filter:
    import qdrant_edge as edge

    return edge.Filter(
        must=[_condition(condition) for condition in where.must],
        must_not=[_condition(condition) for condition in where.must_not],
    )


def _condition(condition: Condition) -> Any:
    import qdrant_edge as edge

    match condition:
        case Ids(ids):
            return edge.HasIdCondition(set(ids))
        case HasVector(view):
            return edge.HasVectorCondition(view)
        case Between(field, low, high):
            return edge.FieldCondition(field, range=edge.RangeFloat(gte=low, lte=high))
        case AnyOf(field, values):
            matched = edge.MatchAny(list(values))  # type: ignore[arg-type]
            return edge.FieldCondition(field, match=matched)


def _selected(payload: bool | Sequence[str]) -> bool | list[str]:
    return payload if isinstance(payload, bool) else list(payload)


def _decoded(vector: Any) -> Vector:
    import numpy as np

    if hasattr(vector, "indices"):
        return SparseVector(
            np.asarray(vector.indices, dtype=np.uint32), np.asarray(vector.values, dtype=np.float32)
        )
    return np.asarray(vector, dtype=np.float32)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), UPSERT_BATCH):
        yield items[start : start + UPSERT_BATCH]
