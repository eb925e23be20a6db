"""Queries and judgements as they are met in the wild, and the report of what was found."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidSetting, NotFound
from mmsearch.evaluate import Answer, Expected, JudgedQuery, ask, evaluate, read_queries, summary
from mmsearch.report import QUERIES, report
from mmsearch.types import Document
from tests import builders

HOSTILE = '<script>x()</script>\' onload="x()" \u202e'
LOOKS = '[views.picture]\nencoder = "visual-words"\n[views.lexical]\nencoder = "bm25"\n'


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    """Words and looks of a book of three pages and of a sheet, both called by a hostile name."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "looks.toml").write_text(LOOKS)
    pages = ["\n".join(builders.LOREM), "seals of the pump", "pump and impeller"]
    builders.write_text_pdf(folder / "book.pdf", pages, title=HOSTILE)
    builders.write_text_pdf(folder / "<i>sheet.pdf", ["the impeller alone"])
    settings = Settings(profile=str(folder / "looks.toml"), workers=1, ocr="off")
    with mmsearch.open(folder / "index", settings=settings) as engine:
        assert not ingest.run([folder / "book.pdf", folder / "<i>sheet.pdf"], engine).of("failed")
        yield engine


def written(folder: Path, queries: list[dict[str, str]], qrels: str) -> tuple[Path, Path]:
    """The two files of a judged collection."""
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels.tsv").write_text(qrels)
    return folder / "queries.jsonl", folder / "qrels.tsv"


def articles(html: str) -> list[str]:
    return re.findall(r"<article>.*?</article>", html, re.DOTALL)


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    row = {"id": 1, "text": "two\u2028lines", "image": None}
    path.write_text(json.dumps(row, ensure_ascii=False) + '\r\n\n{"id": 2, "text": null}\n')
    assert [(q.id, q.text) for q in read_queries(path)] == [("1", "two\u2028lines"), ("2", "")]
    path.write_text('{"id": 1}\n\nno json\n')
    with pytest.raises(InvalidSetting, match="line 3"):
        read_queries(path)


def test_an_unknown_view_is_an_error_and_no_bad_result(
    engine: SearchEngine, tmp_path: Path
) -> None:
    files = written(tmp_path, [{"id": "1", "text": "pump"}], "1\tany.pdf#1\t1\n")
    with pytest.raises(InvalidSetting, match="no such view"):
        evaluate(engine, *files, views=["visual"])


def test_an_answer_tells_where_each_expected_page_was_found(
    engine: SearchEngine, tmp_path: Path
) -> None:
    qrels = "1\tbook.pdf#2\t1\n1\tbook.pdf#3\t2\n1\t<i>sheet.pdf#1\t0\n1\tgone.pdf#1\t1\n"
    files = written(tmp_path, [{"id": "1", "text": "seals of the pump"}], qrels)
    (answer,) = ask(engine, *files)
    third, second, gone = answer.expected  # by grade; what is judged to be wrong is not expected
    assert (third.id, third.grade, second.rank) == ("book.pdf#3", 2, 1)
    assert third.rank == 1 + answer.ids.index("book.pdf#3")
    assert (gone.document, gone.rank) == (None, None)
    assert answer.figures["MRR@10"] == 1.0
    assert answer.figures["R@100"] == pytest.approx(2 / 3)
    (whole,) = ask(engine, *files, level="document")
    assert {one.id: one.grade for one in whole.expected} == {"book.pdf": 2, "gone.pdf": 1}
    assert len(whole.hits) == len(whole.ids) == len(set(whole.ids))
    assert summary([whole])["hit@1"] == 1.0


def test_averages_are_over_queries_or_documents(engine: SearchEngine, tmp_path: Path) -> None:
    words = {"1": "seals", "2": "storm broke two windows", "3": "zebra"}
    queries = [{"id": id_, "text": text} for id_, text in words.items()]
    qrels = "1\tbook.pdf#2\t1\n2\tbook.pdf#1\t1\n3\t<i>sheet.pdf#1\t1\n"
    files = written(tmp_path, queries, qrels)
    assert evaluate(engine, *files)["hit@1"] == pytest.approx(2 / 3)
    assert evaluate(engine, *files, average="document")["hit@1"] == pytest.approx(1 / 2)


def test_a_report_shows_the_worst_first_with_pictures_and_the_spot(
    engine: SearchEngine, tmp_path: Path
) -> None:
    (book,) = [d for d in engine.documents.all() if d.locations[0].name == "book.pdf"]
    picture = Image.open(io.BytesIO(engine.store.picture(book.id, 1)))
    wide, high = picture.size
    picture.crop((0, 0, wide, high // 3)).save(tmp_path / "shot.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n and then nothing")
    queries = [
        {"id": "good", "text": "seals of the pump"},
        {"id": "shot", "image": "shot.png"},
        {"id": "broken", "image": "broken.png"},
        {"id": "bad", "text": HOSTILE + " impeller"},
    ]
    qrels = "good\tbook.pdf#2\t1\nshot\tbook.pdf#1\t1\nbroken\tbook.pdf#1\t1\nbad\tbook.pdf#9\t1\n"
    answers = ask(engine, *written(tmp_path, queries, qrels))
    html = "".join(report({"queries": "4"}, answers, engine.store.thumbnail))
    worst = articles(html)
    names = [re.search("query <bdi>(.*?)</bdi>", article)[1] for article in worst]  # type: ignore[index]
    assert set(names[:2]) == {"broken", "bad"}
    by_name = dict(zip(names, worst, strict=True))
    assert "<b>not run:</b>" in by_name["broken"]
    assert "✗ not among the 0 found" in by_name["broken"]
    assert "✗ no such page" in by_name["bad"]
    assert "✓ rank 1" in by_name["good"]
    assert "<figure class=right>" in by_name["good"]
    assert "1. ✓ right" in by_name["good"]
    assert "2. ✗ wrong" in by_name["good"]
    assert by_name["shot"].count("<i style=") == 1
    # the image that was asked for, the page that was expected, and those that were found
    shot = next(answer for answer in answers if answer.query.id == "shot")
    assert by_name["shot"].count("<img") == 2 + len(shot.hits)
    assert "<th scope='col'>queries</th>" in html
    assert "left out" not in html
    for code in re.findall(r"base64,([^']+)'", html):
        assert max(Image.open(io.BytesIO(base64.b64decode(code))).size) <= 420


def test_nothing_from_documents_or_queries_is_markup(engine: SearchEngine, tmp_path: Path) -> None:
    text = HOSTILE + "</bdi></h2><img src=x> pump impeller"
    qrels = f"{HOSTILE}\tbook.pdf#3\t1\n{HOSTILE}\t{HOSTILE}#2\t1\n"
    answers = ask(engine, *written(tmp_path, [{"id": HOSTILE, "text": text}], qrels))
    html = "".join(report({HOSTILE: HOSTILE}, answers, engine.store.thumbnail))
    assert html.count("&lt;script&gt;x()") == 5  # figure and value, words, id, page id
    assert "<bdi>&lt;i&gt;sheet</bdi>" in html
    tags = {tag.lower() for tag in re.findall(r"<\s*([a-zA-Z!][^\s>]*)", html)}
    assert tags == {
        "!doctype", "html", "head", "meta", "title", "style", "body", "header", "h1", "table", "tr",
        "th", "td", "p", "article", "h2", "h3", "b", "bdi", "div", "figure", "img", "figcaption",
        "br",
    }  # fmt: skip
    assert set(re.findall(r"<img[^>]* src='([a-z]+:)", html)) == {"data:"}
    assert not re.findall(r"<[^>]*\son\w+=", html)


def test_only_the_worst_queries_are_shown_and_the_rest_counted() -> None:
    def no_picture(document: str, number: int) -> bytes:
        raise NotFound(document)

    expected = Expected("a.pdf#1", 1, Document("a" * 64, page_count=2), 1, None)
    answers = [
        Answer(
            JudgedQuery(str(n), "words", None, None), (expected,) * 9, (), (),
            {"nDCG@10": n / 1000, "MAP": 0.0}, 0.0,
        )
        for n in range(QUERIES + 30)
    ]  # fmt: skip
    html = "".join(report({}, answers[::-1], no_picture))
    shown = articles(html)
    assert len(shown) == QUERIES
    assert "nDCG@10 0.0000" in shown[0]
    assert "and 3 more, 0 of them found" in shown[0]
    assert f"nDCG@10 {(QUERIES - 1) / 1000:.4f}" in shown[-1]
    assert "30 queries that did better or as well left out." in html
    assert "<img" not in html
