"""The contract of the index seam: every backend gives the reference's answers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mmsearch.filters import AnyOf, Between, Filter, HasVector, Ids, equals
from mmsearch.index import Point, Scored, Search
from mmsearch.types import SparseVector, Vector
from tests.contracts.conftest import INFO, PAGES, SHAPES, Backend, Filled, make_points, make_vectors
from tests.contracts.reference import Reference, as_weights, idf

EVERYTHING = Filter()
NOBODY = "ffffffff-ffff-4fff-8fff-ffffffffffff"
SOME = tuple(point.id for point in make_points(300, seed=1)[10:60])

FILTERS = {
    "everything": EVERYTHING,
    "keyword": equals("document", "document-3"),
    "keywords": equals("document", "document-3", "document-4", "no-such"),
    "keyword in a list": equals("tags", "2024"),
    "any of a list": equals("tags", "契約", "facture é"),
    "integer": equals("number", 4),
    "negative integers": equals("number", -3, -1),
    "integer in a list": equals("years", 2011),
    "flag": equals("ready", 1),
    "any of no values": Filter(must=(AnyOf("document", ()),)),
    "integer range": Filter(must=(Between("number", 2, 5),)),
    "from": Filter(must=(Between("number", 5),)),
    "up to": Filter(must=(Between("number", None, 0),)),
    "bounds between integers": Filter(must=(Between("number", 1.5, 4.5),)),
    "negative bounds between integers": Filter(must=(Between("number", -2.5, -0.5),)),
    "range over a list": Filter(must=(Between("years", 2005, 2006),)),
    "float range": Filter(must=(Between("seconds", 10.5, 40.0),)),
    "ids": Filter(must=(Ids(SOME),)),
    "one id": Filter(must=(Ids(SOME[:1]),)),
    "no ids": Filter(must=(Ids(()),)),
    "an id of nobody": Filter(must=(Ids((NOBODY,)),)),
    "has a dense vector": Filter(must=(HasVector("visual"),)),
    "has a multivector": Filter(must=(HasVector("text"),)),
    "has a sparse vector": Filter(must=(HasVector("lexical"),)),
    "not a keyword": Filter(must_not=(AnyOf("tags", ("invoice",)),)),
    "not in a range": Filter(must_not=(Between("seconds", 0.0, 100.0),)),
    "not these ids": Filter(must_not=(Ids(SOME),)),
    "without a vector": Filter(must_not=(HasVector("visual"),)),
    "all of them": Filter(
        must=(AnyOf("ready", (1,)), Between("number", 0, 8), HasVector("text"), Ids(SOME)),
        must_not=(AnyOf("tags", ("facture é",)), AnyOf("document", ("document-1",))),
    ),
    "and": equals("ready", 0) & Filter(must_not=(HasVector("lexical"),)),
    "contradiction": equals("ready", 0) & equals("ready", 1),
    "no such value": equals("document", "no-such"),
    "no such field": equals("no_such_field", "x"),
}

queries = np.random.default_rng(3)
QUERIES = [make_vectors(queries) | {"text": make_vectors(queries)["text"][:1]} for _ in range(2)]


def check_ranking(
    found: Sequence[Scored], expected: dict[str, float], limit: int, tolerance: float
) -> None:
    """`found` is the best `limit` of `expected`, in order but for ties."""
    close = {"rel": tolerance, "abs": tolerance}
    best = sorted(expected.values(), reverse=True)[:limit]
    assert len({hit.id for hit in found}) == len(found)
    assert [hit.score for hit in found] == pytest.approx(best, **close)
    assert [hit.score for hit in found] == pytest.approx([expected[h.id] for h in found], **close)
    assert all(a.score >= b.score for a, b in pairwise(found))


def check_searches(filled: Filled, where: Filter, limit: int, views: Sequence[str]) -> None:
    """Every query in every view, in one batch, against the reference."""
    searches = [Search(view, query[view], limit) for query in QUERIES for view in views]
    lists = filled.index.pages.search(searches, where)
    assert len(lists) == len(searches)
    for search, found in zip(searches, lists, strict=True):
        expected = filled.reference.scores(search.view, search.vector, where)
        check_ranking(found, expected, limit, filled.backend.tolerance[search.view])
        for hit in found:
            assert hit.payload == filled.reference.points[hit.id].payload


def check_same_point(found: Point, expected: Point) -> None:
    assert (found.id, found.payload) == (expected.id, expected.payload)
    assert found.vectors.keys() == expected.vectors.keys()
    for view, vector in expected.vectors.items():
        check_same_vector(found.vectors[view], vector)


def check_same_vector(found: Vector, expected: Vector) -> None:
    if isinstance(expected, SparseVector):
        assert as_weights(found) == pytest.approx(as_weights(expected))
        return
    assert not isinstance(found, SparseVector)
    assert (found.shape, found.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def check_all(filled: Filled) -> None:
    """The whole collection is the reference's: every point, every score."""
    expected = {point.id: point for point in filled.reference.scroll(EVERYTHING, vectors=True)}
    found = list(filled.index.pages.scroll(EVERYTHING, vectors=True))
    assert [point.id for point in found] == list(expected)
    for point in found:
        check_same_point(point, expected[point.id])
    check_searches(filled, EVERYTHING, 1000, ["visual", "text", "lexical", "labels"])


# Reading, in each shape of an index: as written, optimized, reopened.


@pytest.mark.parametrize("name", FILTERS)
def test_search_finds_the_best_that_the_filter_selects(filled: Filled, name: str) -> None:
    check_searches(filled, FILTERS[name], 10, ["visual", "text", "lexical", "labels"])


def test_a_limit_beyond_the_count_finds_all_and_no_more(filled: Filled) -> None:
    check_searches(filled, EVERYTHING, 1000, ["visual", "text", "lexical", "labels"])


def test_a_multi_view_takes_one_row_in_either_shape(filled: Filled) -> None:
    row = QUERIES[0]["text"]
    assert not isinstance(row, SparseVector)
    flat, rows = filled.index.pages.search(
        [Search("text", row.reshape(-1), 5), Search("text", row.reshape(1, -1), 5)], EVERYTHING
    )
    assert [hit.score for hit in flat] == [hit.score for hit in rows]


def test_terms_that_no_page_has_find_nothing(filled: Filled) -> None:
    unknown = SparseVector(np.array([7], np.uint32), np.ones(1, np.float32))
    empty = SparseVector(np.array([], np.uint32), np.array([], np.float32))
    visual = Search("visual", QUERIES[0]["visual"], 3)
    lists = filled.index.pages.search(
        [Search("lexical", unknown, 5), visual, Search("lexical", empty, 5)], EVERYTHING
    )
    assert [len(found) for found in lists] == [0, 3, 0]


def test_no_searches_have_no_lists(filled: Filled) -> None:
    assert filled.index.pages.search([], EVERYTHING) == []


@pytest.mark.parametrize("wanted", [True, False, ["title"], ["title", "years", "no_such"]])
def test_payload_is_what_was_asked_for(filled: Filled, wanted: bool | list[str]) -> None:
    search = Search("visual", QUERIES[0]["visual"], 3)
    (expected,) = filled.reference.search([search], EVERYTHING, payload=wanted)
    (found,) = filled.index.pages.search([search], EVERYTHING, payload=wanted)
    assert [hit.payload for hit in found] == [hit.payload for hit in expected]
    point = filled.index.pages.retrieve([SOME[0]], payload=wanted)[0]
    assert point.payload == filled.reference.retrieve([SOME[0]], payload=wanted)[0].payload
    point = next(filled.index.pages.scroll(FILTERS["one id"], payload=wanted))
    assert point.payload == filled.reference.retrieve([SOME[0]], payload=wanted)[0].payload


@pytest.mark.parametrize("name", FILTERS)
def test_count_and_scroll_agree_with_the_filter(filled: Filled, name: str) -> None:
    where = FILTERS[name]
    expected = [point.id for point in filled.reference.scroll(where)]
    found = filled.index.pages.scroll(where, payload=False, batch=50)
    assert [point.id for point in found] == expected
    assert filled.index.pages.count(where) == len(expected)


@pytest.mark.parametrize("batch", [1, 7, 300])
def test_scroll_is_complete_whatever_the_batch(filled: Filled, batch: int) -> None:
    where = FILTERS["keyword"]
    expected = [point.id for point in filled.reference.scroll(where)]
    assert [point.id for point in filled.index.pages.scroll(where, batch=batch)] == expected


def test_scroll_gives_back_what_was_written(filled: Filled) -> None:
    found = list(filled.index.pages.scroll(EVERYTHING, vectors=True, batch=64))
    expected = list(filled.reference.scroll(EVERYTHING, vectors=True))
    for got, wanted in zip(found, expected, strict=True):
        check_same_point(got, wanted)


def test_scroll_and_retrieve_leave_vectors_out_unless_asked(filled: Filled) -> None:
    assert next(filled.index.pages.scroll(EVERYTHING)).vectors == {}
    assert filled.index.pages.retrieve(SOME[:1])[0].vectors == {}


def test_retrieve_keeps_the_order_and_skips_what_is_missing(filled: Filled) -> None:
    ids = [SOME[5], NOBODY, SOME[0], str(uuid.uuid4()), SOME[49]]
    found = filled.index.pages.retrieve(ids, vectors=True)
    assert [point.id for point in found] == [SOME[5], SOME[0], SOME[49]]
    for point in found:
        check_same_point(point, filled.reference.points[point.id])
    assert filled.index.pages.retrieve([]) == []


@pytest.mark.parametrize("field", ["document", "tags", "number", "years", "ready"])
@pytest.mark.parametrize("name", ["everything", "flag", "all of them", "contradiction"])
@pytest.mark.parametrize("limit", [3, 100])
def test_facets_count_what_the_filter_selects(
    filled: Filled, field: str, name: str, limit: int
) -> None:
    every = filled.reference.facet(field, FILTERS[name], limit=1000)
    found = filled.index.pages.facet(field, FILTERS[name], limit=limit)
    assert list(found.values()) == list(every.values())[:limit]
    assert all(every[value] == count for value, count in found.items())
    expected_type = str if PAGES.fields[field] == "keyword" else int
    assert all(type(value) is expected_type for value in found)


# Writing.


def test_writing_twice_changes_nothing(fresh: Filled) -> None:
    fresh.index.pages.upsert(list(fresh.reference.points.values()))
    check_all(fresh)


def test_upsert_replaces_payload_and_vectors_whole(fresh: Filled) -> None:
    ids = list(fresh.reference.points)[:5]
    random = np.random.default_rng(4)
    replaced = [
        Point(ids[0], {"title": "new"}, {"visual": make_vectors(random)["visual"]}),
        Point(ids[1], {}, make_vectors(random)),
        Point(ids[2], {"ready": 1}, {}),
    ]
    fresh.index.pages.upsert(replaced)
    fresh.reference.upsert(replaced)
    found = fresh.index.pages.retrieve(ids, vectors=True)
    for got, wanted in zip(found, fresh.reference.retrieve(ids, vectors=True), strict=True):
        check_same_point(got, wanted)
    check_searches(fresh, EVERYTHING, 100, ["visual", "text"])


def test_nothing_to_write_is_fine(fresh: Filled) -> None:
    fresh.index.pages.upsert([])
    fresh.index.pages.set_vectors({})
    fresh.index.pages.set_payload({}, EVERYTHING)
    fresh.index.pages.delete(equals("document", "no-such"))
    check_all(fresh)


def test_an_empty_vector_is_no_vector(fresh: Filled) -> None:
    id_ = str(uuid.uuid4())
    empty = SparseVector(np.array([], np.uint32), np.array([], np.float32))
    point = Point(id_, {}, {"lexical": empty, "text": np.zeros((0, 8), np.float32)})
    fresh.index.pages.upsert([point])
    assert fresh.index.pages.retrieve([id_], vectors=True) == [Point(id_)]
    assert fresh.index.pages.count(Filter((HasVector("lexical"), Ids((id_,))))) == 0


def test_set_payload_merges(fresh: Filled) -> None:
    where = equals("ready", 0)
    for payload in ({"ready": 1, "added": {"é": [1, None]}}, {"title": "merged"}):
        fresh.index.pages.set_payload(payload, where)
        fresh.reference.set_payload(payload, where)
        check_all(fresh)
        where = equals("document", "document-1")
    assert fresh.index.pages.count(equals("ready", 1)) == 40
    assert fresh.index.pages.facet("ready", EVERYTHING) == {1: 40}


def test_set_payload_with_an_empty_filter_reaches_all(fresh: Filled) -> None:
    fresh.index.pages.set_payload({"number": 100}, EVERYTHING)
    assert fresh.index.pages.count(equals("number", 100)) == 40


def test_set_vectors_keeps_the_other_views(fresh: Filled) -> None:
    random = np.random.default_rng(5)
    lacking = [p for p in fresh.reference.points.values() if "visual" not in p.vectors][:2]
    having = [p for p in fresh.reference.points.values() if "visual" in p.vectors][:2]
    changes: dict[str, dict[str, Any]] = {
        point.id: {"visual": make_vectors(random)["visual"], "text": make_vectors(random)["text"]}
        for point in (*lacking, *having)
    }
    fresh.index.pages.set_vectors(changes)
    fresh.reference.set_vectors(changes)
    check_all(fresh)


def test_set_vectors_adds_sparse_ones_too(fresh: Filled) -> None:
    random = np.random.default_rng(6)
    changes = {
        point.id: {"lexical": make_vectors(random)["lexical"]}
        for point in fresh.reference.points.values()
        if "lexical" not in point.vectors
    }
    fresh.index.pages.set_vectors(changes)
    fresh.reference.set_vectors(changes)
    check_all(fresh)


def test_set_vectors_leaves_out_points_that_are_gone(fresh: Filled) -> None:
    ids = [*list(fresh.reference.points)[:3], NOBODY, *list(fresh.reference.points)[3:5]]
    changes = {id_: {"visual": make_vectors(np.random.default_rng(7))["visual"]} for id_ in ids}
    fresh.index.pages.set_vectors(changes)
    fresh.reference.set_vectors(changes)
    check_all(fresh)


@pytest.mark.parametrize("name", ["keyword in a list", "integer range", "not a keyword"])
def test_what_is_deleted_is_gone_from_every_answer(fresh: Filled, name: str) -> None:
    where = FILTERS[name]
    gone = [point.id for point in fresh.reference.selected(where)]
    fresh.index.pages.delete(where)
    fresh.reference.delete(where)
    left = list(fresh.reference.points)
    assert 0 < len(left) < 40
    pages = fresh.index.pages
    assert [point.id for point in pages.scroll(EVERYTHING)] == sorted(left)
    assert [point.id for point in pages.retrieve(gone + left)] == left
    assert pages.count(EVERYTHING) == len(left)
    assert pages.count(where) == 0
    assert sum(pages.facet("ready", EVERYTHING).values()) == len(left)
    check_searches(fresh, EVERYTHING, 100, ["visual", "text", "labels"])
    pages.delete(where)
    assert pages.count(EVERYTHING) == len(left)


def test_sparse_scores_after_a_delete(fresh: Filled) -> None:
    """A backend may count deleted points in the IDF until it has rewritten its segments.

    So what holds at once is: the right points, and scores between the IDF before and after.
    """
    before = Reference(PAGES, list(fresh.reference.points.values()))
    fresh.index.pages.delete(equals("ready", 1))
    fresh.reference.delete(equals("ready", 1))
    for term in list(as_weights(QUERIES[0]["lexical"])):
        query = SparseVector(np.array([term], np.uint32), np.ones(1, np.float32))
        (found,) = fresh.index.pages.search([Search("lexical", query, 100)], EVERYTHING)
        expected = fresh.reference.scores("lexical", query, EVERYTHING)
        assert {hit.id for hit in found} == expected.keys()
        old_total, old_frequency = before.statistics("lexical", query)[term]
        new_total, new_frequency = fresh.reference.statistics("lexical", query)[term]
        usual = idf(new_total, new_frequency)
        for hit in found:
            unweighted = expected[hit.id] / usual
            assert hit.score >= unweighted * idf(new_total, old_frequency) * (1 - 1e-5)
            assert hit.score <= unweighted * idf(old_total, new_frequency) * (1 + 1e-5)


def test_compact_keeps_all_that_is_left(fresh: Filled) -> None:
    fresh.index.pages.delete(equals("ready", 1))
    fresh.reference.delete(equals("ready", 1))
    fresh.index.compact()
    if fresh.backend.compacts:
        check_all(fresh)
    check_searches(fresh, EVERYTHING, 100, ["visual", "text"])
    points = make_points(40, seed=2)
    fresh.index.pages.upsert(points)
    fresh.reference.upsert(points)
    check_searches(fresh, EVERYTHING, 100, ["visual", "text"])


def test_an_empty_filter_deletes_nothing(fresh: Filled) -> None:
    with pytest.raises(ValueError, match="empty filter"):
        fresh.index.pages.delete(Filter())
    assert fresh.index.pages.count(EVERYTHING) == 40


MISFITS: list[tuple[str, Any, str]] = [
    ("no_such_view", np.ones(16, np.float32), "no_such_view"),
    ("visual", np.ones(15, np.float32), "dimension 16"),
    ("visual", np.ones((1, 16), np.float32), "dimension 16"),
    ("text", np.ones((2, 9), np.float32), "dimension 8"),
    ("text", QUERIES[0]["lexical"], "multi"),
    ("lexical", np.ones(16, np.float32), "sparse"),
    ("visual", np.full(16, np.nan, np.float32), "finite"),
]


def test_a_vector_that_does_not_fit_is_refused(fresh: Filled) -> None:
    pages, id_ = fresh.index.pages, next(iter(fresh.reference.points))
    for view, vector, message in MISFITS:
        with pytest.raises(ValueError, match=message):
            pages.search([Search(view, vector, 5)], EVERYTHING)
        with pytest.raises(ValueError, match=message):
            pages.set_vectors({id_: {view: vector}})
        with pytest.raises(ValueError, match=message):
            pages.upsert([Point(str(uuid.uuid4()), {}, {view: vector})])
    check_all(fresh)


# Documents, and the index as a whole.


def test_documents_are_points_without_vectors(backend: Backend) -> None:
    points = [
        Point(str(uuid.UUID(int=n + 1)), {"state": ["done", "failed"][n % 2], "size": n, "é": "ü"})
        for n in range(30)
    ]
    with backend.open("documents") as index:
        documents = index.documents
        assert (documents.count(EVERYTHING), list(documents.scroll(EVERYTHING))) == (0, [])
        documents.upsert(points)
        documents.upsert(points)
        documents.set_payload({"state": "done"}, Filter(must=(Between("size", 0, 9),)))
        documents.delete(Filter(must=(Between("size", 20),)))
        assert documents.count(EVERYTHING) == 20
        assert documents.facet("state", EVERYTHING) == {"done": 15, "failed": 5}
        assert [point.id for point in documents.scroll(EVERYTHING, batch=3)] == [
            point.id for point in points[:20]
        ]
        documents.set_payload({"state": "pending"}, EVERYTHING)
        assert documents.facet("state", EVERYTHING) == {"pending": 20}
        documents.delete(Filter(must_not=(AnyOf("state", ("failed",)),)))
        assert list(documents.scroll(EVERYTHING, vectors=True)) == []
        assert index.pages.count(EVERYTHING) == 0
    with backend.open("documents", info={}) as index:
        assert index.info == INFO


def test_what_was_stored_outlives_the_process_and_wins(backend: Backend) -> None:
    with backend.open("info") as index:
        assert index.info == INFO
        index.pages.upsert(make_points(5, seed=8))
        index.flush()
    with backend.open("info", info={"format": 99}) as index:
        assert index.info == INFO
        assert index.pages.count(EVERYTHING) == 5
        index.close()
        index.close()


def test_the_address_says_where_the_index_is(backend: Backend) -> None:
    with backend.open("info") as index:
        assert "info" in index.address or index.address.startswith("http")
        assert index.pages.schema == PAGES


@pytest.mark.qdrant
def test_a_real_server_is_held_to_the_contract_too() -> None:
    if "qdrant" not in SHAPES:
        pytest.skip("no Qdrant server: MMSEARCH_TEST_QDRANT_URL is not set")
