"""The text of a filter: what it says, and that no text breaks it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mmsearch.errors import InvalidSetting
from mmsearch.filters import AnyOf, Between, Filter
from mmsearch.narrowing import (
    DOCUMENT_FIELDS,
    MAX_CHARACTERS,
    MAX_TERMS,
    MAX_VALUES,
    PAGE_FIELDS,
    parse,
)

IDS = ["aaaaaa" + "0" * 58, "aaaaab" + "0" * 58, "aaaaab" + "1" * 58, "ffffff" + "0" * 58]


def test_all_terms_hold_and_one_of_several_values() -> None:
    assert parse(" kind=pdf,Image  page!=3\ttag='a, \"b\"',c ") == Filter(
        must=(AnyOf("kind", ("pdf", "image")), AnyOf("tags", ('a, "b"', "c"))),
        must_not=(Between("number", 3, 3),),
    )
    assert parse("") == parse(" \n") == Filter()


def test_spaces_around_an_operator_do_not_matter() -> None:
    assert parse("page >= 3 KIND = pdf") == parse("page>=3 kind=pdf")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("page=3..7", [3, 7], [2, 8]),
        ("page=..7", [1, 7], [8]),
        ("page=3..", [3, 999], [2]),
        ("page>3", [4], [3]),
        ("page>=3", [3], [2]),
        ("page<3", [2], [3]),
        ("page<=3", [3], [4]),
    ],
)
def test_numbers_are_compared(text: str, inside: list[int], outside: list[int]) -> None:
    (between,) = parse(text).must
    assert isinstance(between, Between)
    assert all(_in(between, number) for number in inside)
    assert not any(_in(between, number) for number in outside)


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("date=2020", "2020-01-01", "2021-01-01"),
        ("date=2020-2", "2020-02-01", "2020-03-01"),
        ("date=2019-12", "2019-12-01", "2020-01-01"),
        ("date=2020-02-29", "2020-02-29", "2020-03-01"),
        ("date=2020..2022-06-30", "2020-01-01", "2022-07-01"),
        ("date=2020-05..", "2020-05-01", None),
        ("date>=2020", "2020-01-01", None),
        ("date>2020", "2021-01-01", None),
        ("date<2020-05", None, "2020-05-01"),
        ("date<=2020-05", None, "2020-06-01"),
        ("date<1960", None, "1960-01-01"),
    ],
)
def test_dates_are_whole_days_months_and_years_in_utc(
    text: str, first: str | None, after: str | None
) -> None:
    (between,) = parse(text).must
    assert isinstance(between, Between)
    for day, there in ((first, True), (after, False)):
        if day is None:
            continue
        moment = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
        assert _in(between, moment) == there
        assert _in(between, moment - 0.001) != there  # mtimes are rounded to milliseconds
    assert (between.low is None, between.high is None) == (first is None, after is None)


def test_paths_are_written_as_the_index_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    text = 'path=2024/,/scans/a.pdf,./x/../y,~/z,box.zip!/,Look!/,~draft,"my scans/"'
    assert parse(text).must == (
        AnyOf(
            "within",
            (
                *("2024", "/scans/a.pdf", f"{tmp_path}/y", "/home/me/z"),
                *("box.zip", "Look!", "~draft", "my scans"),
            ),
        ),
    )


def test_ids_are_completed() -> None:
    assert parse("document=AAAAAB,ffffff", ids=lambda: IDS).must == (
        AnyOf("document", (*IDS[1:],)),
    )
    assert parse("document=bbbbbb", ids=lambda: IDS).must == (AnyOf("document", ()),)
    assert parse(f"document={IDS[3]}").must == (AnyOf("document", (IDS[3],)),)
    assert parse("document=scans/a.pdf").must == (AnyOf("within", ("scans/a.pdf",)),)


def test_languages_by_name_or_code() -> None:
    assert parse("language=de,French,zh").must == (
        AnyOf("language", ("german", "french", "chinese")),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("invoice", "does not start with field and operator, such as kind=pdf"),
        ("=pdf", "does not start with field and operator"),
        ("colour=red", f"fields are {', '.join(PAGE_FIELDS)}"),
        ("state=done", "fields are kind"),
        ("kind=", "lacks a value"),
        ("kind=pdf,", "lacks a value"),
        ("tag=a, kind=pdf", "lacks a value"),
        ("kind=pdf,word", "kind is one of pdf, image, slides"),
        ("kind>pdf", "kind has = and != only"),
        ("source=guess", "source is one of layer, ocr, sidecar, none"),
        ("language=klingon", "language is one of arabic, armenian"),
        ("page=two", "page is a number"),
        ("page=-1", "page is a number"),
        ("page=²", "page is a number"),
        ("page=" + "9" * 5000, "page is a number"),
        ("page=1..3,5", "page is a number"),
        ("page=..", "page is a number"),
        ("page<1,2", "takes one value"),
        ("page=7..3", "ends before it starts"),
        ("date=2020,2022", "of several years: year=2020,2022"),
        ("date=2021-02-29", "a date is written 2020, 2020-05 or 2020-05-31"),
        ("date=0000", "a date is written"),
        ("date=9999", "a date is written"),
        ("date=yesterday", "a date is written"),
        ('path="My scans', "has no end of the quote"),
        ('kind=pdf"x"', "wants a space before it"),
        ("path=' '", "the path is empty"),
        ("document=abcdef,scans/a.pdf", "give paths or ids, not both"),
        ("tag=a\0b", "holds control or broken characters"),
        ("tag=a\udc80", "holds control or broken characters"),
        (" ".join(["page>1"] * (MAX_TERMS + 1)), f"more than {MAX_TERMS} terms"),
        ("tag=" + "a," * MAX_VALUES + "a", f"more than {MAX_VALUES} values"),
        ("tag=" + "a" * MAX_CHARACTERS, f"more than {MAX_CHARACTERS} characters"),
    ],
)
def test_what_is_not_allowed_is_said_in_a_line(text: str, said: str) -> None:
    with pytest.raises(InvalidSetting) as error:
        parse(text)
    assert said in str(error.value)
    assert len(str(error.value)) < 400
    assert len(str(error.value).splitlines()) == 1


def test_documents_have_a_state_and_no_pages() -> None:
    assert parse("state=failed", fields=DOCUMENT_FIELDS).must == (AnyOf("state", ("failed",)),)
    with pytest.raises(InvalidSetting, match="fields are"):
        parse("page=3", fields=DOCUMENT_FIELDS)


def test_any_text_is_a_filter_or_an_error_and_soon() -> None:
    random = np.random.default_rng(5)
    whole = "kind=pdf,image page>=3 date=2020-05..2021 path='a b/' document=aaaaaa tag!=x,y"
    pieces = (
        *("", "", " ", "\n", "\u2028", ",", "=", "!=", "<", '"', "'", "..", "-", "!/", "~/", "~x/"),
        *("٣", "é", "\\", "\x1f", "%s", "{0}", "2", "9" * 30, "a" * 300),
    )
    started = time.perf_counter()
    read = 0
    for _ in range(3000):
        letters = list(whole)
        for at in random.integers(0, len(letters), random.integers(1, 4)):
            letters[at] = pieces[random.integers(len(pieces))]
        try:
            parse("".join(letters), ids=lambda: IDS)
            read += 1
        except InvalidSetting as error:
            assert len(str(error).splitlines()) == 1
    assert 100 < read < 2900
    for text in ("a" * 9999, "a=" + " " * 9990, "a='" + "b" * 9990, "kind=pdf" * 1200):
        with pytest.raises(InvalidSetting):
            parse(text)
    assert parse(" " * 9999) == Filter()
    assert time.perf_counter() - started < 5


def _in(between: Between, value: float) -> bool:
    low, high = between.low, between.high
    return (low is None or value >= low) and (high is None or value <= high)
