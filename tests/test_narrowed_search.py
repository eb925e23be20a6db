"""Filters, facets, groups and pages of results against plain Python, on both backends."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import pytest

import mmsearch
from mmsearch.config import Settings
from mmsearch.documents import page_payload, point_id
from mmsearch.encoders import PageContent, Reads
from mmsearch.engine import DEPTH, Candidate, SearchEngine
from mmsearch.errors import InvalidSetting, NotFound, UnreadableFile
from mmsearch.facets import of_payloads
from mmsearch.grouping import by_document
from mmsearch.index import Point
from mmsearch.narrowing import DOCUMENT_FIELDS
from mmsearch.page_store import PageStore
from mmsearch.types import (
    Document,
    DocumentState,
    Hit,
    Location,
    Page,
    PageText,
    Payload,
    Query,
    TextSource,
)
from tests.qdrant_server import QdrantServer

TEXTS = {
    "english": "The heron stands in the water, and it is not the only one of its kind that does.",
    "german": "Der Reiher heron steht im Wasser und ist nicht der einzige von denen, die das tun.",
    "japanese": "サギは水の中に立っています。heron とも言います。",
    "chinese": "苍鹭站在水里,它不是唯一这样做的鸟。heron",
    "cyrillic": "Цапля стоит в воде, и она не одна такая. heron",
    None: "heron 12 34 56 Q3",
}
TAGS = ("invoice", "two words", "Größe, été", "2024")
NAMES = (
    *("2023/jan/a{}.pdf", "2023/feb/b{}.pdf", "2024/c{}.pdf", "d{}.pdf", "2024-x/e{}.pdf"),
    *("box.zip!/inner/f{}.pdf", "my scans/g{}.pdf", "Look!/h{}.pdf"),
)


@dataclass(frozen=True)
class Written:
    """A page as it was written, and the language that it is in."""

    point: str
    document: Document
    page: Page
    language: str | None
    ready: bool

    @property
    def findable(self) -> bool:
        return self.ready and not self.page.blank


Says = Callable[[Written], bool]


@pytest.fixture(scope="module")
def written() -> list[Written]:
    """A few pages of each of 50 documents; many are alike to the letter."""
    random = np.random.default_rng(3)
    pages: list[Written] = []
    for n in range(50):
        document = make_document(random, n)
        for number in range(1, int(random.integers(2, 7))):
            language = list(TEXTS)[random.integers(len(TEXTS))]
            text = f"{TEXTS[language]} {'heron ' * int(random.integers(3))}"
            source: TextSource = get_args(TextSource)[random.integers(4)]
            blank = bool(random.random() < 0.1)
            page = Page(number, b"", 10, 10, PageText("" if blank else text, source), blank=blank)
            point = point_id(document.id, number)
            ready = document.state is DocumentState.DONE
            pages.append(Written(point, document, page, None if blank else language, ready))
    return pages


def make_document(random: np.random.Generator, n: int) -> Document:
    names = [str(name).format(n) for name in random.choice(NAMES, random.integers(1, 3), False)]
    mtime = float(round(random.uniform(1.5e9, 1.7e9), 3))
    if n % 3 == 0:  # the first moment of a year or a month, or the last before
        day = datetime(2020 + n % 2, int(random.choice((1, 1, 5))), 1, tzinfo=UTC)
        mtime = day.timestamp() - 0.001 * int(random.integers(2))
    return Document(
        sha256(str(n).encode()).hexdigest(),
        DocumentState.PENDING if n % 9 == 0 else DocumentState.DONE,
        title=f"document {n}",
        kind=("pdf", "image", "video")[random.integers(3)],
        locations=tuple(Location(f"/data/{'ab'[n % 2]}/{name}", name, mtime) for name in names),
        tags=tuple(sorted({TAGS[t] for t in random.integers(0, len(TAGS), random.integers(3))})),
    )


@pytest.fixture(scope="module", params=["edge", "server"])
def engine(request: pytest.FixtureRequest, written: list[Written]) -> Iterator[SearchEngine]:
    """An engine by words alone that holds these pages. Tests leave it as it is."""
    # In memory where the system has such a folder: making an index waits for the disk.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    stack = ExitStack()
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="mmsearch-", dir=memory)))
    (folder / "words.toml").write_text('[views.lexical]\nencoder = "bm25"\n')
    settings = Settings(profile=str(folder / "words.toml"), store=str(folder / "store"))
    with stack:
        if request.param == "server":
            url = stack.enter_context(QdrantServer()).url
            opened = mmsearch.open(url=url, settings=settings)
        else:
            opened = mmsearch.open(folder / "index", settings=settings)
        stack.enter_context(opened)
        opened.index.pages.upsert([as_point(opened, page) for page in written])
        for document in {page.document.id: page.document for page in written}.values():
            opened.documents.put(document)
        yield opened


def as_point(engine: SearchEngine, written: Written) -> Point:
    payload = page_payload(written.document, written.page) | {"ready": int(written.ready)}
    content = PageContent(written.page.full_text)
    (vector,) = engine.encoders["lexical"].encode_pages([content])
    assert not isinstance(vector, UnreadableFile)
    return Point(written.point, payload, {} if vector is None else {"lexical": vector})


# Random filters: the text of a term, and what it says of a page.


def some(random: np.random.Generator, values: Sequence[Any]) -> list[Any]:
    return [values[n] for n in random.permutation(len(values))[: random.integers(1, 4)]]


def quoted(value: str) -> str:
    return f"'{value}'" if " " in value or "," in value else value


def by_values(field: str, values: list[str], says: Says) -> tuple[str, Says]:
    return f"{field}={','.join(map(quoted, values))}", says


def by_place(random: np.random.Generator, pages: Sequence[Written]) -> tuple[str, Says]:
    place = pages[int(random.integers(len(pages)))].document.locations[0]
    whole = place.path if random.random() < 0.5 else place.name
    parts = whole.split("/")
    given = "/".join(parts[: random.integers(2 if whole[0] == "/" else 1, len(parts) + 1)])

    def says(page: Written) -> bool:
        return any(
            f"{name}/".startswith(f"{given}/") or name.startswith(f"{given}!/")
            for at in page.document.locations
            for name in (at.path, at.name)
        )

    return by_values("path", [given + "/" * int(random.integers(2))], says)


def by_number(
    random: np.random.Generator, field: str, of: Callable[[Written], int], around: int
) -> tuple[str, Says]:
    low, high = sorted(around + int(n) for n in random.integers(-2, 4, 2))
    choices: list[tuple[str, Says]] = [
        (f"{field}={low}", lambda page: of(page) == low),
        (f"{field}={low},{high}", lambda page: of(page) in (low, high)),
        (f"{field}={low}..{high}", lambda page: low <= of(page) <= high),
        (f"{field}>{low}", lambda page: of(page) > low),
        (f"{field}<={high}", lambda page: of(page) <= high),
    ]
    return choices[random.integers(len(choices))]


def by_date(random: np.random.Generator, pages: Sequence[Written]) -> tuple[str, Says]:
    day = pages[int(random.integers(len(pages)))].document.mtime
    parts = int(random.integers(1, 4))
    given = parts_of(day)[:parts]
    text = "-".join((f"{given[0]}", *(f"{part:02}" for part in given[1:])))

    def of(page: Written) -> tuple[int, ...]:
        return parts_of(page.document.mtime)[:parts]

    choices: list[tuple[str, Says]] = [
        (f"date={text}", lambda page: of(page) == given),
        (f"date>{text}", lambda page: of(page) > given),
        (f"date>={text}", lambda page: of(page) >= given),
        (f"date<{text}", lambda page: of(page) < given),
        (f"date<={text}", lambda page: of(page) <= given),
        (f"date=2017..{text}", lambda page: of(page)[0] >= 2017 and of(page) <= given),
    ]
    return choices[random.integers(len(choices))]


def parts_of(mtime: float) -> tuple[int, ...]:
    moment = datetime.fromtimestamp(mtime, UTC)
    return moment.year, moment.month, moment.day


def random_term(
    random: np.random.Generator, pages: Sequence[Written], *, shared: bool
) -> tuple[str, Says]:
    kinds = some(random, ("pdf", "image", "video", "slides"))
    tags = some(random, TAGS)
    ids = [pages[n].document.id for n in random.integers(0, len(pages), 3)]
    places = some(random, ["2023", "2024", "box.zip", "my scans", "Look!", "none"])
    sources = some(random, get_args(TextSource))
    languages = some(random, [language for language in TEXTS if language])
    codes = {"german": "de", "chinese": "zh"}
    of_both: list[Callable[[], tuple[str, Says]]] = [
        lambda: by_values("kind", kinds, lambda page: page.document.kind in kinds),
        lambda: by_values("tag", tags, lambda page: not {*tags}.isdisjoint(page.document.tags)),
        lambda: by_values("document", [i[:9] for i in ids], lambda page: page.document.id in ids),
        lambda: by_values("folder", places, lambda page: not {*places}.isdisjoint(tops(page))),
        lambda: by_place(random, pages),
        lambda: by_number(random, "year", lambda page: parts_of(page.document.mtime)[0], 2020),
        lambda: by_date(random, pages),
    ]
    of_pages: list[Callable[[], tuple[str, Says]]] = [
        lambda: by_number(random, "page", lambda page: page.page.number, 3),
        lambda: by_values("source", sources, lambda page: page.page.text.source in sources),
        lambda: by_values(
            "language",
            [codes.get(language, language) for language in languages],
            lambda page: page.language in languages,
        ),
    ]
    terms = of_both if shared else of_both + of_pages
    text, says = terms[random.integers(len(terms))]()
    if random.random() < 0.25 and "=" in text and "<" not in text and ">" not in text:
        return text.replace("=", "!=", 1), lambda page: not says(page)
    return text, says


def tops(page: Written) -> set[str]:
    """The first folders, or archives, below what was ingested."""
    names = [place.name for place in page.document.locations if "/" in place.name]
    return {name.split("/")[0].removesuffix("!") if ".zip" in name else name.split("/")[0]
            for name in names}  # fmt: skip


def random_filters(
    count: int, pages: Sequence[Written], *, shared: bool = False
) -> Iterator[tuple[str, Says]]:
    """Texts of one to three terms, and what they say."""
    random = np.random.default_rng(11)
    for _ in range(count):
        terms = [random_term(random, pages, shared=shared) for _ in range(random.integers(1, 4))]
        yield " ".join(text for text, _ in terms), all_of([says for _, says in terms])


def all_of(conditions: Sequence[Says]) -> Says:
    return lambda page: all(says(page) for says in conditions)


def everything(_: Written) -> bool:
    return True


def counted(pages: Sequence[Written]) -> dict[str, dict[Any, int]]:
    """The facets of pages."""
    values: dict[str, Callable[[Written], Sequence[Any]]] = {
        "kind": lambda page: [page.document.kind],
        "folder": lambda page: sorted(tops(page)),
        "tag": lambda page: page.document.tags,
        "source": lambda page: [page.page.text.source],
        "language": lambda page: [page.language] if page.language else [],
        "year": lambda page: [parts_of(page.document.mtime)[0]],
    }
    return {
        name: dict(Counter(value for page in pages for value in of(page)))
        for name, of in values.items()
    }


def test_filters_select_what_they_say(engine: SearchEngine, written: list[Written]) -> None:
    sizes = []
    for text, says in random_filters(60, written):
        expected = sorted(page.point for page in written if says(page))
        where = engine.narrow(text)
        assert [p.id for p in engine.index.pages.scroll(where, payload=False)] == expected, text
        sizes.append(len(expected))
    assert sum(0 < size < len(written) for size in sizes) > 35  # they say something


def test_filters_of_documents_select_what_they_say(
    engine: SearchEngine, written: list[Written]
) -> None:
    first = {page.document.id: page for page in written}.values()
    for text, says in random_filters(25, written, shared=True):
        found = engine.documents.all(engine.narrow(f"{text} state!=failed", DOCUMENT_FIELDS))
        expected = {page.document.id for page in first if says(page)}
        assert {document.id for document in found} == expected, text
    pending = engine.documents.all(engine.narrow("state=pending", DOCUMENT_FIELDS))
    assert {document.state for document in pending} == {DocumentState.PENDING}


def test_facets_count_what_the_filter_selects(engine: SearchEngine, written: list[Written]) -> None:
    findable = [page for page in written if page.findable]
    assert len(findable) < len(written)
    for text, says in [("", everything), *random_filters(8, written)]:
        facets = engine.facets(where=text)
        assert facets == counted([page for page in findable if says(page)]), text
        for counts in facets.values():
            ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
            assert list(counts.items()) == ranked
    whole = engine.facets()
    for name, counts in engine.facets(limit=2).items():
        assert counts == dict(list(whole[name].items())[:2])


def test_equally_common_values_are_in_order_and_the_same_ones_are_cut() -> None:
    payloads: list[Payload] = [{"kind": kind, "tags": ["b", "a", "b"]} for kind in "cabb"]
    counts = of_payloads(payloads, 2)
    assert list(counts["kind"].items()) == [("b", 2), ("a", 1)]
    assert list(counts["tag"].items()) == [("a", 4), ("b", 4)]
    assert counts["year"] == {}


def test_every_value_of_a_facet_selects_its_pages(
    engine: SearchEngine, written: list[Written]
) -> None:
    for name, counts in engine.facets(where="kind!=video", limit=3).items():
        for value, pages in counts.items():
            again = engine.facets(where=f'kind!=video {name}="{value}"')
            assert again[name][value] == pages


def test_facets_of_a_query_count_what_it_finds(
    engine: SearchEngine, written: list[Written]
) -> None:
    where = "kind=pdf,image language!=de"
    found = {candidate.point for candidate in engine.candidates(Query("water"), where=where)}
    assert 0 < len(found) < DEPTH
    assert engine.facets("water", where=where) == counted(
        [page for page in written if page.point in found]
    )


def test_a_search_is_narrowed(engine: SearchEngine, written: list[Written]) -> None:
    by_place = {(page.document.id, page.page.number): page for page in written}
    for text, says in random_filters(8, written):
        hits = engine.search("heron", where=text, limit=DEPTH)
        found = [by_place[hit.document.id, hit.page] for hit in hits]
        matching = [page for page in written if page.findable and says(page)]
        assert len(found) == min(DEPTH, len(matching))
        assert all(page in matching for page in found)


def test_blank_pages_are_neither_found_nor_counted(
    engine: SearchEngine, written: list[Written]
) -> None:
    blank = [page for page in written if page.page.blank]
    assert blank
    hits = engine.search("heron", limit=DEPTH)
    numbers = {(hit.document.id, hit.page) for hit in hits}
    assert numbers.isdisjoint((page.document.id, page.page.number) for page in blank)
    # A blank picture with a description has something to be found by.
    described = replace(blank[0].page, caption="the back of a photo")
    assert page_payload(blank[0].document, described)["blank"] == 0


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("size", [9, 30])
def test_pages_of_results_are_cut_from_one_list(
    engine: SearchEngine, group: bool, size: int
) -> None:
    whole = engine.search("heron water", limit=1000, group=group)
    assert [hit.rank for hit in whole] == list(range(1, len(whole) + 1))
    pages = [
        engine.search("heron water", limit=size, offset=offset, group=group)
        for offset in range(0, len(whole), size)
    ]
    assert [hit for page in pages for hit in page] == whole
    assert engine.search("heron", limit=5, offset=len(whole) + 1, group=group) == []


def test_groups_hold_the_best_page_and_count_the_others(engine: SearchEngine) -> None:
    whole = engine.search("heron water", limit=1000)
    assert len(whole) == DEPTH
    by_document: dict[str, list[Hit]] = {}
    for hit in whole:
        by_document.setdefault(hit.document.id, []).append(hit)
    groups = engine.search("heron water", limit=1000, group=True)
    assert [(hit.document.id, hit.page, hit.score) for hit in groups] == [
        (best.document.id, best.page, best.score) for best, *_ in by_document.values()
    ]
    for hit, (_, *others) in zip(groups, by_document.values(), strict=True):
        assert hit.more == len(others)
        assert hit.more_pages == tuple(other.page for other in others)
    assert max(hit.more for hit in groups) > 1
    assert all(hit.more == 0 and not hit.more_pages for hit in whole)


def test_of_many_further_pages_the_best_are_named() -> None:
    found = [Candidate(str(number), 1 / number, {}) for number in range(1, 20)]
    places = {str(number): ("a" if number % 5 else "b", number) for number in range(1, 19)}
    first, second = by_document(found, places)
    assert (first.document, first.best, first.more) == ("a", found[0], 14)
    assert first.pages == (2, 3, 4, 6, 7, 8, 9, 11, 12, 13)
    assert (second.document, second.best, second.pages) == ("b", found[4], (10, 15))


def test_equal_scores_are_in_order_of_their_points(engine: SearchEngine) -> None:
    found = engine.candidates(Query("heron"))
    ranked = sorted(found, key=lambda candidate: (-candidate.score, candidate.point))
    assert len({candidate.score for candidate in found}) < len(found)
    assert found == ranked


class ByPlace:
    """A reranker that prefers pages with little text, and counts what it is asked."""

    reads: Reads = "text"
    candidates = 20
    identity = "by place"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float | None]:
        self.asked.append([page.text for page in pages])
        return [1 / (1 + len(page.text)) for page in pages]


def with_reranker(engine: SearchEngine, folder: Path, reranker: ByPlace) -> SearchEngine:
    """The same index, searched with a reranker; there are no pictures of its pages."""
    store = PageStore(str(folder))
    return SearchEngine(
        engine.index, engine.profile, engine.encoders, store, engine.settings, reranker
    )


@pytest.mark.parametrize("group", [False, True])
def test_reranking_keeps_pages_of_results_apart(
    engine: SearchEngine, tmp_path: Path, group: bool
) -> None:
    reranker = ByPlace()
    reranked = with_reranker(engine, tmp_path, reranker)
    whole = reranked.search("heron water", limit=1000, group=group)
    cut = [
        hit
        for offset in range(0, len(whole), 9)
        for hit in reranked.search("heron water", limit=9, offset=offset, group=group)
    ]
    assert cut == whole
    assert all("rerank" in hit.scores for hit in whole[:2])
    assert reranker.asked == [reranker.asked[0]] * len(reranker.asked)  # the same head every time
    assert len(reranker.asked[0]) == ByPlace.candidates


@pytest.mark.parametrize("group", [False, True])
def test_the_first_stage_answers_before_the_reranker(
    engine: SearchEngine, tmp_path: Path, group: bool
) -> None:
    reranker = ByPlace()
    reranked = with_reranker(engine, tmp_path, reranker)
    query = Query("heron water")
    answers = reranked.answers(query, limit=9, group=group)
    first = next(answers)
    assert not reranker.asked
    assert not first.last
    assert first.hits == reranked.answer(query, limit=9, group=group, rerank=False)
    (second,) = answers
    assert second.last
    assert second.hits == reranked.answer(query, limit=9, group=group)
    assert second.hits != first.hits
    assert (second.total, second.facets) == (first.total, first.facets)
    assert first.total == len(reranked.answer(query, limit=1000, group=group))
    assert first.facets == reranked.facets(query, limit=12)


def test_without_a_reranker_one_answer_is_the_last(engine: SearchEngine) -> None:
    (answer,) = engine.answers(Query("heron water"), limit=9)
    assert answer.last


def test_numbers_below_zero_are_refused(engine: SearchEngine) -> None:
    for limit, offset in ((-1, 0), (5, -1)):
        with pytest.raises(InvalidSetting, match="may be below 0"):
            engine.search("heron", limit=limit, offset=offset)


def test_tags_are_set_where_searches_look(engine: SearchEngine, written: list[Written]) -> None:
    chosen = next(page.document for page in written if page.findable)
    before = engine.documents.get(chosen.id)[chosen.id]
    try:
        (after,) = engine.tag(chosen.paths[0], add=["  to pay ", "urgent"], remove=["2024"])
        assert after.tags == tuple(sorted({*before.tags, "to pay", "urgent"} - {"2024"}))
        assert engine.documents.get(chosen.id)[chosen.id] == after
        hits = engine.search("heron", where="tag='to pay'", limit=DEPTH)
        assert {hit.document.id for hit in hits} == {chosen.id}
        assert engine.tag(chosen.id[:8]) == [after]
        for wrong in ("", "a\nb", 'a"b', "a" * 101):
            with pytest.raises(InvalidSetting, match="a tag has 1 to 100 characters"):
                engine.tag(chosen.id, add=[wrong])
        with pytest.raises(InvalidSetting, match="more than 100 are not allowed"):
            engine.tag(chosen.id, add=[f"t{n}" for n in range(101)])
        with pytest.raises(NotFound):
            engine.tag("nothing.pdf", add=["a"])
    finally:
        (last,) = engine.tag(chosen.id, add=before.tags, remove=["to pay", "urgent"])
    assert last == before
