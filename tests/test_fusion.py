from __future__ import annotations

import pytest

from mmsearch.fusion import Lists, normalised_sum, reciprocal_rank, relative_sum


def test_weighted_sum_of_reciprocal_ranks() -> None:
    lists = {"text": [("a", 0.9), ("b", 0.8)], "lexical": [("b", 12.0), ("c", 3.0)]}
    fused = dict(reciprocal_rank(lists, {"text": 2.0, "lexical": 1.0}, k=60))
    assert fused == pytest.approx({"a": 2 / 61, "b": 2 / 62 + 1 / 61, "c": 1 / 62})


def test_best_first() -> None:
    lists = {"text": [("a", 0.9), ("b", 0.8)], "lexical": [("b", 12.0), ("c", 3.0)]}
    assert [id_ for id_, _ in reciprocal_rank(lists, {})] == ["b", "a", "c"]


def test_ties_are_broken_by_id_whatever_the_order_given() -> None:
    forwards = reciprocal_rank({"text": [("a", 1.0), ("b", 1.0)]}, {})
    backwards = reciprocal_rank({"text": [("b", 1.0), ("a", 1.0)]}, {})
    assert forwards == backwards
    assert [id_ for id_, _ in forwards] == ["a", "b"]


def test_nothing_in_nothing_out() -> None:
    assert reciprocal_rank({"text": []}, {}) == []
    assert normalised_sum({"text": []}, {}) == []


def test_weighted_sum_of_scores_between_worst_and_best() -> None:
    lists = {"text": [("a", 0.9), ("b", 0.8), ("c", 0.7)], "lexical": [("c", 12.0), ("d", 4.0)]}
    fused = dict(normalised_sum(lists, {"text": 0.5, "lexical": 1.0}))
    assert fused == pytest.approx({"a": 0.5, "b": 0.25, "c": 1.0, "d": 0.0})
    assert [id_ for id_, _ in normalised_sum(lists, {"text": 0.5})] == ["c", "a", "b", "d"]


def test_a_list_of_one_score_counts_as_best() -> None:
    assert normalised_sum({"text": [("b", 0.3), ("a", 0.3)]}, {}) == [("a", 1.0), ("b", 1.0)]


def relative(lists: Lists, **given: object) -> dict[str, float]:
    settings = {"scales": {}, "standout": {}, "trust": {}, "depth": 100, **given}
    return dict(relative_sum(lists, {"lexical": 1.0, "text": 0.5}, **settings))  # type: ignore[arg-type]


def test_scores_count_in_relation_to_the_best() -> None:
    fused = relative({"text": [("a", 0.8), ("b", 0.4)], "lexical": [("b", 12.0), ("c", 3.0)]})
    assert fused == pytest.approx({"a": 0.5, "b": 1.25, "c": 0.25})


def test_a_best_that_is_not_good_counts_less() -> None:
    fused = relative({"text": [("a", 0.3), ("b", 0.15)]}, scales={"text": (0.15, 0.45)})
    assert fused == pytest.approx({"a": 0.25, "b": 0.0})


def test_terms_that_all_pages_share_tell_nothing() -> None:
    alike = [(f"p{n:02}", 10.0) for n in range(12)]
    lists = {"lexical": alike, "text": [("p11", 0.8), ("p00", 0.4)]}
    assert next(iter(relative(lists, standout={"lexical": 0.0}))) == "p11"
    assert relative(lists, standout={"lexical": 0.0})["p01"] == 0
    assert relative(lists, standout={"lexical": 1.0})["p01"] == 1
    one = {"lexical": [("a", 10.0), *((f"p{n:02}", 1.0) for n in range(12))]}
    assert relative(one, standout={"lexical": 0.0})["a"] == pytest.approx(0.9)


def test_what_a_full_list_lacks_may_be_as_good_as_its_last() -> None:
    lists = {"text": [("a", 0.8), ("b", 0.6)], "lexical": [("c", 5.0)]}
    assert relative(lists, depth=2)["c"] == pytest.approx(1 + 0.5 * 0.75)
    assert relative(lists, depth=3)["c"] == 1


def test_pages_that_are_badly_read_count_less_by_their_words() -> None:
    lists = {"lexical": [("a", 10.0), ("b", 10.0)], "text": [("a", 0.8), ("b", 0.8)]}
    fused = relative(lists, standout={"lexical": 1.0}, trust={"a": 0.5})
    assert fused == pytest.approx({"b": 1.5, "a": 1.0})
