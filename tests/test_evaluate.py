"""Queries and judgements as they are met in the wild."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidSetting
from mmsearch.evaluate import evaluate, read_queries


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    row = {"id": 1, "text": "two\u2028lines", "image": None}
    path.write_text(json.dumps(row, ensure_ascii=False) + '\r\n\n{"id": 2, "text": null}\n')
    assert [(q.id, q.text) for q in read_queries(path)] == [("1", "two\u2028lines"), ("2", "")]
    path.write_text('{"id": 1}\n\nno json\n')
    with pytest.raises(InvalidSetting, match="line 3"):
        read_queries(path)


def test_an_unknown_view_is_an_error_and_no_bad_result(
    sample_engine: SearchEngine, tmp_path: Path
) -> None:
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    queries.write_text('{"id": 1, "text": "pump"}\n')
    qrels.write_text("1\tmanuals/any.pdf#1\t1\n")
    with pytest.raises(InvalidSetting, match="no such view"):
        evaluate(sample_engine, queries, qrels, views=["visual"])
