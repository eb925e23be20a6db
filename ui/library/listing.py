"""The documents of an index as the library lists them: sorted, filtered, a page at a time."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from mmsearch.types import Document, DocumentState
from ui.files import title_of

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

PAGE_ROWS = 50
MAX_TEXT = 200  # characters of what a list is narrowed by

Sort = Literal["title", "date", "pages", "state"]
Condition = Literal["ready", "incomplete", "unfinished", "failed"]

_TRUSTED = 2.0  # seconds that a list is taken as it is,
_KEPT = 60.0  # and that it is kept while no document changes its state
_NUMBER = re.compile(r"[0-9]{1,9}")  # 9 comes before 10
_SHARE = 10  # making a list takes at most one in so many seconds


@dataclass(frozen=True, slots=True)
class Row:
    """A document in the list; `place` is where it was found, as people are told.

    `order` is its title as it is sorted by, `sought` what it is found by.
    """

    document: Document
    title: str
    order: str
    place: str
    condition: Condition
    sought: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows are wanted, and in which order; an empty field does not narrow."""

    text: str = ""
    condition: str = ""
    tag: str = ""
    sort: Sort = "title"
    descending: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class Totals:
    """What a whole index holds; `size` is in bytes, of the files."""

    documents: int
    pages: int
    failed: int
    size: int
    tags: tuple[str, ...]  # the most used first


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One page of the list; `found` counts the rows of all pages."""

    rows: tuple[Row, ...]
    found: int
    choice: Choice
    totals: Totals

    @property
    def pages(self) -> int:
        return max(-(-self.found // PAGE_ROWS), 1)


class Listing:
    """Keeps the list of an index; it is read again when documents have changed."""

    def __init__(self, engine: SearchEngine, uploads: Path) -> None:
        self._engine = engine
        self._uploads = f"{uploads / 'files'}/"
        self._lock = threading.Lock()
        self._rows: tuple[Row, ...] = ()
        self._totals = Totals(0, 0, 0, 0, ())
        self._counts: Mapping[str, int] = {}
        self._made = float("-inf")
        self._took = 0.0
        self._after: object = None

    def excerpt(self, choice: Choice, *, after: object = None) -> Excerpt:
        """The rows of one page; behind the last page, those of the last.

        Args:
            choice: which.
            after: what has ended so far: where that has changed, the list is read again.
        """
        if after != self._after:
            self._after = after
            self.forget()
        rows, totals = self._current()
        words = choice.text[:MAX_TEXT].casefold().split()
        found = [
            row
            for row in rows
            if (not choice.condition or row.condition == choice.condition)
            and (not choice.tag or choice.tag in row.document.tags)
            and all(word in row.sought for word in words)
        ]
        if choice.sort != "title" or choice.descending:
            found.sort(key=_KEYS[choice.sort], reverse=choice.descending)
        last = max(-(-len(found) // PAGE_ROWS), 1)
        page = min(max(choice.page, 1), last)
        shown = tuple(found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS])
        chosen = Choice(
            choice.text, choice.condition, choice.tag, choice.sort, choice.descending, page
        )
        return Excerpt(shown, len(found), chosen, totals)

    def documents(self) -> list[Document]:
        """Every document, in order of title."""
        return [row.document for row in self._current()[0]]

    def forget(self) -> None:
        """Read the list again at the next look: something was changed just now."""
        self._made = float("-inf")

    def place(self, document: Document) -> str:
        """Where a document was found: of uploaded ones what they were called there."""
        path = next(iter(document.paths), "")
        if path.startswith(self._uploads):
            inside = path.removeprefix(self._uploads).partition("/")[2]
            return f"uploaded: {inside}"
        return path

    def _current(self) -> tuple[Sequence[Row], Totals]:
        with self._lock:
            age = time.monotonic() - self._made
            if age > max(_TRUSTED, self._took * _SHARE):
                counts = self._engine.documents.counts()
                if counts != self._counts or age > _KEPT:
                    self._read(counts)
            return self._rows, self._totals

    def _read(self, counts: Mapping[str, int]) -> None:
        started = time.monotonic()
        rows = [self._row(document) for document in self._engine.documents.all()]
        rows.sort(key=_KEYS["title"])
        tags = Counter(tag for row in rows for tag in row.document.tags)
        self._rows = tuple(rows)
        self._totals = Totals(
            len(rows),
            sum(row.document.page_count for row in rows),
            sum(row.condition == "failed" for row in rows),
            sum(row.document.size for row in rows),
            tuple(sorted(tags, key=lambda tag: (-tags[tag], tag))),
        )
        self._counts = counts
        self._made = time.monotonic()
        self._took = self._made - started

    def _row(self, document: Document) -> Row:
        title, place = title_of(document), self.place(document)
        sought = "\n".join((title, place, *document.paths[1:])).casefold()
        order = _NUMBER.sub(lambda digits: digits[0].zfill(9), title.casefold())
        return Row(document, title, order, place, condition_of(document), sought)


def condition_of(document: Document) -> Condition:
    """Where a document stands, for people: incomplete ones lack something of some pages."""
    if document.state is DocumentState.FAILED or (document.reason and document.error):
        return "failed"
    if document.state is DocumentState.PENDING:
        return "unfinished"
    return "incomplete" if document.failed_pages else "ready"


_ORDER: tuple[Condition, ...] = ("failed", "unfinished", "incomplete", "ready")
# By the id in the end, so that equal ones stand in the same order on every page.
_KEYS: dict[Sort, Callable[[Row], tuple[Any, ...]]] = {
    "title": lambda row: (row.order, row.document.id),
    "date": lambda row: (row.document.mtime, row.document.id),
    "pages": lambda row: (row.document.page_count, row.document.id),
    "state": lambda row: (_ORDER.index(row.condition), row.order, row.document.id),
}


def choice_of(query: Mapping[str, str]) -> Choice:
    """The choice that a query string describes; what it may not be, is left out."""
    sort, condition, page = query.get("sort"), query.get("state", ""), query.get("page", "1")
    return Choice(
        text=query.get("text", "").strip()[:MAX_TEXT],
        condition=condition if condition in get_args(Condition) else "",
        tag=query.get("tag", "").strip()[:MAX_TEXT],
        sort=next((name for name in get_args(Sort) if name == sort), "title"),
        descending=query.get("order") == "descending",
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 9 else 1,
    )
