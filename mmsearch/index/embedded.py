"""Open an index folder whether it is free or held: own it, or go through its owner.

When the owner ends, the next call takes the folder over, so that commands may run beside each
other in any order. Every verb of the seam is safe to repeat, which makes that sound.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mmsearch.errors import IndexLocked
from mmsearch.filters import Filter
from mmsearch.index import Collection, Index, Point, Schema, Scored, Search
from mmsearch.index.edge import EdgeIndex
from mmsearch.index.socket import SocketIndex, SocketServer
from mmsearch.types import Payload, PointId, Vector

PATIENCE = 5.0  # seconds to wait for an owner that is starting or ending

T = TypeVar("T")


class EmbeddedIndex(Index):
    """The index of a folder, owned by this process or reached through its owner."""

    def __init__(
        self,
        folder: Path,
        *,
        info: Mapping[str, object],
        pages: Schema,
        documents: Schema,
        patience: float = PATIENCE,
    ) -> None:
        """Open `folder`, creating the index where there is none.

        Raises:
            IndexLocked: a process holds it and does not answer for `patience` seconds.
            FormatMismatch: the folder holds something else.
        """
        self.address = str(folder)
        self._folder = folder
        self._wanted = (info, pages, documents)
        self._patience = patience
        self._opening = threading.Lock()
        self._server: SocketServer | None = None
        self._closed = False
        self._backend = self._open()
        self.info = self._backend.info
        self.pages: Collection = _Forwarding(self, "pages", self._backend.pages.schema)
        self.documents: Collection = _Forwarding(self, "documents", self._backend.documents.schema)

    @property
    def owned(self) -> bool:
        """Whether this process holds the folder."""
        return self._server is not None

    def optimize(self) -> None:
        self.call(lambda index: index.optimize())

    def compact(self) -> None:
        self.call(lambda index: index.compact())

    def flush(self) -> None:
        self.call(lambda index: index.flush())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._server:
            self._server.close()
        self._backend.close()

    def call(self, verb: Callable[[Index], T]) -> T:
        """Run `verb` on the folder's index, taking the folder over where its owner is gone."""
        while True:
            backend = self._backend
            try:
                return verb(backend)
            except ConnectionError:
                self._replace(backend)

    def _replace(self, lost: Index) -> None:
        with self._opening:
            if self._backend is lost:
                lost.close()
                self._backend = self._open()

    def _open(self) -> Index:
        info, pages, documents = self._wanted
        deadline = time.monotonic() + self._patience
        while True:
            try:
                index = EdgeIndex.open(self._folder, info=info, pages=pages, documents=documents)
            except IndexLocked as locked:
                try:
                    return SocketIndex(self._folder)
                except ConnectionError:
                    if time.monotonic() > deadline:
                        raise locked from None
                    time.sleep(0.05)
            else:
                self._server = SocketServer(index, self._folder)
                return index


class _Forwarding(Collection):
    """A collection of whichever backend holds the folder just now."""

    def __init__(self, index: EmbeddedIndex, name: str, schema: Schema) -> None:
        self._index = index
        self._name = name
        self.schema = schema

    def _call(self, verb: Callable[[Collection], T]) -> T:
        return self._index.call(lambda index: verb(getattr(index, self._name)))

    def upsert(self, points: Sequence[Point]) -> None:
        self._call(lambda c: c.upsert(points))

    def set_vectors(self, vectors: Mapping[PointId, Mapping[str, Vector]]) -> None:
        self._call(lambda c: c.set_vectors(vectors))

    def set_payload(self, payload: Payload, where: Filter) -> None:
        self._call(lambda c: c.set_payload(payload, where))

    def delete(self, where: Filter) -> None:
        self._call(lambda c: c.delete(where))

    def search(
        self, searches: Sequence[Search], where: Filter, *, payload: bool | Sequence[str] = True
    ) -> list[list[Scored]]:
        return self._call(lambda c: c.search(searches, where, payload=payload))

    def retrieve(
        self, ids: Sequence[PointId], *, payload: bool | Sequence[str] = True, vectors: bool = False
    ) -> list[Point]:
        return self._call(lambda c: c.retrieve(ids, payload=payload, vectors=vectors))

    def scroll(
        self,
        where: Filter,
        *,
        payload: bool | Sequence[str] = True,
        vectors: bool = False,
        batch: int = 256,
    ) -> Iterator[Point]:
        # Points come in order of id, so after a change of owner those already seen are left out.
        seen = ""
        while True:
            backend = self._index._backend
            collection: Collection = getattr(backend, self._name)
            try:
                points = collection.scroll(where, payload=payload, vectors=vectors, batch=batch)
                for point in points:
                    if point.id > seen:
                        seen = point.id
                        yield point
                return
            except ConnectionError:
                self._index._replace(backend)

    def count(self, where: Filter) -> int:
        return self._call(lambda c: c.count(where))

    def facet(self, name: str, where: Filter, *, limit: int = 10) -> dict[str | int, int]:
        return self._call(lambda c: c.facet(name, where, limit=limit))
