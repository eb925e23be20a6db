"""What Prometheus is told, and what says that the server is well."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from mmsearch.documents import point_id
from mmsearch.engine import SearchEngine
from mmsearch.errors import IndexUnavailable, InvalidQuery
from mmsearch.index import Point
from mmsearch.types import Document, DocumentState
from tests.ui.small_archive import open_empty
from ui.doors import metrics as module
from ui.doors.metrics import Metrics
from ui.library.jobs import Jobs

ID = f"{7:064x}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    with open_empty(tmp_path_factory.mktemp("metrics")) as engine:
        engine.documents.put(Document(ID, DocumentState.DONE))
        engine.documents.put(Document(ID[::-1], DocumentState.FAILED))
        engine.index.pages.upsert([Point(point_id(ID, n), {"number": n}) for n in (1, 2, 3)])
        yield engine


@pytest.fixture
def jobs(engine: SearchEngine) -> Iterator[Jobs]:
    jobs = Jobs(engine)
    yield jobs
    jobs.close()


@pytest.fixture
def metrics(engine: SearchEngine, jobs: Jobs) -> Metrics:
    return Metrics(engine, jobs)


@pytest.fixture
def client(metrics: Metrics) -> TestClient:
    app = FastAPI()
    app.include_router(metrics.router)
    return TestClient(app)


def read(client: TestClient) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_searches_are_counted_by_kind_and_outcome(metrics: Metrics, client: TestClient) -> None:
    with metrics.search("words"):
        time.sleep(0.03)
    with suppress(InvalidQuery), metrics.search("image"):
        raise InvalidQuery("no image")
    with suppress(IndexUnavailable), metrics.search("both"):
        raise IndexUnavailable("down")
    with suppress(ZeroDivisionError), metrics.search("both"):
        _ = 1 / 0
    told = read(client)
    count = "mmsearch_searches_total"
    assert told[count, "words", "answered"] == 1
    assert told[count, "image", "refused"] == 1
    assert told[count, "both", "failed"] == 2
    assert told[count, "image", "answered"] == 0
    assert told["mmsearch_search_seconds_count", "words"] == 1
    assert 0.03 <= told["mmsearch_search_seconds_sum", "words"] < 1
    assert told["mmsearch_search_seconds_count", "both"] == 0


def test_what_is_no_search_is_not_counted(metrics: Metrics, client: TestClient) -> None:
    with metrics.search(None):
        pass
    assert not [name for name, n in read(client).items() if "mmsearch_searches_t" in name[0] and n]


def test_the_index_is_told_of(client: TestClient) -> None:
    told = read(client)
    assert told["mmsearch_index_up",] == 1
    assert told["mmsearch_pages",] == 3
    assert told["mmsearch_documents", "done"] == told["mmsearch_documents", "failed"] == 1
    assert told["mmsearch_documents", "pending"] == 0
    assert told["mmsearch_ingestion_jobs",] == 0
    assert told["process_resident_memory_bytes",] > 1e6


def test_two_sites_count_apart(engine: SearchEngine, jobs: Jobs, client: TestClient) -> None:
    other = Metrics(engine, jobs)
    with other.search("words"):
        pass
    assert read(client)["mmsearch_searches_total", "words", "answered"] == 0


def test_healthz_says_ok_and_nothing_else(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_an_index_that_fails_is_told(tmp_path: Path) -> None:
    with open_empty(tmp_path) as engine:
        jobs = Jobs(engine)
        metrics = Metrics(engine, jobs)
        app = FastAPI()
        app.include_router(metrics.router)
        client = TestClient(app)
        engine.index.close()
        assert client.get("/healthz").status_code == 503
        told = read(client)
        assert told["mmsearch_index_up",] == 0
        assert not [name for name in told if name[0] in ("mmsearch_documents", "mmsearch_pages")]
        jobs.close()


def test_an_index_that_hangs_is_asked_once_and_told(
    engine: SearchEngine, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, asked = threading.Event(), []

    def hang(*ids: str) -> dict[str, object]:
        asked.append(ids)
        hanging.wait(10)
        return {}

    monkeypatch.setattr(engine.documents, "get", hang)
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    monkeypatch.setattr(module, "_FRESH", 0.0)
    answers = [client.get("/healthz") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].json() == {"status": "the index does not answer"}
    assert len(asked) == 1
    hanging.set()
