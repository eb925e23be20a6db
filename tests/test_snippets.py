from __future__ import annotations

import time

import numpy as np
import pytest

from mmsearch.encoders import passages
from mmsearch.snippets import Passage, Snippet, by_likeness, snippet

TEXT = " ".join(f"filler{n}" for n in range(200)) + " the pump seal leaks. " + "more " * 200
# Two passages, and no word of the questions asked below in the second.
FIRST = "The firm was founded by the sea. " * 12
SECOND = "Workers were dismissed in spring and paid for a year. " * 6
TWO = FIRST + SECOND
AWAY, NEAR = Passage(0, len(FIRST), 0.1), Passage(len(FIRST), len(TWO), 0.6)


def marked(shown: Snippet) -> list[str]:
    return [shown.text[start:end] for start, end in shown.marks]


def test_shows_the_stretch_with_the_words() -> None:
    shown = snippet(TEXT, "seal of the pump").text
    assert "the pump seal leaks." in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown) <= 210


def test_without_a_match_the_beginning_is_shown() -> None:
    assert snippet(TEXT, "absent").text.startswith("filler0 filler1")
    assert snippet(TEXT, "absent").marks == ()
    assert snippet("short text", "") == Snippet("short text", ())


def test_is_one_line() -> None:
    assert snippet("a\nb\n\tc", "b").text == "a b c"


def test_an_empty_page_has_none() -> None:
    assert snippet("  \n", "word") == Snippet("", ())


def test_one_endless_word_is_cut() -> None:
    assert len(snippet("x" * 1_000_000, "y").text) <= 210


@pytest.mark.parametrize(
    ("text", "query", "words"),
    [
        ("Revenue, by region: Europe", "revenue by region", ["Revenue, by region"]),
        ("by region and by year", "revenue by region", ["region"]),
        ("two invoices", "invoice", ["invoices"]),
        ("no. INV-2024/0013.", "inv 2024 0013", ["INV-2024/0013"]),
        ("sold for €1,234.56 net", "1234.56", ["€1,234.56"]),
        ("a hydro-\nplane lands", "hydroplane", ["hydro- plane"]),
        ("a < b & <b>", "b", ["b", "b"]),
        ("昨日、東京都庁で会議があった", "東京都", ["東京都"]),
        ("the pump\nthe seal", "valve", []),
    ],
)
def test_says_where_the_words_are(text: str, query: str, words: list[str]) -> None:
    assert marked(snippet(text, query)) == words


def test_a_match_far_inside_a_line_without_spaces_is_shown() -> None:
    shown = snippet("山" * 5000 + "東京都" + "川" * 5000, "東京都")
    assert marked(shown) == ["東京都"]
    assert "山東京都川" in shown.text
    assert len(shown.text) <= 210


def test_of_a_page_found_by_meaning_the_nearest_passage_is_shown() -> None:
    shown = snippet(TWO, "people laid off", passages=[AWAY, NEAR])
    assert shown.text.startswith("… Workers were dismissed in spring")
    assert snippet(TWO, "people laid off").text.startswith("The firm was founded")


def test_a_passage_cut_inside_a_sentence_is_shown_from_the_next() -> None:
    inside = Passage(len(FIRST) + len("Workers were "), len(TWO), 0.6)
    shown = snippet(TWO, "people laid off", passages=[AWAY, inside])
    assert shown.text.startswith("… Workers were dismissed in spring")


def test_the_querys_words_outweigh_a_passage_that_is_hardly_nearer() -> None:
    hardly = NEAR._replace(cosine=0.2)
    shown = snippet(TWO, "founded sea", passages=[AWAY, hardly])
    assert "sea" in marked(shown)
    far = snippet(TWO, "the sea, people laid off, severance", passages=[AWAY, NEAR])
    assert "Workers" in far.text


def test_passages_are_those_whose_vectors_they_are() -> None:
    cut = passages.split(TWO * 3)
    rows = np.eye(len(cut), 384, dtype=np.float32)
    found = by_likeness([p[1:] for p in cut], rows, rows[1])
    assert [passage.cosine for passage in found] == [0, 1] + [0] * (len(cut) - 2)
    assert (TWO * 3)[found[1].start : found[1].end] == cut[1].text
    assert by_likeness([(0, 10)], rows, rows[1]) == []  # the text was replaced


@pytest.mark.parametrize(
    "text", ["pump " * 200_000, "東京都" * 100_000, "pump of " * 100_000, "x" * 1_000_000]
)
def test_hostile_texts_and_queries_take_a_moment(text: str) -> None:
    query = "pump of 東京都 " + " ".join(f"w{n}" for n in range(4000))
    passages = [Passage(n * 30_000, n * 30_000 + 40_000, n / 32) for n in range(32)]
    started = time.perf_counter()
    shown = snippet(text, query, passages=passages)
    assert time.perf_counter() - started < 10  # seconds; it is less than one
    assert len(shown.text) <= 210
    assert all(0 <= start < end <= len(shown.text) for start, end in shown.marks)
