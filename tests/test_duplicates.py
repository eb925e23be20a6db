"""Which pages are the same, by look and words, told at search time and for a whole index."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import pytest

import mmsearch
from mmsearch import documents, duplicates, looks
from mmsearch.config import Settings
from mmsearch.engine import Candidate, SearchEngine
from mmsearch.filters import equals
from mmsearch.index import Point
from mmsearch.saying import saying
from mmsearch.types import Document, DocumentState, Location, Page, PageText, Query, TextSource
from tests import builders

TEXT = "\n".join(builders.LOREM)
LOOK = sha256(b"look").hexdigest()


def differing(look: str, bits: int, seed: int = 0) -> str:
    """A look with so many bits changed, spread over the last twelve bands."""
    at = np.random.default_rng(seed).choice(192, bits, replace=False) + 64
    mask = np.zeros(looks.BITS, dtype=np.uint8)
    mask[at] = 1
    return (np.frombuffer(bytes.fromhex(look), dtype=np.uint8) ^ np.packbits(mask)).tobytes().hex()


def misread(text: str, every: int = 20) -> str:
    """A text as poor OCR has it: each so many letters one is another."""
    return "".join("x" if at % every == 7 else letter for at, letter in enumerate(text))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    with mmsearch.open(tmp_path_factory.mktemp("twins"), settings=Settings()) as engine:
        yield engine


@pytest.fixture
def engine(opened: SearchEngine) -> SearchEngine:
    """An engine with nothing in it."""
    opened.index.pages.delete(equals("ready", 0, 1))
    for document in list(opened.documents.all()):
        opened.documents.delete(document.id)
    return opened


def add(
    engine: SearchEngine,
    name: str,
    text: str = TEXT,
    *,
    look: str = LOOK,
    source: TextSource = "layer",
    number: int = 1,
    size: int = 1000,
    ready: bool = True,
) -> str:
    """Put one page into the index; the id of its point."""
    document = Document(
        sha256(name.encode()).hexdigest(),
        DocumentState.DONE,
        title=name,
        locations=(Location(f"/{name}", name, 0.0),),
    )
    confidence = 0.9 if source == "ocr" else None
    page = Page(
        number, b"", size, size, look=look, text=PageText(text, source, confidence=confidence)
    )
    point = documents.point_id(document.id, number)
    payload = documents.page_payload(document, page) | {"ready": int(ready)}
    engine.index.pages.upsert([Point(point, payload)])
    engine.documents.put(document)
    return point


def also_in(engine: SearchEngine, *points: str) -> list[list[tuple[str, int]]]:
    hits = engine.hits(Query("ships"), [Candidate(point, 1.0, {}) for point in points])
    return [[(twin.document.title, twin.page) for twin in hit.also_in] for hit in hits]


def told(engine: SearchEngine) -> list[list[tuple[str, int]]]:
    return [
        [(twin.document.title, twin.page) for twin in family.pages]
        for family in duplicates.families(engine)
    ]


def test_a_copy_is_named_by_each_of_two_hits(engine: SearchEngine) -> None:
    one = add(engine, "report.pdf")
    two = add(engine, "copy.pdf", TEXT.replace("\n", " "), look=differing(LOOK, 40), number=7)
    other = add(engine, "other.pdf", "something else " * 20, look=sha256(b"other").hexdigest())
    assert also_in(engine, one, two, other) == [[("copy.pdf", 7)], [("report.pdf", 1)], []]
    assert also_in(engine, one) == [[("copy.pdf", 7)]]
    assert len(told(engine)) == 1


def test_the_same_form_filled_in_differently_is_another_page(engine: SearchEngine) -> None:
    form = TEXT + "\nInvoice {}, due in {}"
    points = [
        add(engine, f"{at}.pdf", form.format(*filled), look=differing(LOOK, at))
        for at, filled in enumerate([("0013", "July"), ("0031", "July"), ("0013", "April")])
    ]
    assert also_in(engine, *points) == [[], [], []]
    assert told(engine) == []


def test_a_scan_is_the_page_that_it_reads_most_like(engine: SearchEngine) -> None:
    form = TEXT + "\nPayable in {} by the harbour office"
    months = ("July", "April", "December")
    points = [add(engine, month, form.format(month)) for month in months]
    scan = add(
        engine, "scan", misread(form.format("April")), look=differing(LOOK, 50), source="ocr"
    )
    again = add(
        engine, "again", misread(form.format("April"), 31), look=differing(LOOK, 9), source="ocr"
    )
    assert also_in(engine, points[0], scan) == [[], sorted([("April", 1), ("again", 1)], key=_key)]
    assert also_in(engine, points[1]) == [sorted([("scan", 1), ("again", 1)], key=_key)]
    assert told(engine) == [[("April", 1), *sorted([("scan", 1), ("again", 1)], key=_key)]]
    assert engine.index.pages.retrieve([again])


def _key(twin: tuple[str, int]) -> str:
    return sha256(twin[0].encode()).hexdigest()


def test_a_poor_scan_of_a_page_is_found_behind_better_ones_of_others(engine: SearchEngine) -> None:
    printed = add(engine, "printed")
    add(engine, "poor", misread(TEXT), look=differing(LOOK, 60), source="ocr")
    letters = np.random.default_rng(3)
    for at in range(40):
        words = " ".join("".join(letters.choice(list("abcdefgh"), 6)) for _ in range(80))
        add(engine, f"other {at}", words, look=differing(LOOK, 20, at), source="ocr")
    assert also_in(engine, printed) == [[("poor", 1)]]


def test_scans_with_other_words_or_other_numbers_are_other_pages(engine: SearchEngine) -> None:
    table = TEXT + " ".join(str(number * 7919) for number in range(40))
    other = TEXT + " ".join(str(number * 6133) for number in range(40))
    one = add(engine, "one", misread(table), source="ocr")
    add(engine, "two", misread(other), source="ocr")
    add(engine, "three", " ".join(TEXT.split()[::-1])[:300], source="ocr")
    assert also_in(engine, one) == [[]]
    copy = add(engine, "copy", misread(table, 23), source="ocr")
    assert also_in(engine, one, copy) == [[("copy", 1)], [("one", 1)]]


def test_scans_of_a_form_that_differ_in_a_number_are_other_pages(engine: SearchEngine) -> None:
    note = TEXT + " delivery note 77-4711 weight 840 kg date 2024 05 17 order 99012"
    one = add(engine, "one", note, source="ocr")
    add(engine, "two", note.replace("4711", "4712").replace("840", "1260"), source="ocr")
    assert also_in(engine, one) == [[]]


def test_pictures_without_words_go_by_look_alone(engine: SearchEngine) -> None:
    one = add(engine, "photo", "", source="none")
    add(engine, "same", "", source="none", look=differing(LOOK, 20))
    add(engine, "alike", "", source="none", look=differing(LOOK, 40))
    add(engine, "captioned", TEXT, look=differing(LOOK, 2))
    assert also_in(engine, one) == [[("same", 1)]]


def test_blank_and_hidden_pages_and_those_of_the_same_document_are_no_twins(
    engine: SearchEngine,
) -> None:
    blank = add(engine, "blank", "", look="", source="none")
    add(engine, "empty", "", look="", source="none")
    shown = add(engine, "shown")
    add(engine, "shown", number=2)
    add(engine, "unfinished", ready=False)
    assert also_in(engine, blank, shown) == [[], []]
    assert told(engine) == []


def test_what_was_removed_is_named_no_more(engine: SearchEngine) -> None:
    one = add(engine, "one")
    add(engine, "two")
    assert also_in(engine, one) == [[("two", 1)]]
    engine.remove("/two")
    assert also_in(engine, one) == [[]]


def test_the_cleanest_copy_comes_first(engine: SearchEngine) -> None:
    add(engine, "scan", misread(TEXT), source="ocr", size=1400)
    add(engine, "poor scan", misread(TEXT, 15), source="ocr", size=700)
    add(engine, "small", size=500)
    add(engine, "printed", size=900)
    add(engine, "a", "another page " * 10, number=3)
    add(engine, "b", "another page " * 10, number=4)
    titles = [[title for title, _ in family] for family in told(engine)]
    assert ["printed", "small", "scan", "poor scan"] in titles
    assert sorted(map(len, titles)) == [2, 4]
    assert told(engine) == told(engine)


def test_documents_in_several_places_are_listed(engine: SearchEngine) -> None:
    add(engine, "once")
    places = tuple(Location(f"/{name}", name, 0.0) for name in ("a", "b"))
    engine.documents.put(Document("f" * 64, DocumentState.DONE, locations=places))
    assert [document.paths for document in duplicates.copies(engine)] == [("/a", "/b")]


def test_all_pairs_are_found_as_by_comparing_each_with_each() -> None:
    random = np.random.default_rng(1)
    rows = random.integers(0, 1 << 16, (400, looks.BANDS), dtype=np.uint16)
    rows[200:] = rows[:200] ^ (random.random((200, 16)) < 0.5).astype(np.uint16)
    rows[10:40, :4] = rows[10, :4]
    apart = looks.distance(rows[:, None], rows[None])
    shared = (rows[:, None] == rows[None]).any(axis=-1)
    expected = [
        (int(i), int(j)) for i, j in np.argwhere((apart <= duplicates.NEAR) & shared) if i < j
    ]
    assert list(duplicates.near_pairs(rows, np.zeros(400, dtype=np.uint64))) == expected
    assert len(expected) >= 200
    none = np.zeros((0, looks.BANDS), dtype=np.uint16)
    assert list(duplicates.near_pairs(none, np.zeros(0, dtype=np.uint64))) == []


def test_very_many_pages_that_look_the_same_stay_affordable() -> None:
    rows = np.zeros((400, looks.BANDS), dtype=np.uint16)
    said = np.arange(400, dtype=np.uint64) % 200  # each text twice
    began = time.process_time()
    pairs = set(duplicates.near_pairs(rows, said))
    assert time.process_time() - began < 5
    assert all((at, at + 200) in pairs for at in range(200))
    assert len(pairs) < 400 * 256  # not each with each


def test_two_searches_for_many_hits_are_quick(engine: SearchEngine) -> None:
    random = np.random.default_rng(0)
    points = []
    for at in range(1000):
        look = random.bytes(32).hex() if at % 2 == 0 else differing(look, 30)  # noqa: F821
        payload = {"document": f"{at:064x}", "number": 1, "ready": 1, "text_source": "layer"}
        text = f"{TEXT} {at // 2}"
        payload |= {"look": look, "look_bands": looks.bands(look), "text": text}
        payload |= {"says": saying(text).key, "little": 0}
        points.append(Point(str(uuid.UUID(int=at + 1)), payload))
    engine.index.pages.upsert(points)
    began = time.perf_counter()
    found = duplicates.twins(engine.index.pages, [point.id for point in points[:20]])
    assert time.perf_counter() - began < 0.5
    assert found == {points[at].id: ((points[at ^ 1].payload["document"], 1),) for at in range(20)}
