"""`GET /metrics` for Prometheus, and `GET /healthz` for what keeps the server running."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from mmsearch.errors import InvalidQuery, InvalidSetting, NotFound
from mmsearch.filters import Filter
from mmsearch.types import DocumentState

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

    from mmsearch.engine import SearchEngine
    from ui.library.jobs import Jobs

Kind = Literal["words", "image", "both"]
OUTCOMES = ("answered", "refused", "failed")
_PATIENCE = 2.0  # seconds that the index may take to answer
_FRESH = 1.0  # seconds that its answer counts: everybody may ask for it
_BUCKETS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 30.0)  # seconds
_REFUSALS = (InvalidQuery, InvalidSetting, NotFound)  # whoever searches has to search otherwise
_log = logging.getLogger(__name__)


class Metrics:
    """Counts searches, and tells of them and of the index in a registry of its own."""

    def __init__(self, engine: SearchEngine, jobs: Jobs) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

        self.registry = CollectorRegistry()
        self._searches = Counter(
            "mmsearch_searches", "Searches.", ["kind", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "mmsearch_search_seconds",
            "Seconds that a search took which was answered.",
            ["kind"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        for kind in get_args(Kind):  # so that a rate is known from the first search on
            self._seconds.labels(kind)
            for outcome in OUTCOMES:
                self._searches.labels(kind, outcome)
        self.registry.register(_Held(engine, jobs))
        ProcessCollector(registry=self.registry)
        self.router = self._routes(_Pulse(engine))

    @contextmanager
    def search(self, kind: Kind | None) -> Iterator[None]:
        """Counts the search that is made within, how it ended and how long it took; None: none."""
        if kind is None:
            yield
            return
        started = time.perf_counter()
        outcome = "failed"
        try:
            yield
            outcome = "answered"
        except _REFUSALS:
            outcome = "refused"
            raise
        except GeneratorExit:  # whoever asked has left
            outcome = "answered"
            raise
        finally:
            self._searches.labels(kind, outcome).inc()
            if outcome == "answered":
                self._seconds.labels(kind).observe(time.perf_counter() - started)

    def _routes(self, pulse: _Pulse) -> APIRouter:
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        router = APIRouter()

        @router.get("/metrics")
        def metrics() -> Response:
            text = generate_latest(self.registry)
            return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

        @router.get("/healthz")
        async def healthz() -> JSONResponse:
            fine = await pulse.beats()
            return JSONResponse(
                {"status": "ok" if fine else "the index does not answer"},
                status_code=200 if fine else 503,
                headers={"Cache-Control": "no-store"},
            )

        return router


class _Held:
    """What the index holds and what waits, asked for whenever the metrics are read."""

    def __init__(self, engine: SearchEngine, jobs: Jobs) -> None:
        self._engine = engine
        self._jobs = jobs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        from prometheus_client.core import GaugeMetricFamily as Gauge

        waiting = sum(1 for job in self._jobs.all() if job.is_active)
        yield Gauge("mmsearch_ingestion_jobs", "Jobs that run or wait.", value=waiting)
        up = Gauge("mmsearch_index_up", "Whether the index answers.", value=0)
        documents = Gauge("mmsearch_documents", "Documents by state.", labels=["state"])
        pages = Gauge("mmsearch_pages", "Pages in the index.")
        try:
            states = self._engine.documents.counts()
            pages.add_metric([], self._engine.index.pages.count(Filter()))
        except Exception:  # a server that is down, an index that is closed: told as such
            _log.warning("metrics: the index does not answer", exc_info=True)
        else:
            for state in DocumentState:
                documents.add_metric([str(state)], states.get(str(state), 0))
            up = Gauge("mmsearch_index_up", "Whether the index answers.", value=1)
            yield documents
            yield pages
        yield up

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: so that nothing is asked of the index when this is registered."""
        return []


class _Pulse:
    """Whether the index answers; never asked twice at a time, however many want to know."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine
        self._asked: Future[bool] | None = None
        self._since = 0.0
        self._lock = threading.Lock()

    async def beats(self) -> bool:
        """Whether it answers within `_PATIENCE`, or did a moment ago."""
        answer = asyncio.wrap_future(self._ask())
        done, _ = await asyncio.wait([answer], timeout=_PATIENCE)
        return bool(done) and answer.result()

    def _ask(self) -> Future[bool]:
        with self._lock:
            now = time.monotonic()
            asked = self._asked
            if asked is None or (asked.done() and now - self._since > _FRESH):
                asked = self._asked = Future()
                self._since = now
                # Not of a pool: one that hangs must not keep the server from ending.
                threading.Thread(target=self._answer, args=(asked,), daemon=True).start()
            return asked

    def _answer(self, asked: Future[bool]) -> None:
        try:
            self._engine.documents.get("0" * 64)
        except Exception:
            _log.warning("health: the index does not answer", exc_info=True)
            asked.set_result(False)
        else:
            asked.set_result(True)
