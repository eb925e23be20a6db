from __future__ import annotations

import pytest

from mmsearch.fusion import normalised_sum, reciprocal_rank


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
