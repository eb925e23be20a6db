"""The server index where the server, the network or the key does not do as it should."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from mmsearch.errors import (
    FormatMismatch,
    IndexUnavailable,
    IndexUnusable,
    InvalidSetting,
    MMSearchError,
    NotFound,
    ProfileMismatch,
)
from mmsearch.filters import Between, Filter, HasVector, equals, ids
from mmsearch.index import Point, Schema, Search, View
from mmsearch.index.connection import INFO_POINT, Patience
from mmsearch.index.server import BATCH_BYTES, ServerIndex, _bytes, read_info
from mmsearch.types import SparseVector
from tests.qdrant_server import Fault, QdrantServer, has_openapi, refused

PAGES = Schema((View("visual", "dense", 4), View("lexical", "sparse")), {"number": "integer"})
DOCUMENTS = Schema(fields={"state": "keyword"})
INFO = {"format": 1, "profile": "lite"}
QUICK = Patience(timeout=20, attempts=4, total=30.0, first_pause=0.01, creation=0.3)
HASTY = Patience(timeout=1, attempts=3, total=30.0, first_pause=0.01)
KEY = "sesame-4711"

Open = Callable[..., ServerIndex]


@pytest.fixture(scope="module")
def shared_server() -> Iterator[QdrantServer]:
    with QdrantServer() as server:
        yield server


@pytest.fixture
def server(shared_server: QdrantServer) -> QdrantServer:
    shared_server.faults.clear()
    shared_server.requests.clear()
    return shared_server


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def index(server: QdrantServer, prefix: str) -> Iterator[ServerIndex]:
    with open_index(server.url, prefix) as opened:
        server.requests.clear()
        yield opened


def open_index(url: str, prefix: str = "mmsearch", **options: Any) -> ServerIndex:
    wanted = {"info": INFO, "pages": PAGES, "documents": DOCUMENTS, "patience": QUICK}
    return ServerIndex.open(url, prefix=prefix, **{**wanted, **options})


def page(n: int, **payload: Any) -> Point:
    vector = np.eye(4, dtype=np.float32)[n % 4]
    return Point(str(uuid.UUID(int=n + 1)), {"number": n, **payload}, {"visual": vector})


def free_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def check_line(error: MMSearchError, *parts: str) -> None:
    """The message is one line that names each of `parts`."""
    message = str(error)
    assert "\n" not in message
    assert len(message) < 400
    for part in parts:
        assert part in message


# A failure that passes.


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_busy_server_is_asked_again(
    server: QdrantServer, index: ServerIndex, status: int
) -> None:
    server.faults.append(Fault(status=status, times=2))
    index.pages.upsert([page(0)])
    assert len(server.sent("PUT", "/points")) == 3
    assert index.pages.count(Filter()) == 1


def test_the_pause_that_the_server_asks_for_is_kept(
    server: QdrantServer, index: ServerIndex
) -> None:
    server.faults.append(Fault(status=429, headers={"Retry-After": "1"}))
    started = time.monotonic()
    assert index.pages.count(Filter()) == 0
    assert 1.0 <= time.monotonic() - started < 3.0
    assert len(server.requests) == 2


def test_a_pause_beyond_our_patience_is_not_waited_for(
    server: QdrantServer, index: ServerIndex
) -> None:
    server.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(IndexUnavailable) as caught:
        index.pages.count(Filter())
    check_line(caught.value, server.url, "429", "try again later")
    assert len(server.requests) == 1


def test_a_pause_given_as_a_date_is_a_plain_retry(server: QdrantServer, index: ServerIndex) -> None:
    date = "Wed, 21 Oct 2065 07:28:00 GMT"
    server.faults.append(Fault(status=429, headers={"Retry-After": date}))
    assert index.pages.count(Filter()) == 0


def test_an_answer_that_comes_too_late_is_asked_for_again(
    server: QdrantServer, prefix: str
) -> None:
    with open_index(server.url, prefix, patience=HASTY) as index:
        server.requests.clear()
        server.faults.append(Fault(delay=1.3))
        assert index.pages.count(Filter()) == 0
    assert len(server.requests) == 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_write_whose_answer_is_cut_is_repeated(
    server: QdrantServer, index: ServerIndex, times: int
) -> None:
    server.faults.append(Fault(cut=True, path="/points", times=times))
    index.pages.upsert([page(0), page(1)])
    assert len(server.sent("PUT", "/points")) == 1 + times
    server.faults.append(Fault(cut=True, path="/query", times=times))
    (found,) = index.pages.search([Search("visual", page(0).vectors["visual"], 5)], Filter())
    assert [(hit.id, hit.score) for hit in found] == [(page(0).id, 1.0), (page(1).id, 0.0)]


# A failure that stays.


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault(status=503, times=100), "503"),
        (Fault(delay=1.3, times=100), "no answer within 1 s"),
        (Fault(cut=True, times=100), "closed connection"),
    ],
)
def test_a_server_that_stays_bad_is_given_up(
    server: QdrantServer, prefix: str, fault: Fault, cause: str
) -> None:
    with open_index(server.url, prefix, patience=HASTY) as index:
        server.requests.clear()
        server.faults.append(Fault(**vars(fault)))
        started = time.monotonic()
        with pytest.raises(IndexUnavailable) as caught:
            index.pages.count(Filter())
    assert time.monotonic() - started < HASTY.attempts * HASTY.timeout + 2
    check_line(caught.value, server.url, cause, "3 attempts")
    assert len(server.requests) == HASTY.attempts


def test_the_seconds_are_bounded_whatever_the_attempts(server: QdrantServer, prefix: str) -> None:
    patience = Patience(attempts=1000, total=0.5, first_pause=0.05)
    with open_index(server.url, prefix, patience=patience) as index:
        server.faults.append(Fault(status=503, times=1000))
        started = time.monotonic()
        with pytest.raises(IndexUnavailable):
            index.pages.count(Filter())
    assert time.monotonic() - started < 2.0


def test_no_server_is_one_clear_line_within_seconds() -> None:
    url = free_url()
    started = time.monotonic()
    with pytest.raises(IndexUnavailable) as caught:
        open_index(url)
    assert time.monotonic() - started < 2.0
    check_line(caught.value, url, "refused", "is the server running? docker run -p 6333:6333")


def test_a_server_that_goes_away_is_the_same_line(prefix: str) -> None:
    with QdrantServer() as server:
        index = open_index(server.url, prefix)
    with pytest.raises(IndexUnavailable) as caught:
        index.pages.search([Search("visual", page(0).vectors["visual"], 5)], Filter())
    check_line(caught.value, server.url, "is the server running?")
    index.close()
    index.close()


def test_an_internal_error_is_not_asked_for_again(server: QdrantServer, index: ServerIndex) -> None:
    server.faults.append(Fault(status=500))
    with pytest.raises(IndexUnavailable) as caught:
        index.pages.count(Filter())
    check_line(caught.value, server.url, "500: asked to fail")
    assert len(server.requests) == 1


def test_a_refusal_is_not_asked_for_again(server: QdrantServer, index: ServerIndex) -> None:
    server.faults.append(Fault(status=404))
    with pytest.raises(IndexUnusable) as caught:
        index.pages.count(Filter())
    check_line(caught.value, server.url, "404: asked to fail", "mmsearch ingest")
    assert len(server.requests) == 1


# The wrong server, the wrong key.


@pytest.mark.parametrize("key", ["", "wrong-" + KEY])
def test_a_wrong_key_is_said_but_never_shown(key: str) -> None:
    with QdrantServer(api_key=KEY) as server:
        with pytest.raises(IndexUnusable) as caught:
            open_index(server.url, api_key=key)
        check_line(caught.value, server.url, "401", "API key", "MMSEARCH_API_KEY")
        assert KEY not in str(caught.value)
        with open_index(server.url, api_key=KEY) as index:
            assert index.info == INFO


def test_a_key_over_plain_http_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(IndexUnavailable):
        open_index("http://qdrant.invalid:6333", api_key=KEY)
    assert "unencrypted" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404, path="/"),
        Fault(status=404, path="/", text="<h1>Not found</h1>"),
        Fault(status=200, path="/", text="<h1>It works!</h1>"),
        Fault(status=200, path="/", text='{"hello": "world"}'),
    ],
)
def test_a_server_that_is_no_qdrant_is_a_clear_line(server: QdrantServer, fault: Fault) -> None:
    server.faults.append(Fault(**vars(fault)))
    with pytest.raises(IndexUnusable) as caught:
        open_index(server.url)
    check_line(caught.value, server.url, "check the URL")


def test_a_server_that_is_too_old_is_a_clear_line() -> None:
    with QdrantServer(version="1.9.7") as server, pytest.raises(IndexUnusable) as caught:
        open_index(server.url)
    check_line(caught.value, server.url, "1.9.7", "1.13", "docker pull qdrant/qdrant")


@pytest.mark.parametrize("url", ["localhost:6333", "ftp://localhost", "http://", "reports"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting, match="no URL of a server"):
        open_index(url)


@pytest.mark.parametrize("prefix", ["", "a/b", "a b", "x" * 300])
def test_what_is_no_name_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidSetting, match="letters, digits"):
        open_index("http://localhost:6333", prefix)


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(IndexUnavailable) as caught:
        open_index(free_url().replace("//", "//user:secret@"))
    assert "secret" not in str(caught.value)


# Making and finding an index.


def test_two_processes_may_make_the_index_at_once(server: QdrantServer, prefix: str) -> None:
    start = threading.Barrier(4)
    infos: list[object] = []

    def make(n: int) -> None:
        start.wait()
        patience = Patience(timeout=10, creation=10.0)
        with open_index(server.url, prefix, info={"maker": n}, patience=patience) as index:
            infos.append(index.info)

    threads = [threading.Thread(target=make, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(infos) == 4
    assert all(info == infos[0] for info in infos)
    assert read_info(server.url, prefix=prefix) == infos[0]


def test_a_half_made_index_is_completed(server: QdrantServer, prefix: str) -> None:
    server.faults.append(Fault(status=500, path="/index"))
    with pytest.raises(IndexUnavailable):
        open_index(server.url, prefix)
    with pytest.raises(NotFound, match="mmsearch ingest"):
        read_info(server.url, prefix=prefix)
    with open_index(server.url, prefix, info={"second": "try"}) as index:
        assert index.info == {"second": "try"}
        index.documents.upsert([Point(str(uuid.uuid4()), {"state": "done"})])
        assert index.documents.facet("state", Filter()) == {"done": 1}


def test_an_index_that_another_process_is_making_is_waited_for(
    server: QdrantServer, prefix: str
) -> None:
    server.faults.append(Fault(status=500, path="/index"))
    with pytest.raises(IndexUnavailable):
        open_index(server.url, prefix)
    point = {"id": INFO_POINT, "vector": {}, "payload": {"info": '{"maker": "other"}'}}
    url = f"{server.url}/collections/{prefix}-documents/points"
    other = threading.Timer(0.3, httpx.put, [url], {"json": {"points": [point]}})
    other.start()
    with open_index(server.url, prefix, patience=Patience(creation=20.0)) as index:
        assert index.info == {"maker": "other"}
    other.join()


def test_an_index_field_that_came_later_is_added(server: QdrantServer, prefix: str) -> None:
    open_index(server.url, prefix).close()
    more = Schema(fields={**DOCUMENTS.fields, "size": "integer"})
    server.requests.clear()
    with open_index(server.url, prefix, documents=more) as index:
        index.documents.upsert([Point(str(uuid.uuid4()), {"size": 3})])
        assert index.documents.facet("size", Filter()) == {3: 1}
    assert len(server.sent("PUT", "/index")) == 1


def test_collections_of_something_else_are_left_alone(server: QdrantServer, prefix: str) -> None:
    with open_index(server.url, prefix) as index:
        index.documents.upsert([Point(str(uuid.uuid4()), {"foreign": True})])
    forget_info(server, prefix)
    with pytest.raises(FormatMismatch) as caught:
        open_index(server.url, prefix)
    check_line(caught.value, server.url, f"{prefix}-documents", "setting `collection`")


def forget_info(server: QdrantServer, prefix: str) -> None:
    body = {"filter": {"must": [{"has_id": [INFO_POINT]}]}}
    url = f"{server.url}/collections/{prefix}-documents/points/delete"
    assert httpx.post(url, json=body).status_code == 200


def test_other_views_are_another_profile(server: QdrantServer, prefix: str) -> None:
    open_index(server.url, prefix).close()
    with pytest.raises(ProfileMismatch) as caught:
        open_index(server.url, prefix, pages=Schema((View("visual", "multi", 4),)))
    check_line(caught.value, "visual (dense 4)", "visual (multi 4)", "lexical (sparse)")


def test_the_reserved_point_is_never_shown_nor_changed(index: ServerIndex, prefix: str) -> None:
    documents = index.documents
    assert documents.retrieve([INFO_POINT]) == []
    assert list(documents.scroll(ids([INFO_POINT]))) == []
    documents.delete(ids([INFO_POINT]))
    documents.set_payload({"info": "spoilt"}, Filter())
    assert read_info(index.address, prefix=prefix) == INFO


def test_info_can_be_read_without_opening(server: QdrantServer, prefix: str) -> None:
    with pytest.raises(NotFound) as caught:
        read_info(server.url, prefix=prefix, patience=QUICK)
    check_line(caught.value, server.url, prefix, "mmsearch ingest")
    open_index(server.url, prefix).close()
    assert read_info(server.url, prefix=prefix, patience=QUICK) == INFO


# Requests.


def test_many_points_are_several_requests(server: QdrantServer, index: ServerIndex) -> None:
    index.pages.upsert([page(n) for n in range(600)])
    assert len(server.sent("PUT", "/points")) == 3
    assert index.pages.count(Filter()) == 600
    index.pages.set_vectors({page(n).id: page(n + 1).vectors for n in range(600)})
    assert len(server.sent("PUT", "/vectors")) == 3


def test_large_points_are_several_requests(server: QdrantServer, index: ServerIndex) -> None:
    text = "Größe " * 200_000  # 1.6 MB as UTF-8
    index.pages.upsert([page(n, text=text) for n in range(9)])
    requests = server.sent("PUT", "/points")
    assert len(requests) > 1
    assert all(request.size <= BATCH_BYTES for request in requests)
    assert index.pages.count(Filter()) == 9
    (point,) = index.pages.retrieve([page(8).id])
    assert point.payload["text"] == text


def test_the_size_of_a_point_is_not_underrated(server: QdrantServer, index: ServerIndex) -> None:
    indices = np.arange(2000, dtype=np.uint32) + np.uint32(2**32 - 2001)
    weights = -np.random.default_rng(0).random(2000).astype(np.float32) * 1e-6
    text = 'quote " 東京 🙂 \n' * 100
    point = Point(page(0).id, {"text": text}, {"lexical": SparseVector(indices, weights)})
    index.pages.upsert([point])
    assert _bytes(point) / 2 < server.sent("PUT", "/points")[0].size <= _bytes(point)


def test_a_point_beyond_the_limit_goes_alone(server: QdrantServer, index: ServerIndex) -> None:
    index.pages.upsert([page(0), page(1, text="x" * (BATCH_BYTES + 1)), page(2)])
    assert len(server.sent("PUT", "/points")) == 3
    assert index.pages.count(Filter()) == 3


def test_a_search_is_one_request(server: QdrantServer, index: ServerIndex) -> None:
    index.pages.upsert([page(n) for n in range(8)])
    searches = [Search("visual", page(n).vectors["visual"], 3) for n in range(4)]
    server.requests.clear()
    assert len(index.pages.search(searches, equals("number", 1))) == 4
    assert len(server.requests) == 1


def test_compact_has_the_server_vacuum_and_restores_its_settings(
    server: QdrantServer, index: ServerIndex, prefix: str
) -> None:
    index.compact()
    changed = server.settings[f"{prefix}-pages"]
    assert changed[0] == {"deleted_threshold": 0.0, "vacuum_min_vector_number": 100}
    assert changed[1] == {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000}
    assert len(server.sent("PATCH", "-documents")) == 2


@pytest.mark.parametrize(
    "where",
    [
        Filter(must=(HasVector("no_such_view"),)),
        Filter(must=(Between("number", float("-inf"), 3),)),
        Filter(must_not=(Between("number", 3, float("nan")),)),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_here(
    server: QdrantServer, index: ServerIndex, where: Filter
) -> None:
    with pytest.raises(ValueError, match=r"no_such_view|not finite"):
        index.pages.count(where)
    assert server.requests == []


def test_a_payload_that_json_cannot_hold_is_refused(index: ServerIndex) -> None:
    with pytest.raises(ValueError, match="JSON"):
        index.pages.upsert([page(0, weight=float("nan"))])
    assert index.pages.count(Filter()) == 0


def test_limits_and_facets_that_make_no_sense_are_refused(index: ServerIndex) -> None:
    with pytest.raises(ValueError, match="limit"):
        index.pages.search([Search("visual", page(0).vectors["visual"], 0)], Filter())
    with pytest.raises(ValueError, match="no_such_field"):
        index.pages.facet("no_such_field", Filter())


def test_qdrant_client_is_imported_only_when_a_server_is_opened() -> None:
    code = "import sys, mmsearch.index.server; sys.exit('qdrant_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not has_openapi(), reason="no OpenAPI file of the server: set QDRANT_OPENAPI")
@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/collections/a/nowhere/b", "", b""),
        ("PUT", "/collections/a/points", "wait=true&hurry=true", b'{"points": []}'),
        ("POST", "/collections/a/points/count", "", b'{"exact": "yes"}'),
        ("POST", "/collections/a/points/count", "", b'{"exactly": true}'),
        ("POST", "/collections/a/facet", "", b'{"limit": 3}'),
        ("PUT", "/collections/a", "", b'{"vectors": {"v": {"size": 0, "distance": "Dot"}}}'),
    ],
)
def test_the_test_server_is_as_strict_as_the_real_one(
    method: str, path: str, query: str, body: bytes
) -> None:
    assert refused(method, path, query, body)
