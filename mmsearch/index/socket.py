"""The embedded index for other processes: every verb of the seam over a Unix socket.

The process that holds an index folder listens on `index.sock` in it (mode 0600). A message is a
4-byte length and that many bytes of JSON; a call is `[collection, verb, arguments]`, its answer
`["ok", value]`, `["more", value]` for each batch of a scroll, or `["error", class, message]`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from mmsearch import errors, filters
from mmsearch.filters import Filter
from mmsearch.index import Collection, Index, Point, Schema, Scored, Search, View
from mmsearch.types import Payload, PointId, SparseVector, Vector

SOCKET_NAME = "index.sock"
MAX_MESSAGE = 1 << 30  # bytes; a longer one is a broken or hostile peer
_PLAIN = {
    kind.__name__: kind
    for kind in (
        Filter, filters.AnyOf, filters.Between, filters.Ids, filters.HasVector,
        Point, Scored, Search, SparseVector, Schema, View,
    )
}  # fmt: skip
_READS = {"search", "retrieve", "count", "facet"}
_WRITES = {"upsert", "set_vectors", "set_payload", "delete"}
_WHOLE = {"optimize", "compact", "flush"}


class SocketServer:
    """Answers other processes from `index`, a thread a connection, until closed."""

    def __init__(self, index: Index, folder: Path) -> None:
        self._index = index
        self._path = folder / SOCKET_NAME
        self._connections: set[socket.socket] = set()
        self._busy: set[threading.Thread] = set()
        self._closing = False
        # The caller holds the folder's lock, so a socket file that is there is a dead one.
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short_address(self._path) as address:
            old_mask = os.umask(0o177)
            try:
                self._listener.bind(address)
            finally:
                os.umask(old_mask)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True, name="mmsearch-socket").start()

    def close(self, patience: float = 5.0) -> None:
        """Stop listening, let calls in progress finish (at most `patience` seconds), hang up."""
        self._closing = True
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for thread in list(self._busy):
            thread.join(patience)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._connections.add(connection)
            self._busy.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ConnectionError):
            while (request := _receive(connection)) is not None:
                self._answer(connection, request)
        self._connections.discard(connection)
        self._busy.discard(threading.current_thread())

    def _answer(self, connection: socket.socket, request: Any) -> None:
        answers = self._answers(request)
        while True:
            try:
                answer = next(answers, None)
            except Exception as error:
                if self._closing:  # the caller asks the next owner instead
                    raise ConnectionError("the index is being closed") from error
                # An OSError too, a full disk say: to hang up would make the caller ask for ever.
                answer = ["error", type(error).__name__, str(error)]
            if answer is None:
                return
            _send(connection, answer)

    def _answers(self, request: Any) -> Iterator[list[Any]]:
        target, verb, arguments = request
        if target == "index":
            yield ["ok", self._index_call(verb)]
            return
        collection = {"pages": self._index.pages, "documents": self._index.documents}[target]
        if verb == "scroll":
            batch = arguments.get("batch", 256)
            for points in _batched(collection.scroll(**arguments), batch):
                yield ["more", points]
            yield ["ok", None]
        elif verb in _READS | _WRITES:
            yield ["ok", getattr(collection, verb)(**arguments)]
        else:
            raise ValueError(f"socket: unknown verb {verb!r}")

    def _index_call(self, verb: str) -> Any:
        if verb == "open":
            index = self._index
            return [dict(index.info), index.pages.schema, index.documents.schema]
        if verb not in _WHOLE:
            raise ValueError(f"socket: unknown verb {verb!r}")
        return getattr(self._index, verb)()


class SocketIndex(Index):
    """An index that another process holds. Raises ConnectionError when that process is gone."""

    def __init__(self, folder: Path) -> None:
        """Connect to the process that holds `folder`.

        Raises:
            ConnectionError: nobody listens there.
        """
        self.address = str(folder)
        self._path = folder / SOCKET_NAME
        self._idle: list[socket.socket] = []
        self._closed = False
        info, pages, documents = self.call("index", "open")
        self.info: Mapping[str, object] = info
        self.pages: Collection = SocketCollection(self, "pages", pages)
        self.documents: Collection = SocketCollection(self, "documents", documents)

    def call(self, target: str, verb: str, **arguments: Any) -> Any:
        """One call and its answer, on a connection that no other thread is using."""
        connection = self._connection()
        try:
            _send(connection, [target, verb, arguments])
            answer = _receive(connection)
            if answer is None:
                raise ConnectionError("the process that held the index hung up")
        except OSError as error:
            connection.close()
            raise ConnectionError(f"{self.address}: {error}") from error
        self._idle.append(connection)
        return _value(answer)

    def stream(self, target: str, verb: str, **arguments: Any) -> Iterator[Any]:
        """The answers of one streaming call, on a connection of its own."""
        with self._connect() as connection:
            _send(connection, [target, verb, arguments])
            while True:
                message = _receive(connection)
                if message is None:
                    raise ConnectionError(f"{self.address}: hung up")
                if message[0] != "more":
                    _value(message)
                    return
                yield message[1]

    def optimize(self) -> None:
        self.call("index", "optimize")

    def compact(self) -> None:
        self.call("index", "compact")

    def flush(self) -> None:
        self.call("index", "flush")

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> socket.socket:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short_address(self._path) as address:
                connection.connect(address)
        except OSError as error:
            connection.close()
            raise ConnectionError(f"{self._path}: {error.strerror}") from error
        return connection


class SocketCollection(Collection):
    """One collection of an index that another process holds."""

    def __init__(self, index: SocketIndex, name: str, schema: Schema) -> None:
        self._index = index
        self._name = name
        self.schema = schema

    def upsert(self, points: Sequence[Point]) -> None:
        self._call("upsert", points=list(points))

    def set_vectors(self, vectors: Mapping[PointId, Mapping[str, Vector]]) -> None:
        self._call("set_vectors", vectors=vectors)

    def set_payload(self, payload: Payload, where: Filter) -> None:
        self._call("set_payload", payload=payload, where=where)

    def delete(self, where: Filter) -> None:
        self._call("delete", where=where)

    def search(
        self, searches: Sequence[Search], where: Filter, *, payload: bool | Sequence[str] = True
    ) -> list[list[Scored]]:
        answer: list[list[Scored]] = self._call(
            "search", searches=list(searches), where=where, payload=payload
        )
        return answer

    def retrieve(
        self, ids: Sequence[PointId], *, payload: bool | Sequence[str] = True, vectors: bool = False
    ) -> list[Point]:
        answer: list[Point] = self._call(
            "retrieve", ids=list(ids), payload=payload, vectors=vectors
        )
        return answer

    def scroll(
        self,
        where: Filter,
        *,
        payload: bool | Sequence[str] = True,
        vectors: bool = False,
        batch: int = 256,
    ) -> Iterator[Point]:
        for points in self._index.stream(
            self._name, "scroll", where=where, payload=payload, vectors=vectors, batch=batch
        ):
            yield from points

    def count(self, where: Filter) -> int:
        return int(self._call("count", where=where))

    def facet(self, name: str, where: Filter, *, limit: int = 10) -> dict[str | int, int]:
        return dict(self._call("facet", name=name, where=where, limit=limit))

    def _call(self, verb: str, **arguments: Any) -> Any:
        return self._index.call(self._name, verb, **arguments)


@contextlib.contextmanager
def _short_address(path: Path) -> Iterator[str]:
    """An address of `path` that fits the 107 bytes a Unix socket may have."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _batched(points: Iterator[Point], size: int) -> Iterator[list[Point]]:
    batch: list[Point] = []
    for point in points:
        batch.append(point)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def _value(message: Any) -> Any:
    """The value of an answer; raises the error that it carries."""
    if message[0] == "error":
        _, name, text = message
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, errors.MMSearchError):
            raise kind(text)
        raise ValueError(text) if name == "ValueError" else errors.IndexUnavailable(text)
    return message[1]


def _send(connection: socket.socket, message: Any) -> None:
    data = json.dumps(_encode(message), separators=(",", ":")).encode()
    connection.sendall(struct.pack(">I", len(data)) + data)


def _receive(connection: socket.socket) -> Any:
    """The next message, or None where the other side hung up between messages."""
    header = _read(connection, 4)
    if not header:
        return None
    (length,) = struct.unpack(">I", header)
    if length > MAX_MESSAGE:
        raise ConnectionError(f"socket: a message of {length} bytes is refused")
    data = _read(connection, length)
    if len(data) < length:
        raise ConnectionError("socket: cut off within a message")
    return _decode(json.loads(data))


def _read(connection: socket.socket, length: int) -> bytearray:
    data = bytearray()
    while len(data) < length:
        chunk = connection.recv(min(length - len(data), 1 << 20))
        if not chunk:
            if data:
                raise ConnectionError("socket: cut off within a message")
            break
        data += chunk
    return data


def _encode(value: Any) -> Any:
    """`value` as JSON: arrays as base64, our dataclasses by name."""
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"~": "array", "dtype": value.dtype.str, "shape": value.shape, "data": data}
    if type(value).__name__ in _PLAIN:
        content = {item.name: _encode(getattr(value, item.name)) for item in fields(value)}
        return {"~": type(value).__name__, "fields": content}
    if isinstance(value, Mapping):
        return {"~": "map", "items": [[_encode(k), _encode(v)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value["~"]
    if kind == "array":
        data = np.frombuffer(base64.b64decode(value["data"]), dtype=np.dtype(value["dtype"]))
        return data.reshape(value["shape"])
    if kind == "map":
        return {_decode(key): _decode(item) for key, item in value["items"]}
    content = {name: _decode(item) for name, item in value["fields"].items()}
    if _PLAIN[kind] not in (Point, Scored, Search):  # hashable ones hold tuples
        content = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return _PLAIN[kind](**content)
