"""Pages of other scripts, and upside down, in an English scan are found by their words."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.ocr import tesseract
from tests import builders
from tests.test_ocr import ARABIC, JAPANESE, font_of


@pytest.mark.skipif("osd" not in tesseract.installed(), reason="needs tesseract-ocr-osd")
def test_every_page_is_found_by_its_words_or_named(tmp_path: Path) -> None:
    pages = [
        builders.page_image(dpi=200),
        builders.script_image(ARABIC, font_of("NotoNaskhArabic-Regular.ttf"), rtl=True),
        builders.script_image(JAPANESE, font_of("NotoSansCJK-Regular.ttc")),
        builders.page_image(["the pump seal leaks at the bridge"] * 12, dpi=200).rotate(180),
    ]
    builders.write_scan_pdf(tmp_path / "mixed.pdf", pages, dpi=200)
    with mmsearch.open(tmp_path / "index", settings=Settings()) as engine:
        (result,) = ingest.run([tmp_path / "mixed.pdf"], engine).results
        assert result.status == "done"
        for query, page in (("lighthouse", 1), ("七隻の船", 3), ("pump seal", 4)):
            assert engine.search(query, views=["lexical"])[0].page == page, query
        upright = Image.open(io.BytesIO(engine.store.picture(result.document, 4))).convert("L")
        top = upright.crop((0, 0, upright.width, upright.height // 2))
        assert top.getextrema()[0] < 100  # the words stand at the top again
        if "ara" in tesseract.installed():
            assert engine.search("المنارة", views=["lexical"])[0].page == 2
            assert result.failed_pages == {}
        else:
            missing = {2: "unsupported script Arabic; apt install tesseract-ocr-ara"}
            assert result.failed_pages == missing
