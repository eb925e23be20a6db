"""The text of a filter: `kind=pdf path=2024/ date>=2020 language!=german`.

    filter    terms parted by spaces; all of them hold
    term      field operator value,value...; one of the values is enough
    operator  =  !=  and, for pages, years and dates,  <  <=  >  >=
    value     a word, "words in quotes", or first..last for pages, years and dates

The fields are `PAGE_FIELDS`; where documents are listed, `DOCUMENT_FIELDS`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf, nextafter
from typing import NamedTuple, get_args

from mmsearch.errors import InvalidSetting
from mmsearch.filters import AnyOf, Between, Condition, Filter
from mmsearch.paths import absolute, is_archive
from mmsearch.types import DocumentState, Kind, TextSource

MAX_CHARACTERS = 10_000
MAX_TERMS = 50
MAX_VALUES = 200  # of a term
LEAST_ID = 6  # characters of a document's id

_SHARED = ("kind", "path", "folder", "document", "tag", "date", "year")
PAGE_FIELDS = (*_SHARED, "page", "source", "language")
DOCUMENT_FIELDS = (*_SHARED, "state")
CODES = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian",
    "pt": "portuguese", "nl": "dutch", "sv": "swedish", "da": "danish", "no": "norwegian",
    "nb": "norwegian", "fi": "finnish", "hu": "hungarian", "ro": "romanian", "tr": "turkish",
    "pl": "polish", "cs": "czech", "id": "indonesian", "ja": "japanese", "zh": "chinese",
    "ko": "korean", "el": "greek", "hy": "armenian", "ka": "georgian", "he": "hebrew",
    "ar": "arabic", "bn": "bengali", "ta": "tamil", "th": "thai",
}  # fmt: skip

Ids = Callable[[], Sequence[str]]  # of all documents, in order
Span = Callable[[str, "Term"], tuple[float, float]]  # from where to where a value reaches

_EXAMPLE = "such as kind=pdf date>=2020"
_BROKEN = re.compile(r"(?!\s)[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_START = re.compile(r"\s*([A-Za-z_]+)\s*(!=|<=|>=|=|<|>)\s*")
_VALUE = re.compile(r""" "([^"]*)" | '([^']*)' | ([^\s,"'][^\s,"]*) """, re.VERBOSE)
_NUMBER = re.compile(r"[0-9]{1,9}")
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2}))?(?:-([0-9]{1,2}))?")
_ID = re.compile(rf"[0-9a-f]{{{LEAST_ID},64}}")


class Term(NamedTuple):
    """One condition as it is written."""

    field: str
    operator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return _cut(f"{self.field}{self.operator}{','.join(self.values)}")


def parse(text: str, *, fields: Sequence[str] = PAGE_FIELDS, ids: Ids | None = None) -> Filter:
    """The filter that a text describes; an empty text selects all.

    A `date` is when the file was last changed, in UTC: `date=2020-05` reaches from the first moment
    of that month to its last, `date>2020-05` begins after it. A `path` names a folder, an archive
    or a file: absolute, relative to the folder that was ingested, or with `./`, `../` or `~/` in
    front relative to the current or the home folder.

    Args:
        text: see the module.
        fields: those that may be asked for.
        ids: of the documents, to find those that `document` gives the first characters of; without
            it an id has to be whole.

    Raises:
        InvalidSetting: the text cannot be read, or asks for what there is not.
    """
    must: list[Condition] = []
    must_not: list[Condition] = []
    for term in terms(text):
        if term.field not in fields:
            raise InvalidSetting(f"filter {term}: fields are {', '.join(fields)}")
        (must_not if term.operator == "!=" else must).append(_condition(term, ids))
    return Filter(tuple(must), tuple(must_not))


def terms(text: str) -> list[Term]:
    """The terms of a filter's text, in order; whether they are allowed is not looked at.

    Raises:
        InvalidSetting: the text is too long, or does not consist of terms.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidSetting(f"filter: more than {MAX_CHARACTERS} characters; leave some out")
    if _BROKEN.search(text):
        raise InvalidSetting("filter: holds control or broken characters; leave them out")
    found: list[Term] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        start = _START.match(text, at)
        if start is None:
            raise InvalidSetting(
                f"filter: {_cut(text[at:])!r} does not start with field and operator, {_EXAMPLE}"
            )
        values, at = _values(text, start.end(), start[0].strip())
        found.append(Term(start[1].lower(), start[2], values))
        if len(found) > MAX_TERMS:
            raise InvalidSetting(f"filter: more than {MAX_TERMS} terms; leave some out")
    return found


def _values(text: str, at: int, start: str) -> tuple[tuple[str, ...], int]:
    """The values that follow `start`, and where they end."""
    values: list[str] = []
    while True:
        value = _VALUE.match(text, at)
        if value is None:
            fault = (
                "has no end of the quote" if text[at : at + 1] in ("'", '"') else "lacks a value"
            )
            raise InvalidSetting(f"filter {_cut(start)}: {fault}; write terms {_EXAMPLE}")
        values.append(value[value.lastindex or 0])
        if len(values) > MAX_VALUES:
            raise InvalidSetting(f"filter {_cut(start)}: more than {MAX_VALUES} values")
        at = value.end()
        if text[at : at + 1] != ",":
            break
        at += 1
    if at < len(text) and not text[at].isspace():
        raise InvalidSetting(f"filter: {_cut(text[at:])!r} wants a space before it")
    return tuple(values), at


def _condition(term: Term, ids: Ids | None) -> Condition:
    match term.field:
        case "date":
            return _range("mtime", term, _day)
        case "page" | "year":
            field = "number" if term.field == "page" else "year"
            if len(term.values) > 1 and term.operator in ("=", "!="):
                return AnyOf(field, tuple(int(_number(v, term)[0]) for v in term.values))
            return _range(field, term, _number)
    if term.operator not in ("=", "!="):
        raise InvalidSetting(f"filter {term}: {term.field} has = and != only")
    match term.field:
        case "kind":
            return _one_of("kind", term, get_args(Kind))
        case "state":
            return _one_of("state", term, tuple(DocumentState))
        case "source":
            return _one_of("text_source", term, get_args(TextSource))
        case "language":
            from mmsearch.encoders.languages import LATIN_LANGUAGES, SCRIPTS

            names = tuple(CODES.get(value.lower(), value) for value in term.values)
            known = sorted((*LATIN_LANGUAGES, *SCRIPTS))
            return _one_of("language", term._replace(values=names), known)
        case "document":
            return _documents(term, ids)
        case "path":
            return AnyOf("within", tuple(_place(value, term) for value in term.values))
        case "folder":
            return AnyOf("folder", tuple(value.rstrip("/") for value in term.values))
    return AnyOf("tags", term.values)


def _one_of(field: str, term: Term, allowed: Sequence[str]) -> AnyOf:
    values = tuple(value.lower() for value in term.values)
    if not set(values) <= set(allowed):
        raise InvalidSetting(f"filter {term}: {term.field} is one of {', '.join(allowed)}")
    return AnyOf(field, values)


def _documents(term: Term, ids: Ids | None) -> AnyOf:
    values = tuple(map(str.lower, term.values))
    named = [value for value in values if _ID.fullmatch(value)]
    if not named:
        return AnyOf("within", tuple(_place(value, term) for value in term.values))
    if len(named) < len(values):
        raise InvalidSetting(
            f"filter {term}: give paths or ids, not both; of an id {LEAST_ID} or more characters"
        )
    found: list[str] = []
    for value in values:
        if len(value) == 64 or ids is None:
            found.append(value)
        else:
            known = ids()
            found += known[bisect_left(known, value) : bisect_left(known, value + "g")]
    return AnyOf("document", tuple(found))


def _place(value: str, term: Term) -> str:
    """A path as the pages within it hold it."""
    if not value.strip():
        raise InvalidSetting(f"filter {term}: the path is empty; leave the term out")
    if value in (".", "..", "~") or value.startswith(("/", "./", "../", "~/")):
        value = str(absolute(value))
    value = value.rstrip("/") or "/"
    return value[:-1] if value.endswith("!") and is_archive(value[:-1]) else value


def _range(field: str, term: Term, span: Span) -> Between:
    """A value, from one to another, or all before or after one."""
    if len(term.values) > 1:
        years = "; of several years: year=2020,2022" if term.field == "date" else ""
        raise InvalidSetting(f"filter {term}: takes one value{years}")
    (value,) = term.values
    if term.operator in ("=", "!="):
        first, dots, last = value.partition("..")
        if not dots:
            return Between(field, *span(value, term))
        low = span(first, term)[0] if first else None
        high = span(last, term)[1] if last or not first else None
        if low is not None and high is not None and low > high:
            raise InvalidSetting(f"filter {term}: ends before it starts; exchange the two")
        return Between(field, low, high)
    start, end = span(value, term)
    match term.operator:
        case ">=":
            return Between(field, start, None)
        case ">":
            return Between(field, nextafter(end, inf), None)
        case "<=":
            return Between(field, None, end)
    return Between(field, None, nextafter(start, -inf))


def _number(value: str, term: Term) -> tuple[float, float]:
    if not _NUMBER.fullmatch(value):
        raise InvalidSetting(
            f"filter {term}: {term.field} is a number, several parted by commas, or a range as 3..7"
        )
    return int(value), int(value)


def _day(value: str, term: Term) -> tuple[float, float]:
    """The first and the last moment of a day, month or year, in seconds since 1970."""
    written = _DATE.fullmatch(value)
    try:
        if written is None:
            raise ValueError(value)
        year, month, day = (int(part) if part else 0 for part in written.groups())
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if day:
            end = datetime.fromordinal(start.toordinal() + 1).replace(tzinfo=UTC)
        else:
            following = year + (month in (0, 12)), month % 12 + 1 if month else 1
            end = datetime(*following, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidSetting(
            f"filter {term}: a date is written 2020, 2020-05 or 2020-05-31, a range 2020..2022-06"
        ) from error
    return start.timestamp(), nextafter(end.timestamp(), -inf)


def _cut(text: str) -> str:
    """The beginning of a text on one line, for messages."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:60] + "…"
