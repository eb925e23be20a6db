"""What the page shows: every name, path and text is only text."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import pytest
from PIL import Image

from mmsearch.answers import Answer
from mmsearch.types import Box, Document, DocumentState, Hit, Location, Match, Query, Twin
from ui import views
from ui.address import Asked

ID = "ab" * 32
HOSTILE = "<script>alert('x')</script> \" onload=\"x() & `${1+1}`"


def make_hit(title: str = "Annual report", snippet: str = "", **changes: object) -> Hit:
    path = str(changes.pop("path", "/docs/report.pdf"))
    document = Document(
        ID, DocumentState.DONE, title, "pdf", (Location(path, "report.pdf", 0.0),), page_count=12
    )
    return replace(Hit(1, 0.0328, document, 3, snippet=snippet), **changes)


def results(
    hits: list[Hit], query: Query, *, asked: Asked | None = None, total: int = 0, **answer: Any
) -> str:
    found = Answer(hits, total or len(hits), answer.pop("facets", {}), answer.pop("last", True))
    return views.results(found, asked or Asked(query.text), query, seconds=0.1234, **answer)


def show(hit: Hit, text: str = "") -> str:
    return results([hit], Query(text))


def test_a_hit_says_what_and_where_it_is() -> None:
    html = show(make_hit(snippet="Revenue by region"))
    assert ">Annual report</a>" in html
    assert "page 3 of 12" in html
    assert "/docs/report.pdf" in html
    assert f"href='?view={ID}/3' data-view='{ID}/3'" in html
    assert f"src='thumbnails/{ID}/3.jpg'" in html
    assert "1 page, 0.12 s" in html


@pytest.mark.parametrize("field", ["title", "snippet", "path", "query"])
def test_whatever_comes_from_outside_is_escaped(field: str) -> None:
    if field == "query":
        html = results([], Query(HOSTILE))
    else:
        html = show(make_hit(**{field: HOSTILE}), "script alert onload")
    assert "<script" not in html
    assert "' onload" not in html
    assert '" onload' not in html
    assert "&lt;" in html
    assert "&amp;" in html


def test_every_other_path_is_counted_and_escaped() -> None:
    hit = make_hit()
    copies = tuple(Location(path, path, 0.0) for path in ("/b/'><b>.pdf", "/c.pdf"))
    document = replace(hit.document, locations=hit.document.locations + copies)
    html = show(replace(hit, document=document))
    assert "+2</span>" in html
    assert "'><b>" not in html


def test_a_document_without_a_title_has_its_file_name() -> None:
    assert ">report.pdf</a>" in show(make_hit(title=""))


@pytest.mark.parametrize(
    ("kind", "pages", "seconds", "place"),
    [
        ("pdf", 12, None, "page 3 of 12"),
        ("slides", 12, None, "slide 3 of 12"),
        ("image", 1, None, "image"),
        ("video", 12, 754.2, "at 12:34"),
    ],
)
def test_the_place_is_said_as_the_kind_has_it(
    kind: str, pages: int, seconds: float | None, place: str
) -> None:
    hit = make_hit(seconds=seconds)
    hit = replace(hit, document=replace(hit.document, kind=kind, page_count=pages))
    assert f"<p class='mm-place'>{place} <" in show(hit)


@pytest.mark.parametrize(
    ("snippet", "spans", "expected"),
    [
        ("Revenue, by region: Europe", [(0, 18)], "<mark>Revenue, by region</mark>: Europe"),
        ("a < b & <b>", [(4, 5), (9, 10)], "a &lt; <mark>b</mark> &amp; &lt;<mark>b</mark>&gt;"),
        ("<script>", [(0, 8)], "<mark>&lt;script&gt;</mark>"),
        ("nothing to see", [], "nothing to see"),
        ("", [], ""),
    ],
)
def test_words_of_the_query_are_marked(
    snippet: str, spans: list[tuple[int, int]], expected: str
) -> None:
    assert views.marked(snippet, spans) == expected
    assert expected in show(make_hit(snippet=snippet or "-", snippet_marks=tuple(spans)))


def test_words_of_the_query_are_marked_on_the_picture() -> None:
    html = show(make_hit(marks=(Box(0.1, 0.2, 0.3, 0.25), Box(0.5, 0.5, 0.6, 0.52))), "revenue")
    link = html.split("<a class='mm-picture'")[1].split("</a>")[0]
    assert "<i class='mm-word' style='left:10.00%;top:20.00%;width:20.00%;height:5.00%'>" in link
    assert link.count("mm-word") == 2
    assert "mm-word" not in show(make_hit(), "revenue")


def test_the_very_page_has_the_spot_marked() -> None:
    shot = Query(image=Image.new("RGB", (9, 9)))
    match = Match(Box(0.125, 0.5, 0.6255, 1.02), inliers=40, agreement=0.9)
    html = results([make_hit(match=match, box=match.box)], shot)
    assert "This very page" in html
    assert "Looks similar" not in html
    # Over the picture and inside its link; what is beyond the page is cut off.
    link = html.split("<a class='mm-picture'")[1].split("</a>")[0]
    spot = "<i class='mm-spot' style='left:12.50%;top:50.00%;width:50.05%;height:50.00%'></i>"
    assert link.endswith(f"{spot}</span>")


def test_other_pages_look_similar_to_an_image_and_not_to_words() -> None:
    html = results([make_hit()], Query(image=Image.new("RGB", (9, 9))))
    assert "Looks similar" in html
    assert "mm-spot" not in html
    assert "Looks similar" not in show(make_hit(), "words")


def test_what_was_repaired_is_said_and_can_be_undone() -> None:
    query = Query(image=Image.new("RGB", (9, 9)), repairs=("window frame cut off", "<b>"))
    asked = Asked(image="x" * 22)
    html = results([make_hit()], query, asked=asked)
    assert "Searched after repair (window frame cut off, &lt;b&gt;): " in html
    assert f"<a href='{escape(asked.link(repair=False))}' data-go>" in html
    undone = results([make_hit()], replace(query, repairs=()), asked=replace(asked, repair=False))
    assert "Searched as it was" in undone
    assert "Searched" not in show(make_hit())


def test_nothing_found_says_what_to_try() -> None:
    html = results([], Query("xyzzy"))
    assert "Nothing found for “xyzzy”" in html
    assert "Try fewer" in html
    narrowed = results([], Query("xyzzy"), asked=Asked("xyzzy", where="kind=pdf"))
    assert "<a href='?q=xyzzy' data-go>Search without the filter</a>" in narrowed


def test_the_first_look_says_what_can_be_searched_and_tried() -> None:
    html = views.welcome(1432, ["A report", "<b> & co"])
    assert "1,432 pages to search" in html
    assert "href='?q=A+report' data-go" in html
    assert ">&lt;b&gt; &amp; co</a>" in html
    assert "1 page to search" in views.welcome(1, [])
    assert "Library" in views.welcome(0, [])


def test_facets_are_links_that_narrow() -> None:
    facets = {"kind": {"pdf": 30, "image": 4}, "tag": {HOSTILE: 2, "b": 1}, "year": {1999: 34}}
    html = results([make_hit()], Query("pump"), facets=facets)
    assert "href='?q=pump&amp;where=kind%3Dimage' data-go><span dir='auto'>image</span>" in html
    assert "<script" not in html
    assert "1999" not in html, "what all have in common narrows nothing"
    chosen = results(
        [make_hit()], Query("pump"), facets=facets, asked=Asked("pump", where="kind=pdf")
    )
    assert "<a href='?q=pump' data-go aria-label='Remove the filter kind pdf'>" in chosen


def test_more_results_are_one_link_further() -> None:
    asked = Asked("pump", where="kind=pdf")
    html = results([make_hit()], Query("pump"), asked=asked, total=100)
    assert "1 of 100 pages" in html
    assert f"<a href='{escape(asked.link(shown=40))}' data-go data-keep>More results</a>" in html
    assert "More results" not in results([make_hit()], Query("pump"), asked=asked, total=20)


def test_a_first_answer_says_that_a_better_one_comes() -> None:
    assert "Reading the best ones closely" in results([make_hit()], Query("pump"), last=False)
    assert "Reading" not in results([make_hit()], Query("pump"))


def test_that_it_does_not_seem_to_be_here_is_said() -> None:
    weak = [make_hit(confidence="weak")]
    assert "does not seem to be in the archive" in results(weak, Query("pump"))
    narrowed = results(weak, Query("pump"), asked=Asked("pump", where="kind=pdf"))
    assert "does not seem to be among what the filter leaves" in narrowed
    assert "does not seem" not in show(make_hit())


def test_a_page_is_not_similar_to_itself() -> None:
    hits = [make_hit(), make_hit(page=4)]
    html = results(hits, Query(), asked=Asked(page=(ID, 3)), similar=(ID, 3))
    assert f"data-view='{ID}/4'" in html
    assert f"<a class='mm-picture' href='?view={ID}/3'" not in html
    assert "Pages like this one" in html


def test_grouped_hits_lead_to_their_other_pages() -> None:
    html = show(make_hit(more=3, more_pages=(5, 9)))
    assert "3 more pages: " in html
    assert f"data-view='{ID}/9'>9</a> …" in html


def test_copies_elsewhere_are_named() -> None:
    other = replace(make_hit(HOSTILE).document, id="cd" * 32)
    html = show(make_hit(also_in=(Twin(other, 7),)))
    assert f"data-view='{'cd' * 32}/7'" in html
    assert "<script" not in html


def test_a_problem_is_one_escaped_line() -> None:
    filtered = views.problem("filter x: no", Asked("a", where="x"))
    assert "<a href='?q=a' data-go>Search without the filter</a>" in filtered
    html = views.problem("the query <b> is empty")
    assert html == "<p class='mm-problem' role='alert'>The query &lt;b&gt; is empty</p>"
