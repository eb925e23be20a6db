"""Pages whose text is recognised: blank ones, turned ones, what is kept."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.scans import finished
from mmsearch.config import Settings
from mmsearch.images import page_picture, picture_size
from mmsearch.types import Page, PageText
from tests import builders

READ = Settings()
RAPIDOCR = Settings(ocr="rapidocr")
NO_OCR = Settings(ocr="off")
PIXELS = 400_000


def page_of(image: Image.Image, text: PageText | None = None) -> Page:
    """A page as readers hand it on."""
    return Page(3, *page_picture(image, PIXELS), text or PageText(), unread=image)


def marked(text: str, grey: int, *, size: int = 10) -> Image.Image:
    """A sheet with nothing on it but a few letters in its middle."""
    sheet = builders.empty_sheet()
    font = ImageFont.load_default(round(size * 150 / 72))
    ImageDraw.Draw(sheet).text((400, 800), text, fill=(grey, grey, grey), font=font)
    return sheet


@pytest.mark.parametrize(
    "sheet",
    [
        builders.empty_sheet(),
        builders.scanned(Image.new("RGB", (1240, 1754), "white"), noise=10),
        Image.new("RGB", (1240, 1754), "white"),
    ],
    ids=["holes and shadows", "noise", "white"],
)
def test_a_page_without_ink_is_blank(sheet: Image.Image) -> None:
    for settings in (READ, NO_OCR):
        page = finished(page_of(sheet), settings, PIXELS)
        assert page.blank
        assert (page.text.text, page.unread, page.warning) == ("", None, "")


def test_what_shows_through_from_the_other_side_is_blank() -> None:
    sheet = builders.empty_sheet(through=builders.page_image(builders.LOREM[:3]))
    assert finished(page_of(sheet), RAPIDOCR, PIXELS).blank


def test_hardly_anything_is_not_blank() -> None:
    for sheet in (marked("7", 40), marked("see page 4", 200, size=12), marked("Total: 12", 30)):
        assert not finished(page_of(sheet), NO_OCR, PIXELS).blank
    page = finished(page_of(marked("Total: 12", 30)), READ, PIXELS)
    assert page.text.text == "Total: 12"
    assert not page.blank


def test_faint_pencil_is_not_blank() -> None:
    sheet = builders.empty_sheet()
    curve = [(300 + 6 * step, 800 + (step * 37) % 29) for step in range(60)]
    ImageDraw.Draw(sheet).line(curve, fill=(200, 200, 200), width=2)
    assert not finished(page_of(sheet), RAPIDOCR, PIXELS).blank


def test_a_picture_without_edges_is_not_blank() -> None:
    sky = Image.linear_gradient("L").resize((600, 400))
    assert not finished(page_of(sky.convert("RGB")), READ, PIXELS).blank


def test_a_turned_page_gets_an_upright_picture() -> None:
    upright = builders.page_image(builders.LOREM[:6])
    page = finished(page_of(upright.rotate(90, expand=True)), READ, PIXELS)
    assert (page.width, page.height) == picture_size(*upright.size, max_pixels=PIXELS)
    with Image.open(io.BytesIO(page.picture)) as picture:
        assert picture.size == (page.width, page.height)
        expected = page_picture(upright, PIXELS)[0]
        with Image.open(io.BytesIO(expected)) as other:
            assert picture.tobytes() == other.tobytes()
    assert page.text.text.startswith("The lighthouse keeper")
    assert page.number == 3


def test_a_level_page_keeps_its_picture() -> None:
    before = page_of(builders.page_image(builders.LOREM[:6]))
    after = finished(before, READ, PIXELS)
    assert after.picture == before.picture
    assert after.text.source == "ocr"


def test_a_photo_keeps_its_picture() -> None:
    before = page_of(builders.photo())
    after = finished(before, READ, PIXELS)
    assert after == replace(before, unread=None)


def test_a_layer_that_says_more_is_kept() -> None:
    layer = PageText("\n".join(builders.LOREM), "layer")
    before = page_of(builders.page_image(["only this"]).rotate(180), layer)
    after = finished(before, READ, PIXELS)
    assert after.text == layer
    assert after.picture == before.picture


def test_without_ocr_a_page_stays_as_it_is() -> None:
    before = page_of(builders.page_image(["a line"]))
    assert finished(before, NO_OCR, PIXELS) == replace(before, unread=None)
    assert finished(replace(before, unread=None), READ, PIXELS) == replace(before, unread=None)
