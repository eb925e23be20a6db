"""Passages: nothing is lost, none is too long, and a hostile page costs no more than a long one."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from mmsearch.encoders.passages import MOST, OVERLAP, SIZE, split

PROSE = "The northern region sold more umbrellas than any other in the rainy autumn. "


def test_a_short_text_is_one_passage_without_its_margins() -> None:
    assert split("  \n revenue by region\n") == [("revenue by region", 4, 21)]


@pytest.mark.parametrize("text", ["", "   \n\t\x0c "])
def test_a_text_without_words_has_no_passages(text: str) -> None:
    assert split(text) == []


@pytest.mark.parametrize("words", [100, 250, 777])
def test_every_word_is_in_a_passage_and_spans_point_into_the_text(words: int) -> None:
    text = "\n".join(f"w{number}" for number in range(words))
    passages = split(text)
    assert {word for passage in passages for word in passage.text.split()} == set(text.split())
    assert all(passage.text == text[passage.start : passage.end] for passage in passages)


def test_neighbours_overlap_and_are_about_equally_long() -> None:
    passages = split(PROSE * 40)
    assert len(passages) > 2
    assert all(left.end > right.start for left, right in pairwise(passages))
    lengths = [len(passage.text) for passage in passages]
    assert max(lengths) < 1.2 * min(lengths)


def test_prose_passages_hold_a_hundred_words_or_more() -> None:
    assert 100 < len(split(PROSE * 100)[0].text.split()) < 180


def test_words_and_numbers_are_not_cut_in_two() -> None:
    text = "responsibilities 1,234,567.89 INV-2024/0013 " * 100
    for _, start, end in split(text):
        assert not (text[start - 1 : start + 1].isalnum() and start)
        assert not text[end - 1 : end + 1].isalnum() or end == len(text)


def test_a_script_without_spaces_is_split_by_characters() -> None:
    text = "東京都の人口は約千四百万人である。" * 60
    passages = split(text)
    assert max(len(passage.text) for passage in passages) <= SIZE
    assert passages[0].start == 0
    assert passages[-1].end == len(text)
    assert len(passages) == -(-(len(text) - OVERLAP) // (SIZE - OVERLAP))


@pytest.mark.parametrize("text", ["a" * 3_000_000, "word " * 600_000, "界" * 3_000_000])
def test_a_hostile_page_is_bounded(text: str) -> None:
    start = time.perf_counter()
    passages = split(text)
    assert time.perf_counter() - start < 1
    assert len(passages) == MOST
    assert sum(len(passage.text) for passage in passages) < 100_000


def test_the_same_text_is_always_cut_the_same_way() -> None:
    assert split(PROSE * 30) == split(PROSE * 30)
