"""A screenshot is known again on its own page, and on no page that only looks alike."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mmsearch.screenshots.selftest import iou
from mmsearch.screenshots.verification import Pose, verify
from mmsearch.types import Box
from tests.builders import A4, LOREM, page_image, photo

DPI = 130
SPOT = Box(0.07, 0.2, 0.8, 0.5)


def form(seed: int) -> Image.Image:
    """A page with a table: the same form for every seed, other numbers."""
    inch, chance = DPI / 72, random.Random(seed)
    image = Image.new("RGB", (round(A4[0] * inch), round(A4[1] * inch)), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(round(11 * inch))
    for row in range(30):
        y = (60 + 22 * row) * inch
        draw.text((50 * inch, y), LOREM[row % 12][:26], fill="black", font=font)
        for column in range(4):
            number = f"{chance.randint(1000, 9999):,}"
            draw.text(((250 + 70 * column) * inch, y), number, fill="black", font=font)
        draw.line((50 * inch, y + 17 * inch, 540 * inch, y + 17 * inch), fill=(170, 170, 170))
    return image


FORM, OTHER = form(1), form(2)


def cut(page: Image.Image, box: Box = SPOT, scale: float = 0.8) -> Image.Image:
    """What a screenshot of this box shows, shrunk."""
    width, height = page.size
    pixels = (box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height)
    part = page.crop(tuple(round(value) for value in pixels))
    return part.resize((round(part.width * scale), round(part.height * scale)))


def grey(image: Image.Image, quality: int = 60) -> NDArray[np.uint8]:
    """The image after a JPEG, as the search compares it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("L"), np.uint8)


def pose(box: Box = SPOT, *, inverted: bool = False) -> Pose:
    """A pose as votes give it: 3 % too large, 8 px too far to the left."""
    return Pose(1.03 * (box.x1 - box.x0), box.x0 - 0.007, box.y0 - 0.005, inverted)


@pytest.mark.parametrize("scale", [0.45, 0.8, 1.3])
def test_a_crop_is_found_to_the_pixel(scale: float) -> None:
    match = verify(grey(cut(FORM, scale=scale)), grey(FORM, 85), pose())
    assert match is not None
    assert iou(match.box, SPOT) > 0.97
    assert match.agreement > 0.97
    assert match.inliers > 20


def test_a_page_of_running_text_is_found() -> None:
    page = page_image(LOREM, dpi=DPI)
    box = Box(0.1, 0.08, 0.7, 0.25)
    match = verify(grey(cut(page, box)), grey(page, 85), pose(box))
    assert match is not None
    assert iou(match.box, box) > 0.97


@pytest.mark.parametrize("scale", [0.75, 1.0])
def test_the_same_form_with_other_numbers_is_another_page(scale: float) -> None:
    assert verify(grey(cut(FORM, scale=scale)), grey(OTHER, 85), pose()) is None


def test_one_number_that_differs_is_another_page() -> None:
    changed = FORM.copy()
    inch = DPI / 72
    cell = tuple(round(value * inch) for value in (318, 302, 366, 318))  # row 12, column 2
    changed.paste(OTHER.crop(cell), cell)
    assert verify(grey(cut(FORM)), grey(FORM, 85), pose()) is not None
    assert verify(grey(cut(FORM)), grey(changed, 85), pose()) is None


def test_on_a_whole_page_one_number_that_differs_is_seen_as_well() -> None:
    changed = FORM.copy()
    inch = DPI / 72
    cell = tuple(round(value * inch) for value in (318, 302, 366, 318))
    changed.paste(OTHER.crop(cell), cell)
    whole = Box(0, 0, 1, 1)
    shot = FORM.resize((round(FORM.width * 0.8), round(FORM.height * 0.8)))
    assert verify(grey(shot), grey(FORM, 85), pose(whole)) is not None
    assert verify(grey(shot), grey(changed, 85), pose(whole)) is None


def test_another_part_of_the_page_is_not_the_spot() -> None:
    wrong = SPOT._replace(y0=SPOT.y0 + 0.15, y1=SPOT.y1 + 0.15)
    assert verify(grey(cut(FORM)), grey(FORM, 85), pose(wrong)) is None


def test_a_dark_screenshot_is_found_where_the_pose_says_so() -> None:
    dark, page = grey(ImageOps.invert(cut(FORM))), grey(FORM, 85)
    match = verify(dark, page, pose(inverted=True))
    assert match is not None
    assert match.inverted
    assert iou(match.box, SPOT) > 0.97
    assert verify(dark, page, pose()) is None


@pytest.mark.parametrize("frame", [(82, 86, 89), (204, 204, 204)])
def test_the_frame_of_a_window_is_left_out_of_the_box(frame: tuple[int, int, int]) -> None:
    shown = cut(FORM)
    window = Image.new("RGB", (shown.width + 60, shown.height + 70), frame)
    window.paste(shown, (30, 50))
    ImageDraw.Draw(window).text((60, 10), "report.pdf - Page 7", fill="black")
    width, height = SPOT.x1 - SPOT.x0, SPOT.y1 - SPOT.y0
    x = SPOT.x0 - 30 / shown.width * width
    y = SPOT.y0 - 50 / shown.height * height
    around = Pose(width * window.width / shown.width, x, y)
    match = verify(grey(window), grey(FORM, 85), around)
    assert match is not None
    assert iou(match.box, SPOT) > 0.95
    assert verify(grey(window), grey(OTHER, 85), around) is None


def test_other_words_on_a_coloured_row_are_no_frame() -> None:
    changed = FORM.copy()
    width, height = FORM.size
    row = (0, round(0.48 * height), width, round(0.56 * height))
    ImageDraw.Draw(changed).rectangle(row, fill=(225, 225, 225))
    assert verify(grey(cut(FORM)), grey(changed, 85), pose()) is None


@pytest.mark.parametrize("angle", [-2.5, 1.0])
@pytest.mark.parametrize("fill", ["white", (40, 40, 40)])
def test_a_turned_screenshot_is_found_without_its_wedges(
    angle: float, fill: str | tuple[int, int, int]
) -> None:
    shown = cut(FORM)
    turned = shown.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    width = (SPOT.x1 - SPOT.x0) * turned.width / shown.width
    height = (SPOT.y1 - SPOT.y0) * turned.height / shown.height
    x, y = (SPOT.x0 + SPOT.x1 - width) / 2, (SPOT.y0 + SPOT.y1 - height) / 2
    match = verify(grey(turned), grey(FORM, 85), Pose(width, x, y))
    assert match is not None
    assert iou(match.box, SPOT) > 0.95


def test_photos_and_noise_are_on_no_page() -> None:
    page, chance = grey(FORM, 85), np.random.default_rng(1)
    noise = chance.integers(0, 256, (200, 300)).astype(np.uint8)
    for shot in (noise, grey(photo(400, 300))):
        for _ in range(3):
            place = Pose(*chance.uniform((0.2, -0.1, -0.1), (0.9, 0.5, 0.5)))
            assert verify(shot, page, place) is None


FLAT = np.full((80, 120), 90, np.uint8)


@pytest.mark.parametrize("shot", [FLAT, FLAT[:1, :1], FLAT[:3], np.eye(64, dtype=np.uint8) * 255])
@pytest.mark.parametrize(
    "place",
    [
        pose(),
        Pose(0.0, 0.0, 0.0),
        Pose(-1.0, 0.0, 0.0),
        Pose(1e9, 0.0, 0.0),
        Pose(0.5, 40.0, -40.0),
        Pose(float("nan"), float("inf"), 0.0),
        Pose(0.5, float("nan"), 0.0),
    ],
)
def test_nothing_to_compare_is_no_match(shot: NDArray[np.uint8], place: Pose) -> None:
    page = grey(FORM, 85)
    assert verify(shot, page, place) is None
    assert verify(shot, FLAT, place) is None
    assert verify(grey(cut(FORM)), shot, place) is None


def grid(*, bold: bool) -> Image.Image:
    """Letters in the cells of a table, each at the same place in both weights."""
    inch = DPI / 72
    image = Image.new("RGB", (round(A4[0] * inch), round(A4[1] * inch)), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(round(12 * inch))
    cell = 32 * inch
    for row in range(20):
        for column in range(14):
            x, y = (50 * inch + column * cell, 60 * inch + row * cell)
            draw.rectangle((x, y, x + cell, y + cell), outline="black", width=2)
            letter = chr(65 + (row * 14 + column) % 58)
            width = 1 if bold else 0
            draw.text(
                (x + 10 * inch, y + 8 * inch), letter, fill="black", font=font, stroke_width=width
            )
    return image


def test_bold_letters_are_not_regular_ones() -> None:
    regular, bold = grid(bold=False), grid(bold=True)
    assert verify(grey(cut(bold)), grey(bold, 85), pose()) is not None
    assert verify(grey(cut(bold)), grey(regular, 85), pose()) is None
    assert verify(grey(cut(regular)), grey(bold, 85), pose()) is None


def test_words_beside_a_sheet_on_the_same_paper_are_of_a_larger_one() -> None:
    whole = FORM
    part = Box(0.3, 0.1, 1.0, 0.9)
    sheet = cut(whole, part, 1.0)  # a smaller page that shows a part of the first
    wide = Box(0.05, 0.2, 0.8, 0.5)
    place = Pose(
        (wide.x1 - wide.x0) / (part.x1 - part.x0),
        (wide.x0 - part.x0) / (part.x1 - part.x0),
        (wide.y0 - part.y0) / (part.y1 - part.y0),
    )
    assert verify(grey(cut(whole, wide)), grey(sheet, 85), place) is None
    inside = Box(0.35, 0.2, 0.8, 0.5)
    place = Pose(
        (inside.x1 - inside.x0) / (part.x1 - part.x0),
        (inside.x0 - part.x0) / (part.x1 - part.x0),
        (inside.y0 - part.y0) / (part.y1 - part.y0),
    )
    assert verify(grey(cut(whole, inside)), grey(sheet, 85), place) is not None
