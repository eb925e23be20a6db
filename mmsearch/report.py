"""The report of `mmsearch eval`: of each query what was expected and what was found, as one HTML
file like the contact sheet of screenshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from html import escape
from pathlib import PurePath

from mmsearch.errors import NotFound, UnreadableFile
from mmsearch.evaluate import Answer, Expected
from mmsearch.images import open_image
from mmsearch.screenshots.sheet import img, spot, start
from mmsearch.types import Box, Document, Hit
from mmsearch.where import place_of

QUERIES = 500  # that are shown: of some 50 KB each
_EXPECTED = 6  # pages of a query
_CHARACTERS = 600  # of a query
_QUERY_SIZE, _PAGE_SIZE = (420, 320), (180, 220)  # pixels of what is shown, at most
_ENOUGH = 1_000_000  # pixels of a query's image that are decoded
_PICTURES = 2000  # of pages that are kept: queries find the same ones

Thumbnail = Callable[[str, int], bytes]


def report(
    figures: Mapping[str, str], answers: Sequence[Answer], thumbnail: Thumbnail
) -> Iterator[str]:
    """The HTML, part by part: the figures, then the queries, the worst first.

    Args:
        figures: of all queries, by name.
        answers: of which the worst `QUERIES` are shown.
        thumbnail: the small JPEG of a page, by document id and number; a page that it raises
            NotFound, UnreadableFile or OSError for is shown without.
    """
    worst = sorted(answers, key=lambda one: (one.figures["nDCG@10"], one.figures["MAP"]))
    left_out = len(answers) - QUERIES

    @lru_cache(_PICTURES)
    def picture(document: str, number: int) -> str:
        with suppress(NotFound, UnreadableFile, OSError):
            return img(open_image(thumbnail(document, number)), _PAGE_SIZE)
        return ""

    yield start("What was expected and what was found")
    names = "".join(f"<th scope='col'>{escape(name)}</th>" for name in figures)
    values = "".join(f"<td>{escape(value)}</td>" for value in figures.values())
    yield "<header><h1>What was expected and what was found</h1>"
    yield f"<table><tr>{names}</tr><tr>{values}</tr></table><p>The worst queries come first."
    if left_out > 0:
        queries = "queries that did" if left_out > 1 else "query that did"
        yield f" {left_out:,} {queries} better or as well left out."
    yield "</p></header>\n"
    for answer in worst[:QUERIES]:
        yield _article(answer, picture)
    yield "</body></html>\n"


def _article(answer: Answer, picture: Callable[[str, int], str]) -> str:
    query = answer.query
    name = _cut(query.text) or (query.image.name if query.image else "")
    fault = f"<p><b>not run:</b> {escape(answer.fault)}</p>" if answer.fault else ""
    right = {expected.id for expected in answer.expected}
    count = len(answer.ids)
    expected = [_expected(one, count, picture) for one in answer.expected[:_EXPECTED]]
    found = [
        _found(rank, hit, right=id_ in right, picture=picture)
        for rank, (id_, hit) in enumerate(zip(answer.ids, answer.hits, strict=False), start=1)
    ]
    more = answer.expected[_EXPECTED:]
    if more:
        among = sum(one.rank is not None for one in more)
        expected.append(f"<p>and {len(more):,} more, {among:,} of them found</p>")
    found_title = f"The first {len(found)} of {count:,} found" if found else "Nothing found"
    return (
        f"<article><h2><bdi>{escape(name)}</bdi></h2>"
        f"<p><b>nDCG@10 {answer.figures['nDCG@10']:.4f}</b> query <bdi>{escape(query.id)}</bdi></p>"
        f"{fault}{_image(answer)}"
        f"<h3>Expected</h3><div class='row'>{''.join(expected)}</div>"
        f"<h3>{found_title}</h3>"
        f"<div class='row'>{''.join(found)}</div></article>\n"
    )


def _image(answer: Answer) -> str:
    """The query's image, unless it cannot be read; then `fault` says why."""
    if answer.query.image is not None:
        with suppress(UnreadableFile, OSError):
            shown = img(open_image(answer.query.image, enough=_ENOUGH), _QUERY_SIZE)
            return f"<div class='pictures'><div>{shown}</div></div>"
    return ""


def _expected(one: Expected, count: int, picture: Callable[[str, int], str]) -> str:
    document = one.document
    if document is None:
        return _figure("✗ not in the index", False, f"<bdi>{escape(_cut(one.id))}</bdi>")
    about = f"{_title(document)}, page {one.page}"
    about += f", grade {one.grade}" if one.grade > 1 else ""
    if one.page > document.page_count:
        return _figure("✗ no such page", False, about)
    where = f"✗ not among the {count:,} found" if one.rank is None else f"✓ rank {one.rank:,}"
    return _figure(where, one.rank is not None, about, picture(document.id, one.page))


def _found(rank: int, hit: Hit, *, right: bool, picture: Callable[[str, int], str]) -> str:
    mark = "✓ right" if right else "✗ wrong"
    about = f"{_title(hit.document)}, {escape(place_of(hit))}, score {hit.score:.3f}"
    shown = picture(hit.document.id, hit.page)
    return _figure(f"{rank}. {mark}", right, about, shown, hit.box)


def _figure(mark: str, right: bool, about: str, shown: str = "", box: Box | None = None) -> str:
    """A page with what there is to say of it; `about` and `shown` are HTML."""
    sheet = f"<div class='pictures'><div>{shown}{spot(box)}</div></div>" if shown else ""
    return (
        f"<figure{' class=right' if right else ''}>{sheet}"
        f"<figcaption><b>{escape(mark)}</b><br>{about}</figcaption></figure>"
    )


def _title(document: Document) -> str:
    name = document.title or PurePath(next(iter(document.paths), "")).name or "Untitled"
    return f"<bdi>{escape(_cut(name, 80))}</bdi>"


def _cut(text: str, longest: int = _CHARACTERS) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
