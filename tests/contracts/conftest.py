"""Every backend of the index seam behind one fixture, and the points they are filled with."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsearch.index import Index, Point, Schema, View
from mmsearch.types import SparseVector, Vector
from tests.contracts.reference import Reference
from tests.qdrant_server import QdrantServer

PAGES = Schema(
    views=(View("visual", "dense", 16), View("text", "multi", 8), View("lexical", "sparse")),
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
INFO = {"format": 1, "profile": "lite", "models": {"text": "MiniLM é"}, "avg_len": 61.5}


@dataclass
class Backend:
    """A way to open an index by name; the same name again opens the same index.

    `tolerance` is how far a view's score may be from the reference, relative and absolute:
    storing a view in less than float32 is a reason to raise it.
    `compacts` tells whether `compact` is over when it returns; a server takes its own time.
    """

    name: str
    tolerance: Mapping[str, float] = field(
        default_factory=lambda: {"visual": 1e-5, "text": 1e-5, "lexical": 1e-5}
    )
    compacts: bool = True

    def open(self, name: str, info: Mapping[str, Any] = INFO) -> Index:
        raise NotImplementedError


@dataclass
class EdgeBackend(Backend):
    root: Path = Path()

    def open(self, name: str, info: Mapping[str, Any] = INFO) -> Index:
        from mmsearch.index.edge import EdgeIndex

        return EdgeIndex.open(self.root / name, info=info, pages=PAGES, documents=DOCUMENTS)


@dataclass
class SocketBackend(Backend):
    root: Path = Path()

    def open(self, name: str, info: Mapping[str, Any] = INFO) -> Index:
        from mmsearch.index.embedded import EmbeddedIndex
        from mmsearch.index.socket import SocketIndex

        class HeldElsewhere(SocketIndex):
            """The socket's side, which takes the owner with it when it is closed."""

            def __init__(self, folder: Path) -> None:
                self.owner = EmbeddedIndex(folder, info=info, pages=PAGES, documents=DOCUMENTS)
                super().__init__(folder)

            def close(self) -> None:
                super().close()
                self.owner.close()

        return HeldElsewhere(self.root / name)


@dataclass
class ServerBackend(Backend):
    url: str = ""
    prefix: str = "contract"
    compacts: bool = False

    def open(self, name: str, info: Mapping[str, Any] = INFO) -> Index:
        from mmsearch.index.server import ServerIndex

        return ServerIndex.open(
            self.url,
            prefix=f"{self.prefix}-{name}",
            info=info,
            pages=PAGES,
            documents=DOCUMENTS,
            api_key=os.environ.get("MMSEARCH_API_KEY", "") if self.name == "qdrant" else "",
        )


@pytest.fixture(
    scope="session",
    params=["edge", "socket", "server", pytest.param("qdrant", marks=pytest.mark.qdrant)],
)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    name: str = request.param
    with ExitStack() as stack:
        if name in ("edge", "socket"):
            reason = "qdrant-edge-py is not installed: pip install qdrant-edge-py"
            pytest.importorskip("qdrant_edge", reason=reason)
            kind = EdgeBackend if name == "edge" else SocketBackend
            yield kind(name, root=tmp_path_factory.mktemp(name))
        elif name == "server":
            yield ServerBackend(name, url=stack.enter_context(QdrantServer()).url)
        else:
            url = os.environ.get("MMSEARCH_TEST_QDRANT_URL", "")
            if not url:
                pytest.skip("no Qdrant server: MMSEARCH_TEST_QDRANT_URL is not set")
            prefix = f"contract-{uuid.uuid4().hex[:8]}"
            stack.callback(_drop, url, prefix)
            yield ServerBackend(name, url=url, prefix=prefix)


def _drop(url: str, prefix: str) -> None:
    """Leave nothing of ours on a server that is not ours alone."""
    from qdrant_client import QdrantClient

    client = QdrantClient(url, api_key=os.environ.get("MMSEARCH_API_KEY") or None)
    for collection in client.get_collections().collections:
        if collection.name.startswith(prefix):
            client.delete_collection(collection.name)
    client.close()


@dataclass
class Filled:
    """An index that holds the same points as the reference."""

    index: Index
    reference: Reference
    backend: Backend


@pytest.fixture(scope="session", params=["written", "optimized", "reopened"])
def filled(request: pytest.FixtureRequest, backend: Backend) -> Iterator[Filled]:
    """300 points to read, in each shape that an index may be in."""
    points = make_points(300, seed=1)
    index = backend.open(f"read-{request.param}")
    index.pages.upsert(points)
    if request.param == "optimized":
        index.optimize()
    if request.param == "reopened":
        index.flush()
        index.close()
        index = backend.open(f"read-{request.param}")
    with index:
        yield Filled(index, Reference(PAGES, points), backend)


@pytest.fixture
def fresh(request: pytest.FixtureRequest, backend: Backend) -> Iterator[Filled]:
    """40 points to change, one index a test."""
    points = make_points(40, seed=2)
    with backend.open(request.node.originalname) as index:
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
