"""Recognising the text of page images."""

from __future__ import annotations

import subprocess

import pytest
from PIL import Image

from mmsearch import ocr
from mmsearch.errors import MissingExtra
from mmsearch.types import Box
from tests import builders

needs_tesseract = pytest.mark.skipif(
    not ocr.has_tesseract(), reason="Tesseract is not installed (apt install tesseract-ocr)"
)
ENGINES = [pytest.param("tesseract", marks=needs_tesseract), "rapidocr", "auto"]


def recall(expected: str, found: str) -> float:
    words = expected.lower().split()
    return sum(word in found.lower().split() for word in words) / len(words)


@pytest.mark.parametrize("engine", ENGINES)
def test_reads_a_clean_page(engine: ocr.Engine) -> None:
    found = ocr.recognise(builders.page_image(), engine=engine)
    assert recall(" ".join(builders.LOREM), found.text) >= 0.95
    assert found.text.split("\n")[1].startswith("and wrote their names")
    assert found.source == "ocr"
    assert found.confidence is not None
    assert 0.85 <= found.confidence <= 1


@pytest.mark.parametrize("engine", ENGINES)
def test_boxes_stand_where_the_words_are(engine: ocr.Engine) -> None:
    page = builders.page_image(["first", "", "", "", "alpha omega"])
    words = {word.text: word for word in ocr.recognise(page, engine=engine).words}
    left, top = 50 / builders.A4[0], (72 + 4 * 18) / builders.A4[1]
    box = words["alpha"].box
    assert box.x0 == pytest.approx(left, abs=0.01)
    assert box.y0 == pytest.approx(top, abs=0.01)
    assert box.y1 - box.y0 < 0.03
    assert box.x1 <= words["omega"].box.x0
    assert words["first"].box.y1 < box.y0
    assert all(0 <= side <= 1 for word in words.values() for side in word.box)


@pytest.mark.parametrize("engine", ["auto", "rapidocr"])
def test_columns_are_read_one_after_the_other(engine: ocr.Engine) -> None:
    left = [line[:38] for line in builders.LOREM]
    right = [line[-38:] for line in builders.LOREM[::-1]]
    found = ocr.recognise(builders.page_image(dpi=200, columns=[left, right]), engine=engine)
    assert found.text.index("Visitors") < found.text.index("collection")
    assert found.text.index("What could") < found.text.index("collection")
    assert found.text.index("collection") < found.text.index("down")


def test_nothing_to_read() -> None:
    for colour in ("white", "black", (90, 90, 200)):
        found = ocr.recognise(Image.new("RGB", (1240, 1754), colour))
        assert (found.text, found.words, found.source, found.confidence) == ("", (), "none", None)


def test_off_reads_nothing() -> None:
    assert ocr.recognise(builders.page_image(), engine="off").text == ""


@needs_tesseract
@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_on_its_side(turn: int) -> None:
    upright = builders.page_image()
    found = ocr.recognise(upright.rotate(turn, expand=True))
    assert recall(" ".join(builders.LOREM), found.text) >= 0.9
    lighthouse = next(word.box for word in found.words if word.text == "lighthouse")
    first = next(word.box for word in ocr.recognise(upright).words if word.text == "lighthouse")
    # PIL turns counter-clockwise
    expected = {
        90: (first.y0, 1 - first.x1),
        180: (1 - first.x1, 1 - first.y1),
        270: (1 - first.y1, first.x0),
    }[turn]
    assert lighthouse[:2] == pytest.approx(expected, abs=0.01)


@needs_tesseract
def test_auto_takes_rapidocr_where_tesseract_is_unsure() -> None:
    page = builders.page_image(dpi=100)
    blurred = page.resize((page.width // 2, page.height // 2)).resize(page.size)
    alone = ocr.recognise(blurred, engine="tesseract")
    auto = ocr.recognise(blurred, engine="auto")
    expected = " ".join(builders.LOREM)
    assert recall(expected, auto.text) >= max(0.8, recall(expected, alone.text))


@needs_tesseract
def test_unknown_language_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"'tlh'.*tesseract-ocr-LANGUAGE"):
        ocr.recognise(builders.page_image(), engine="tesseract", languages="tlh")


def test_a_slow_tesseract_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def never_ends(*args: object, **options: float) -> None:
        raise subprocess.TimeoutExpired("tesseract", options["timeout"])

    monkeypatch.setattr(ocr, "has_tesseract", lambda: True)
    monkeypatch.setattr(ocr.subprocess, "run", never_ends)
    with pytest.raises(ocr.LimitExceeded, match="longer than 5 s"):
        ocr.recognise(builders.page_image(), engine="tesseract", timeout=5)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["an exam-", "ple of it"], "an example\nof it"),
        (["soft\u00ad", "ware"], "software"),
        (["state-", "of-the-art model"], "state-of-the-art\nmodel"),
        (["the 1,500-", "foot strip"], "the 1,500-foot\nstrip"),
        (["Anglo-", "Saxon"], "Anglo-Saxon"),
        (["  one ", "", "two"], "one\ntwo"),
        (["a dash -", "goes on"], "a dash -\ngoes on"),
        ([], ""),
    ],
)
def test_join_lines(lines: list[str], text: str) -> None:
    assert ocr.join_lines(lines) == text


def test_reading_order_of_a_heading_over_two_columns() -> None:
    heading = Box(0.1, 0.0, 0.9, 0.04)
    left = [Box(0.1, 0.1 + row / 20, 0.45, 0.13 + row / 20) for row in range(5)]
    right = [Box(0.55, 0.1 + row / 20, 0.9, 0.13 + row / 20) for row in range(5)]
    shuffled = [*right, *left, heading]
    assert [shuffled[index] for index in ocr.reading_order(shuffled)] == [heading, *left, *right]


def test_reading_order_of_a_table_is_by_rows() -> None:
    cells = [
        Box(x, row / 20, x + 0.08, row / 20 + 0.03) for row in range(6) for x in (0.1, 0.5, 0.8)
    ]
    backwards = cells[::-1]
    assert [backwards[index] for index in ocr.reading_order(backwards)] == cells


def test_split_line_shares_the_box_out() -> None:
    first, second = ocr.split_line("mm ii", Box(0.0, 0.1, 1.0, 0.2), 0.9)
    assert (first.text, second.text) == ("mm", "ii")
    assert first.box.x0 == 0
    assert second.box.x1 == pytest.approx(1)
    assert first.box.x1 < second.box.x0
    assert first.box.x1 - first.box.x0 > second.box.x1 - second.box.x0  # m is wider than i
