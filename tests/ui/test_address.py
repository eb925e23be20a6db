"""A search is a link, and a link a search."""

from __future__ import annotations

import pytest

from mmsearch import narrowing
from mmsearch.errors import InvalidQuery
from mmsearch.types import Box
from ui.address import MAX_TEXT, MOST_SHOWN, Asked, chosen, parse, toggled

ID = "ab" * 32
EVERYTHING = Asked(
    text="a & b = «c»",
    page=(ID, 7),
    region=Box(0.125, 0.25, 0.5, 1.0),
    where='tag="two words" kind=pdf',
    weight=0.3,
    group=True,
    rerank=False,
    repair=False,
    layout="list",
    shown=48,
)


def test_every_part_of_a_search_survives_its_link() -> None:
    assert parse(EVERYTHING.link(shown=48)) == EVERYTHING
    image = Asked(image="abcdefghijklmnopqrstu_", rerank=True)
    assert parse(image.link()) == image
    assert Asked().link() == "?"


def test_another_search_starts_at_its_first_hits() -> None:
    assert parse(EVERYTHING.link(text="d")).shown < 48


@pytest.mark.parametrize(
    "link",
    [None, 7, ["q=a"], {"q": "a"}, "q=a" * 10_000, "?" + "a=b&" * 60, "page=../../etc/passwd",
     "page=" + ID + "/0", "page=" + ID + "/1&region=0,0,2,1", "page=" + ID + "/1&region=.5,0,.5,1",
     "page=" + ID + "/1&region=nan,0,1,1", "image=../../x", "image=short", "weight=2", "weight=nan",
     "weight=-1", "weight=1e3"],
)  # fmt: skip
def test_a_link_that_cannot_be_read_is_refused_in_one_line(link: object) -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse(link)
    assert "\n" not in str(refused.value)


def test_texts_and_numbers_have_bounds() -> None:
    assert len(parse("q=" + "x" * 5000).text) == MAX_TEXT
    assert parse("n=9999").shown == MOST_SHOWN
    assert parse("n=0").shown == 1
    assert parse("n=-5").shown == parse("n=\N{ARABIC-INDIC DIGIT THREE}").shown == Asked().shown
    assert "\0" not in parse("q=a%00b").text


def test_a_choice_is_added_and_taken_back() -> None:
    once = toggled("", "kind", "pdf")
    assert once == "kind=pdf"
    both = toggled(once, "kind", "image")
    assert both == "kind=pdf,image"
    assert toggled(both, "kind", "pdf") == "kind=image"
    assert toggled(once, "kind", "pdf") == ""
    assert toggled("date>=2020", "folder", "a b") == 'date>=2020 folder="a b"'


@pytest.mark.parametrize("value", ["a b", 'a "b"', "it's", "a,b", "<script>", "år/2020"])
def test_a_choice_of_any_name_is_read_as_it_was_meant(value: str) -> None:
    assert narrowing.terms(toggled("kind=pdf", "tag", value))[1].values == (value,)
    assert chosen(toggled("", "tag", value)) == [("tag", value)]


def test_only_choices_that_can_be_taken_back_are_told() -> None:
    assert chosen("kind=pdf,image date>=2020 tag!=x") == [("kind", "pdf"), ("kind", "image")]
    assert chosen("what is this") == []
