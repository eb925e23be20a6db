"""Recognising the text of page images."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from mmsearch import ocr
from mmsearch.errors import LimitExceeded, MissingExtra
from mmsearch.ocr import ink, layout, scripts, tesseract, tesseract_library, upright
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


@pytest.mark.parametrize(
    ("engine", "turn"),
    [
        ("auto", 90),
        ("auto", 180),
        ("auto", 270),
        pytest.param("tesseract", 180, marks=needs_tesseract),
        ("rapidocr", 90),
        ("rapidocr", 180),
    ],
)
def test_a_page_that_lies_otherwise_is_turned(engine: ocr.Engine, turn: int) -> None:
    lines = builders.LOREM[:6]
    upright = builders.page_image(lines)
    turned = upright.rotate(turn, expand=True)  # counter-clockwise
    found = ocr.read_page(turned, engine=engine)
    assert found.turn == turn
    assert recall(" ".join(lines), found.text.text) >= 0.95
    assert found.image.size == upright.size
    assert ImageChops.difference(found.image, upright).getbbox() is None
    assert found.text.text.startswith("The lighthouse")
    lighthouse = next(word.box for word in found.text.words if word.text == "lighthouse")
    assert lighthouse.y0 == pytest.approx(72 / builders.A4[1], abs=0.01)


@pytest.mark.parametrize("skew", [-3.0, 3.0])
def test_a_skewed_page_is_levelled(skew: float) -> None:
    page = builders.scanned(builders.page_image(), skew=skew)
    found = ocr.read_page(page)
    assert found.skew == pytest.approx(skew, abs=0.1)
    assert recall(" ".join(builders.LOREM), found.text.text) >= 0.95
    assert abs(upright.lines_of(ink.find(found.image)).skew) <= 0.1
    words = {word.text: word.box for word in found.text.words}
    first, last = words["lighthouse"], words["evening"]  # of one line
    assert first.y0 == pytest.approx(last.y0, abs=0.004)
    assert covers_its_ink(found.image, words["lighthouse"])


def covers_its_ink(image: Image.Image, box: Box) -> bool:
    """Whether the box holds a word and nothing is left beside it in its line."""
    grey = np.asarray(image.convert("L"), np.float32)
    height, width = grey.shape
    x0, y0 = int(box.x0 * width), int(box.y0 * height)
    x1, y1 = round(box.x1 * width), round(box.y1 * height)
    inside = (grey[y0:y1, x0:x1] < 140).mean()
    above = (grey[y0 - 6 : y0 - 2, x0:x1] < 140).mean()
    return bool(inside > 0.08 and above < 0.01)


def test_small_skew_is_left_alone() -> None:
    page = builders.page_image()
    assert ocr.read_page(page).image is page


def test_a_photo_is_not_turned() -> None:
    photo = builders.photo()
    for turned in (photo, photo.rotate(90, expand=True)):
        found = ocr.read_page(turned)
        assert found.image is turned
        assert (found.turn, found.text.text, found.warning) == (0, "", "")


def test_lines_run_as_they_are_turned() -> None:
    page = builders.page_image()
    for turn in (0, 90, 180, 270):
        for skew in (0.0, -7.5, 1.2):
            turned = page.rotate(turn, expand=True)
            turned = turned.rotate(-skew, Image.Resampling.BICUBIC, True, fillcolor="white")
            lines = upright.lines_of(ink.find(turned))
            assert lines.vertical == (turn in (90, 270))
            assert lines.skew == pytest.approx(skew, abs=0.1)


ARABIC = (
    "اللغة العربية من أكثر اللغات انتشارا في العالم",
    "يتحدث بها الناس في بلاد كثيرة من الشرق والغرب",
    "كتب حارس المنارة أسماء السفن في دفتر قديم",
    "وسأل مكتب الميناء عن أرقام السنة الماضية",
    "جفت الأوراق بين السلالم مثل الغسيل على الحبل",
    "ونظرت الطيور من خلال النوافذ المكسورة ليلا ونهارا",
)
JAPANESE = (
    "灯台守は夕霧が降りる前に七隻の船を数えた。",
    "そして船の名前を帳簿に書き留めた。",
    "港の事務所からの手紙は去年の数字を求めていた。",
    "誰も合計を確かめたことはなかった。",
    "それでも検査官は毎年冬になるとやって来た。",
)


def font_of(name: str) -> str:
    """Path of an installed font, by its file name."""
    found = sorted(Path("/usr/share/fonts").rglob(name))
    if not found:
        pytest.skip(f"{name} is not installed (apt install fonts-noto-core fonts-noto-cjk)")
    return str(found[0])


@needs_tesseract
@pytest.mark.parametrize("turn", [0, 180])
def test_an_arabic_page_is_read_or_says_what_to_install(turn: int) -> None:
    font = font_of("NotoNaskhArabic-Regular.ttf")
    page = builders.script_image(ARABIC, font, rtl=True).rotate(turn)
    if "osd" not in tesseract.installed():
        pytest.skip("Tesseract detects no scripts (apt install tesseract-ocr-osd)")
    found = ocr.read_page(page)
    assert found.turn == turn
    if "ara" in tesseract.installed():
        assert recall(" ".join(ARABIC), found.text.text) >= 0.7
        assert found.warning == ""
    else:
        assert found.warning == "unsupported script Arabic; apt install tesseract-ocr-ara"


@needs_tesseract
def test_a_script_that_no_engine_may_read_is_named() -> None:
    if "osd" not in tesseract.installed():
        pytest.skip("Tesseract detects no scripts (apt install tesseract-ocr-osd)")
    page = builders.script_image(ARABIC, font_of("NotoNaskhArabic-Regular.ttf"), rtl=True)
    found = ocr.read_page(page, languages="eng")
    assert found.warning == "unsupported script Arabic; apt install tesseract-ocr-ara"
    assert (found.text.confidence or 0.0) < 0.5


@pytest.mark.parametrize("engine", ["auto", "rapidocr"])
def test_a_japanese_page_is_read(engine: ocr.Engine) -> None:
    page = builders.script_image(JAPANESE, font_of("NotoSansCJK-Regular.ttc"))
    found = ocr.read_page(page, engine=engine)
    expected = "".join(JAPANESE)
    assert sum(letter in found.text.text for letter in expected) >= 0.95 * len(expected)
    assert "七隻の船" in found.text.text
    assert found.warning == ""


def test_unread_lines_make_a_page_unsure() -> None:
    font = font_of("NotoNaskhArabic-Regular.ttf")
    half = builders.script_image(["Report 2024 of the harbour office", *ARABIC], font)
    found = ocr.read_page(half, engine="rapidocr")
    assert "2024" in found.text.text
    assert (found.text.confidence or 0.0) < 0.5
    assert "script" in found.warning


@pytest.mark.parametrize(
    ("codes", "script", "fitting"),
    [
        (("eng", "ara", "fas"), "Arabic", "ara+fas"),
        (("eng", "jpn", "jpn_vert"), "Japanese", "jpn"),
        (("eng", "rus", "script/Cyrillic"), "Cyrillic", "script/Cyrillic"),
        (("eng", "script/HanS"), "Han", "script/HanS"),
        (("eng", "deu", "fra", "spa"), "Latin", "eng+deu+fra"),
        (("eng", "xyz"), "Thai", ""),
    ],
)
def test_languages_of_a_script(codes: tuple[str, ...], script: str, fitting: str) -> None:
    assert scripts.codes_for(script, codes) == fitting


def test_packages_are_named_as_debian_names_them() -> None:
    assert scripts.package("Han") == "tesseract-ocr-chi-sim"
    assert scripts.package("Cyrillic") == "tesseract-ocr-rus"


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
    with pytest.raises(MissingExtra, match=r"'tlh'; apt install tesseract-ocr-tlh"):
        ocr.recognise(builders.page_image(), engine="tesseract", languages="tlh")


@needs_tesseract
def test_tesseract_reads_the_same_in_this_process_and_as_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not tesseract_library.is_installed():
        pytest.skip("no wheel of tesserocr for this machine")
    page = builders.page_image()
    inside = tesseract.read(page, "eng", 60)
    assert tesseract.read(page, "eng", 60) == inside  # nothing is kept of the page before
    monkeypatch.setattr(tesseract_library, "is_installed", lambda: False)
    outside = tesseract.read(page, "eng", 60)
    assert [line.text for line in inside.lines] == [line.text for line in outside.lines]
    assert inside.confidence == pytest.approx(outside.confidence, abs=0.02)
    for one, other in zip(inside.lines, outside.lines, strict=True):
        assert one.box == pytest.approx(other.box, abs=0.002)


@needs_tesseract
@pytest.mark.parametrize("in_process", [True, False])
def test_what_stops_tesseract_is_said(monkeypatch: pytest.MonkeyPatch, in_process: bool) -> None:
    there = in_process and tesseract_library.is_installed()
    monkeypatch.setattr(tesseract_library, "is_installed", lambda: there)
    with pytest.raises(LimitExceeded, match=r"longer than 0.01 s for a page; set ocr=rapidocr"):
        tesseract.read(builders.page_image(), "eng", 0.01)
    with pytest.raises(MissingExtra, match=r"'tlh'.*; apt install tesseract-ocr-LANGUAGE"):
        tesseract.read(builders.page_image(), "tlh", 60)
    with pytest.raises(LimitExceeded, match=r"at most 32,767 pixels a side; set ocr=rapidocr"):
        tesseract.read(Image.new("L", (32_768, 20), 255), "eng", 60)
    assert tesseract.read(builders.page_image(), "eng", 60).lines


@needs_tesseract
def test_a_library_that_does_not_load_leaves_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tesserocr", None)  # importing it is an ImportError
    tesseract_library.is_installed.cache_clear()
    try:
        assert tesseract.read(builders.page_image(), "eng", 60).lines
    finally:
        tesseract_library.is_installed.cache_clear()


@needs_tesseract
def test_a_slow_tesseract_is_cut_off() -> None:
    with pytest.raises(LimitExceeded, match=r"longer than 0\.01 s"):
        ocr.recognise(builders.page_image(), engine="tesseract", timeout=0.01)


@needs_tesseract
def test_auto_goes_on_without_a_slow_tesseract() -> None:
    lines = builders.LOREM[:3]
    found = ocr.recognise(builders.page_image(lines), timeout=0.01)
    assert recall(" ".join(lines), found.text) >= 0.95


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
    assert layout.join_lines(lines) == text


def test_reading_order_of_a_heading_over_two_columns() -> None:
    heading = Box(0.1, 0.0, 0.9, 0.04)
    left = [Box(0.1, 0.1 + row / 20, 0.45, 0.13 + row / 20) for row in range(5)]
    right = [Box(0.55, 0.1 + row / 20, 0.9, 0.13 + row / 20) for row in range(5)]
    shuffled = [*right, *left, heading]
    assert [shuffled[index] for index in layout.reading_order(shuffled)] == [heading, *left, *right]


def test_reading_order_of_a_table_is_by_rows() -> None:
    cells = [
        Box(x, row / 20, x + 0.08, row / 20 + 0.03) for row in range(6) for x in (0.1, 0.5, 0.8)
    ]
    backwards = cells[::-1]
    assert [backwards[index] for index in layout.reading_order(backwards)] == cells


def test_split_line_shares_the_box_out() -> None:
    first, second = layout.split_line("mm ii", Box(0.0, 0.1, 1.0, 0.2), 0.9)
    assert (first.text, second.text) == ("mm", "ii")
    assert first.box.x0 == 0
    assert second.box.x1 == pytest.approx(1)
    assert first.box.x1 < second.box.x0
    assert first.box.x1 - first.box.x0 > second.box.x1 - second.box.x0  # m is wider than i
