"""Words of a query on the page: boxes stand on the words, whatever the page and the query are."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pypdfium2
import pytest

from ingest.text_layer import read_text_layer
from mmsearch.evidence import collect
from mmsearch.index import Point
from mmsearch.marks import MOST_BOXES, boxes, find, parts
from mmsearch.page_store import PageStore
from mmsearch.types import Box, Query
from tests import builders

Row = list[str | float]
LEFT, TOP, LEADING = 72, 84, 16  # points: where builders.write_text_pdf puts the first baseline
TURNED: dict[int, Callable[[Box], Box]] = {
    0: lambda b: b,
    90: lambda b: Box(1 - b.y1, b.x0, 1 - b.y0, b.x1),
    180: lambda b: Box(1 - b.x1, 1 - b.y1, 1 - b.x0, 1 - b.y0),
    270: lambda b: Box(b.y0, 1 - b.x1, b.y1, 1 - b.x0),
}


def rows_of(pdf: Path) -> list[Row]:
    """The words of a PDF's first page, as the page store has them."""
    document = pypdfium2.PdfDocument(pdf)
    page = document[0]
    words = read_text_layer(page).text.words
    rows: list[Row] = [[word.text, *word.box, word.confidence] for word in words]
    page.close()
    document.close()
    return rows


def line(*words: str, top: float = 0.1, left: float = 0.1, step: float = 0.01) -> list[Row]:
    """Words in one line, `step` wide a character, one such space between them."""
    rows: list[Row] = []
    for word in words:
        rows.append([word, left, top, left + step * len(word), top + 0.02, 1.0])
        left += step * (len(word) + 1)
    return rows


def on(row: Row) -> Box:
    return Box(*map(float, row[1:5]))


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_mark_stands_on_its_word(tmp_path: Path, rotate: int) -> None:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    text = "The inspector praised\nthe lighthouse of Tidewell"
    path = builders.write_text_pdf(tmp_path / "a.pdf", [text], rotate=rotate)
    (box,) = boxes("lighthouse", rows_of(path))
    left = LEFT + stringWidth("the ", "Helvetica", 12)
    right = left + stringWidth("lighthouse", "Helvetica", 12)
    baseline = TOP + LEADING
    width, height = builders.A4
    known = Box(left / width, (baseline - 11) / height, right / width, (baseline + 3) / height)
    assert box == pytest.approx(TURNED[rotate](known), abs=0.003)


def test_neighbours_and_the_stop_words_between_them_are_one_box() -> None:
    rows = line("Revenue", "by", "region,", "by", "year", "and", "by", "the", "region")
    first = on(rows[0])._replace(x1=on(rows[2]).x1)
    assert boxes("revenue by region", rows) == (first, on(rows[8]))


def test_words_of_two_columns_or_lines_are_not_joined() -> None:
    columns = line("pump") + line("seal", left=0.6)
    assert boxes("pump seal", columns) == (on(columns[0]), on(columns[1]))
    lines = line("pump") + line("seal", top=0.13)
    assert boxes("pump seal", lines) == (on(lines[0]), on(lines[1]))


def test_text_that_runs_leftwards_or_downwards_is_joined() -> None:
    leftwards: list[Row] = [
        ["مضخة", 0.8, 0.1, 0.9, 0.12, 1.0],
        ["المياه", 0.69, 0.1, 0.79, 0.12, 1.0],
    ]
    assert boxes("مضخة المياه", leftwards) == (Box(0.69, 0.1, 0.9, 0.12),)
    downwards: list[Row] = [
        ["pump", 0.1, 0.1, 0.12, 0.2, 1.0],
        ["seal", 0.1, 0.22, 0.12, 0.3, 1.0],
    ]
    assert boxes("pump seal", downwards) == (Box(0.1, 0.1, 0.12, 0.3),)


def test_a_word_broken_over_two_lines_is_marked_in_both() -> None:
    rows = line("the", "hydro-", left=0.7) + line("plane", "lands", top=0.13)
    assert boxes("hydroplane", rows) == (on(rows[1]), on(rows[2]))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("INV-2024/0013", "INV-2024/0013."),
        ("inv 2024 0013", "(INV-2024/0013)"),
        ("1234.56", "€1,234.56"),
        ("1.234,56", "1,234.56"),
        ("PX4471B", "PX-4471-B"),
        ("houses", "House"),
    ],
)
def test_numbers_and_codes_are_marked(query: str, word: str) -> None:
    rows = line("total", word, "9,999.99")
    assert boxes(query, rows) == (on(rows[1]),)


def test_of_a_line_without_spaces_the_part_is_marked() -> None:
    whole = "昨日、東京都庁で会議"
    rows = line(whole, step=0.02)
    assert parts("東京都", whole) == [(3, 6)]
    (box,) = boxes("東京都", rows)
    assert box == pytest.approx((0.1 + 3 * 0.02, 0.1, 0.1 + 6 * 0.02, 0.12))
    single = line(*"昨日東京都庁", step=0.02)  # as OCR has them
    assert len(boxes("東京都", single)) == 1
    assert find("東京都", [str(row[0]) for row in single]) == [False] * 2 + [True] * 3 + [False]
    downwards: list[Row] = [["東京都庁", 0.5, 0.1, 0.52, 0.5, 1.0]]
    assert boxes("都庁", downwards)[0] == pytest.approx((0.5, 0.3, 0.52, 0.5))


def test_of_very_many_the_rarest_are_kept() -> None:
    rows = [row for n in range(300) for row in line("pump", "and", "valve", top=n / 400)]
    rows += line("impeller", top=0.9)
    marked = boxes("pump impeller", rows)
    assert len(marked) == MOST_BOXES
    assert marked[-1] == on(rows[-1])  # the last of the page, and yet kept


def test_without_words_or_without_a_match_there_are_none() -> None:
    assert boxes("pump", []) == ()
    assert boxes("pump", line("valve")) == ()
    assert boxes("  ", line("valve")) == ()
    assert boxes("?!", line("valve")) == ()


@pytest.mark.parametrize(
    "place", [(0.5, 0.1, 0.5, 0.2), (0.9, 0.1, 0.2, 0.2), (float("nan"),) * 4, (2.0, 0.1, 3.0, 0.2)]
)
def test_a_box_that_is_none_is_left_out(place: tuple[float, ...]) -> None:
    assert boxes("pump", [["pump", *place, 1.0]]) == ()


def test_a_box_stays_on_the_page() -> None:
    assert boxes("pump", [["pump", -0.5, 0.1, 1.5, 0.2, 1.0]]) == (Box(0.0, 0.1, 1.0, 0.2),)


@pytest.mark.parametrize(
    "words",
    [
        ["pump"] * 20_000,
        ["東京都" * 60] * 20_000,
        ["pump", "of"] * 50_000,
        ["x" * 1_000_000, "東" * 1_000_000],
    ],
)
def test_hostile_pages_and_queries_take_a_moment(words: list[str]) -> None:
    rows: list[Row] = [[word, 0.1, n % 99 / 100, 0.2, 0.99, 1.0] for n, word in enumerate(words)]
    query = "pump of 東京都 " + " ".join(f"w{n}" for n in range(4000))
    started = time.perf_counter()
    assert len(boxes(query, rows)) <= MOST_BOXES
    assert time.perf_counter() - started < 10  # seconds; it is less than one


@pytest.mark.parametrize("kept", [b"[[broken", b"\xff", None])
def test_a_page_whose_words_cannot_be_read_is_found_without_marks(
    tmp_path: Path, kept: bytes | None
) -> None:
    store = PageStore(str(tmp_path))
    if kept is not None:
        store.put("ab" * 32, 1, b"jpeg", kept)
    point = Point("id", {"document": "ab" * 32, "number": 1, "text": "the pump leaks"})
    with ThreadPoolExecutor(1) as pool:
        engine = SimpleNamespace(store=store, pool=pool, encoders={})
        found = collect(engine, Query("pump"), [point], None)  # type: ignore[arg-type]
    assert found["id"].snippet == ("the pump leaks", ((4, 8),))
    assert found["id"].marks == ()
