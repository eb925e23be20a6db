"""Every backend of the index seam behind one fixture, and the points they are filled with."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from mmsearch.index import Index, Point, Schema, View
from mmsearch.types import SparseVector, Vector
from tests.contracts.reference import Reference
from tests.qdrant_server import QdrantServer

PAGES = Schema(
    views=(
        View("visual", "dense", 16),
        View("text", "multi", 8),
        View("lexical", "sparse"),
        View("labels", "sparse", idf=False),
    ),
    fields={
        "document": "keyword",
        "tags": "keyword",
        "number": "integer",
        "years": "integer",
        "ready": "integer",
        "seconds": "float",
    },
)
DOCUMENTS = Schema(fields={"state": "keyword", "size": "integer"})
QDRANT_URL = os.environ.get("MMSEARCH_TEST_QDRANT_URL", "")
QDRANT_KEY = os.environ.get("MMSEARCH_TEST_QDRANT_API_KEY", "")
# In which shapes a backend is read. What lies behind the socket is `edge` again, and a server
# optimizes by itself and is not stopped between writing and reading.
SHAPES = {
    "edge": ("written", "optimized", "reopened"),
    "socket": ("reopened",),
    "server": ("reopened",),
    "qdrant": ("written", "reopened"),
}
if not QDRANT_URL:
    del SHAPES["qdrant"]  # one skipped test says so, not hundreds
INFO = {"format": 1, "profile": "lite", "models": {"text": "MiniLM é"}, "avg_len": 61.5}


@dataclass
class Backend:
    """A way to open an index by name; the same name again opens the same index.

    `tolerance` is how far a view's score may be from the reference, relative and absolute:
    storing a view in less than float32 is a reason to raise it.
    `compacts` tells whether `compact` is over when it returns; a server takes its own time.
    """

    open: Callable[..., Index]
    tolerance: Mapping[str, float] = field(
        default_factory=lambda: {view.name: 1e-5 for view in PAGES.views}
    )
    compacts: bool = True


def edge_backend(root: Path) -> Backend:
    from mmsearch.index.edge import EdgeIndex

    def open_index(name: str, info: Mapping[str, Any] = INFO) -> Index:
        return EdgeIndex.open(root / name, info=info, pages=PAGES, documents=DOCUMENTS)

    return Backend(open_index)


def socket_backend(root: Path) -> Backend:
    from mmsearch.index.embedded import EmbeddedIndex
    from mmsearch.index.socket import SocketIndex

    class HeldElsewhere(SocketIndex):
        """The far side of the socket, which takes the owner with it when it is closed."""

        def __init__(self, folder: Path, info: Mapping[str, Any]) -> None:
            self.owner = EmbeddedIndex(folder, info=info, pages=PAGES, documents=DOCUMENTS)
            super().__init__(folder)

        def close(self) -> None:
            super().close()
            self.owner.close()

    def open_index(name: str, info: Mapping[str, Any] = INFO) -> Index:
        return HeldElsewhere(root / name, info)

    return Backend(open_index)


def server_backend(url: str, prefix: str, api_key: str = "") -> Backend:
    from mmsearch.index.server import ServerIndex

    def open_index(name: str, info: Mapping[str, Any] = INFO) -> Index:
        return ServerIndex.open(
            url,
            api_key=api_key,
            prefix=f"{prefix}-{name}",
            info=info,
            pages=PAGES,
            documents=DOCUMENTS,
        )

    return Backend(open_index, compacts=False)


@pytest.fixture(scope="session")
def backends() -> Iterator[Callable[[str], Backend]]:
    """Backends by name, each started once."""
    with ExitStack() as stack:
        yield cache(lambda name: start(name, stack))


def start(name: str, stack: ExitStack) -> Backend:
    if name == "server":
        return server_backend(stack.enter_context(QdrantServer()).url, "contract")
    if name == "qdrant":
        prefix = f"contract-{uuid.uuid4().hex[:8]}"
        stack.callback(drop, prefix)
        return server_backend(QDRANT_URL, prefix, QDRANT_KEY)
    reason = "qdrant-edge-py is not installed: pip install qdrant-edge-py"
    pytest.importorskip("qdrant_edge", reason=reason)
    # In memory where the system has such a folder: making an index waits for the disk.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    root = Path(stack.enter_context(TemporaryDirectory(prefix="mmsearch-", dir=memory)))
    return edge_backend(root) if name == "edge" else socket_backend(root)


def drop(prefix: str) -> None:
    """Leave nothing of ours on a server that is not ours alone."""
    from qdrant_client import QdrantClient

    client = QdrantClient(QDRANT_URL, api_key=QDRANT_KEY or None, check_compatibility=False)
    for collection in client.get_collections().collections:
        if collection.name.startswith(prefix):
            client.delete_collection(collection.name)
    client.close()


def named(name: str, *others: str) -> Any:
    """One value of a parametrised fixture; a real server is asked only where one is named."""
    marks = [pytest.mark.qdrant] if name == "qdrant" else []
    return pytest.param((name, *others), marks=marks, id="-".join((name, *others)))


@pytest.fixture(params=[named(name) for name in SHAPES])
def backend(request: pytest.FixtureRequest, backends: Callable[[str], Backend]) -> Backend:
    return backends(request.param[0])


@dataclass
class Filled:
    """An index that holds the same points as the reference."""

    index: Index
    reference: Reference
    backend: Backend


@pytest.fixture(
    scope="session",
    params=[named(name, shape) for name, shapes in SHAPES.items() for shape in shapes],
)
def filled(request: pytest.FixtureRequest, backends: Callable[[str], Backend]) -> Iterator[Filled]:
    """300 points to read, in each shape that an index may be in."""
    name, shape = request.param
    backend = backends(name)
    points = make_points(300, seed=1)
    index = backend.open(f"read-{shape}")
    index.pages.upsert(points)
    if shape == "optimized":
        index.optimize()
    if shape == "reopened":
        index.flush()
        index.close()
        index = backend.open(f"read-{shape}")
    with index:
        yield Filled(index, Reference(PAGES, points), backend)


@pytest.fixture
def fresh(request: pytest.FixtureRequest, backend: Backend) -> Iterator[Filled]:
    """40 points to change, one index a test."""
    points = make_points(40, seed=2)
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())
    with backend.open(name) as index:
        index.pages.upsert(points)
        yield Filled(index, Reference(PAGES, points), backend)


def make_points(count: int, *, seed: int) -> list[Point]:
    """Pages with gaps: each misses some view, some field; some are exact copies of others."""
    random = np.random.default_rng(seed)
    points: list[Point] = []
    for n in range(count):
        id_ = str(uuid.UUID(bytes=random.bytes(16), version=4))
        vectors = make_vectors(random)
        if n % 20 == 19:  # the same page again: ties
            vectors = dict(points[n - 1].vectors)
        kept = {name: vector for name, vector in vectors.items() if random.random() < 0.85}
        points.append(Point(id_, make_payload(random, n), kept))
    return points


def make_vectors(random: np.random.Generator) -> dict[str, Vector]:
    terms = np.sort(random.choice(200, size=random.integers(3, 20), replace=False))
    return {
        "visual": unit_rows(random, 1, 16)[0],
        "text": unit_rows(random, int(random.integers(1, 6)), 8),
        "lexical": SparseVector(
            (terms * 20_000_003).astype(np.uint32),  # spread over all of uint32
            random.uniform(0.1, 2.0, len(terms)).astype(np.float32),
        ),
        "labels": SparseVector(
            terms.astype(np.uint32), random.uniform(0.01, 1.0, len(terms)).astype(np.float32)
        ),
    }


def make_payload(random: np.random.Generator, n: int) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "document": f"document-{n // 12}",
        "title": ["Straße, 東京 & 🙂", 'quote " and \\ and \n', "plain"][n % 3],
        "tags": [["invoice", "2024"], ["facture é"], [], ["2024", "契約", "invoice"]][n % 4],
        "number": int(random.integers(-3, 9)),
        "years": [2000 + n % 7, 2010 + n % 3],
        "ready": n % 2,
        "nested": {"box": [0.25, None, True]},
    }
    if n % 3 == 0:
        payload["seconds"] = float(np.round(random.uniform(0, 60), 3))
    if n % 5 == 0:
        payload["tags"] = None
    return payload


def unit_rows(random: np.random.Generator, count: int, dimension: int) -> Any:
    rows = random.standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
