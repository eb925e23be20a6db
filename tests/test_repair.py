"""Query images become like the page they were cut from, and stay as they are where they are."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mmsearch.screenshots.dewarp import dewarp
from mmsearch.screenshots.repair import Repaired, repair
from tests import builders

Frame = tuple[Image.Image, tuple[int, int, int, int]]
Colour = tuple[int, int, int]


def page_part(width: int = 700, height: int = 420) -> Image.Image:
    return builders.page_image(dpi=100).crop((40, 80, 40 + width, 80 + height))


def jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def chart() -> Image.Image:
    image = Image.new("RGB", (600, 400), (234, 239, 247))
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 40, 560, 340), fill="white")
    for step, colour in enumerate(("navy", "darkorange", "gray", "teal")):
        draw.rectangle((100 + 110 * step, 300 - 60 * step, 160 + 110 * step, 340), fill=colour)
        draw.text((110 + 110 * step, 350), f"Q{step + 1}", fill="black")
    draw.line((60, 330, 560, 60), fill="crimson", width=3)
    return image


def shaded_table() -> Image.Image:
    image = Image.new("RGB", (640, 300), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(13)
    for row in range(10):
        if row % 2 == 0:
            draw.rectangle((0, 30 * row, 640, 30 * row + 29), fill=(217, 217, 217))
        for column in range(4):
            draw.text((20 + 160 * column, 30 * row + 8), f"{row * 731} {column}", "black", font)
    return image


def night_photo() -> Image.Image:
    return builders.photo().point(lambda level: level * 0.25)


def dim_page() -> Image.Image:
    return page_part().point(lambda level: level * 0.3)


def page_on_navy() -> Image.Image:
    """A slide that is dark itself."""
    image = Image.new("RGB", (640, 360), (12, 24, 84))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(builders.LOREM[:8]):
        draw.text((40, 40 + 36 * number), line, fill="white", font=ImageFont.load_default(16))
    return image


def dark_panel() -> Image.Image:
    """A page with a black box of light text on it."""
    image = page_part()
    image.paste(ImageOps.invert(page_part(700, 240)), (0, 0))
    return image


UNTOUCHED = [
    page_part,
    lambda: page_part(210, 130),
    lambda: builders.page_image(dpi=60),
    lambda: builders.scanned(page_part()),
    builders.photo,
    builders.empty_sheet,
    chart,
    shaded_table,
    night_photo,
    dim_page,
    page_on_navy,
    dark_panel,
]


@pytest.mark.parametrize("draw", UNTOUCHED)
def test_what_needs_no_repair_stays_as_it_is(draw: Callable[[], Image.Image]) -> None:
    image = jpeg(draw())

    found = repair(image)

    assert found.steps == ()
    assert found.region == (0, 0, 1, 1)
    assert np.array_equal(found.image, image)


def viewer(
    page: Image.Image,
    *,
    bars: tuple[tuple[int, Colour], ...] = ((34, (222, 225, 230)), (52, (50, 54, 57))),
    back: Colour = (82, 86, 89),
    sides: tuple[int, int] = (70, 90),
    foot: int = 0,
    panel: int = 0,
    scroll_bar: int = 0,
    gap: int = 8,
) -> Frame:
    """A page in a viewer's window, and where it stands: left, top, right, bottom."""
    top = sum(high for high, _ in bars)
    left = panel + sides[0]
    wide = left + page.width + sides[1] + scroll_bar
    image = Image.new("RGB", (wide, top + gap + page.height + foot), back)
    draw = ImageDraw.Draw(image)
    y = 0
    for high, colour in bars:
        ink = (40, 40, 40) if sum(colour) > 380 else (230, 230, 230)
        draw.rectangle((0, y, wide, y + high - 1), fill=colour)
        draw.text((90, y + high / 2 - 6), "ledger.pdf", fill=ink)
        for x in range(200, wide - 30, 55):
            draw.ellipse((x, y + high / 2 - 6, x + 12, y + high / 2 + 6), outline=ink)
        y += high
    if panel:
        draw.rectangle((0, top, panel - 1, image.height), fill=(240, 240, 240))
        for number in range(3):
            image.paste(page.resize((panel // 2, 60)), (panel // 4, top + 20 + 90 * number))
    if scroll_bar:
        draw.rectangle((wide - scroll_bar, top, wide, image.height), fill=(241, 241, 241))
        draw.rectangle((wide - scroll_bar + 2, top + 30, wide - 3, top + 90), fill=(193, 193, 193))
    if foot:
        draw.rectangle((0, image.height - foot, wide, image.height), fill=(238, 244, 249))
        for x in range(100, wide - 100, 60):
            draw.rectangle((x, image.height - 28, x + 18, image.height - 10), fill=(0, 120, 212))
    image.paste(page, (left, top + gap))
    return image, (left, top + gap, left + page.width, top + gap + page.height)


def traffic_lights(image: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(image)
    for place, colour in enumerate(((255, 95, 87), (254, 188, 46), (40, 200, 64))):
        draw.ellipse((14 + 20 * place, 20, 26 + 20 * place, 32), fill=colour)
    return image


def mac_window() -> Frame:
    image, box = viewer(page_part(), bars=((52, (246, 246, 246)),), sides=(0, 0), gap=0)
    return traffic_lights(image), box


def phone() -> Frame:
    page = page_part(500, 600)
    image = Image.new("RGB", (500, 1000), "black")
    ImageDraw.Draw(image).text((30, 14), "10:42", fill="white")
    image.paste(page, (0, 190))
    return image, (0, 190, 500, 790)


def on_a_desktop() -> Frame:
    window, box = viewer(page_part())
    desk = builders.photo(window.width + 300, window.height + 200)
    desk.paste(window, (160, 90))
    return desk, (box[0] + 160, box[1] + 90, box[2] + 160, box[3] + 90)


FRAMES: dict[str, Callable[[], Frame]] = {
    "dark grey beside the page": lambda: viewer(page_part()),
    "light grey and a foot": lambda: viewer(page_part(), back=(230, 230, 230), foot=40),
    "nearly white": lambda: viewer(page_part(), back=(247, 247, 247)),
    "all dark": lambda: viewer(page_part(), bars=((46, (56, 56, 58)),), back=(30, 30, 30)),
    "thumbnails and a scroll bar": lambda: viewer(page_part(), panel=160, scroll_bar=16),
    "grey on the left only": lambda: viewer(
        page_part(), bars=((56, (50, 54, 57)),), sides=(90, 0), gap=0
    ),
    "no bars": lambda: viewer(page_part(), bars=(), gap=0),
    "a photo": lambda: viewer(builders.photo(), gap=0),
    "a dark page": lambda: viewer(ImageOps.invert(page_part())),
    "a window that the page fills": mac_window,
    "black bars of a phone": phone,
    "a window on a desktop": on_a_desktop,
}


@pytest.mark.parametrize("name", FRAMES)
def test_cuts_off_what_surrounds_the_page(name: str) -> None:
    image, box = FRAMES[name]()

    found = repair(jpeg(image))

    assert found.steps[0] == "window frame cut off"
    wide, high = image.size
    expected = (box[0] / wide, box[1] / high, box[2] / wide, box[3] / high)
    assert found.region == pytest.approx(expected, abs=0.01)
    assert found.image.width == pytest.approx(box[2] - box[0], abs=0.02 * wide)


def hue_rotated(image: Image.Image) -> Image.Image:
    """Inverted as browsers' dark modes do it: light and dark exchanged, hues kept."""
    hue, saturation, value = ImageOps.invert(image).convert("HSV").split()
    turned = hue.point(lambda level: (level + 128) % 256)
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def grey_on_grey(image: Image.Image) -> Image.Image:
    """Text of level 212 on a ground of level 30."""
    return image.point(lambda level: round(212 - level * 182 / 255))


@pytest.mark.parametrize("quality", [40, 90])
@pytest.mark.parametrize("darken", [ImageOps.invert, hue_rotated, grey_on_grey])
def test_inverts_light_text_on_dark(
    darken: Callable[[Image.Image], Image.Image], quality: int
) -> None:
    page = page_part(460, 260)

    found = repair(jpeg(darken(page), quality))

    assert found.steps == ("inverted",)
    difference = np.asarray(found.image, float) - np.asarray(page, float)
    assert np.abs(difference).mean() < 12


def test_a_dark_page_in_a_window_is_cut_out_and_inverted() -> None:
    image, _ = viewer(grey_on_grey(page_part()))

    found = repair(jpeg(image))

    assert found.steps == ("window frame cut off", "inverted")
    assert np.median(found.image) == 255


def steepness(found: Repaired) -> float:
    """By how many degrees the image was straightened."""
    (step,) = found.steps
    return float(step.removeprefix("straightened by ").removesuffix("°"))


@pytest.mark.parametrize("fill", ["white", (40, 40, 40)])
@pytest.mark.parametrize("angle", [-7.0, -0.8, 0.6, 2.5])
def test_straightens_lines_of_text(angle: float, fill: str | Colour) -> None:
    page = page_part(500, 300)
    askew = page.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)

    found = repair(jpeg(askew, 50))

    assert steepness(found) == pytest.approx(abs(angle), abs=0.2)
    assert not any("straightened" in step for step in repair(found.image).steps)


def test_straightens_a_screenshot_of_50_dpi() -> None:
    page = builders.page_image(dpi=50).crop((20, 30, 400, 250))
    askew = page.rotate(1.5, Image.Resampling.BICUBIC, expand=True, fillcolor="white")

    assert steepness(repair(jpeg(askew))) == pytest.approx(1.5, abs=0.4)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (30, 9000), (24, 24), (400, 300)])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_flat_images_of_any_shape_stay(size: tuple[int, int], level: int) -> None:
    found = repair(Image.new("L", size, level))

    assert found.steps == ()
    assert found.image.size == size
    assert found.image.mode == "RGB"
    assert found.image.getpixel((0, 0)) == (level,) * 3


def test_a_huge_flat_image_stays() -> None:
    image = Image.new("RGB", (20_000, 3000), (70, 70, 70))

    assert repair(image) == Repaired(image)


@pytest.mark.parametrize("size", [(25, 25), (26, 3000), (640, 480)])
def test_noise_stays(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3))

    assert repair(Image.fromarray(pixels.astype(np.uint8))).steps == ()


CORNERS = [(150.0, 190.0), (890.0, 130.0), (960.0, 1210.0), (90.0, 1120.0)]


def photographed(page: Image.Image, corners: list[tuple[float, float]] = CORNERS) -> Image.Image:
    """The page on a dark table, its corners where they are said to be, light from one side."""
    import cv2

    wide, high = page.size
    flat = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    view = cv2.getPerspectiveTransform(flat, np.array(corners, np.float32))
    size = (1050, 1350)
    seen = cv2.warpPerspective(np.asarray(page), view, size).astype(float)
    sheet = cv2.warpPerspective(np.ones((high, wide)), view, size)[..., None]
    table = np.random.default_rng(0).normal(60, 8, (size[1], size[0], 1))
    shade = np.linspace(1, 0.7, size[0])[None, :, None]
    pixels = (seen * sheet + table * (1 - sheet)) * shade
    return jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), 80)


def ink_box(image: Image.Image) -> tuple[float, ...]:
    """Left, top, right and bottom of what is black, in fractions."""
    rows, columns = np.nonzero(np.asarray(image.convert("L")) < 80)
    edges = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
    return tuple(edges / np.array([*image.size, *image.size]))


def test_makes_a_photographed_page_flat() -> None:
    page = builders.page_image(dpi=100)

    found = dewarp(photographed(page))

    assert found is not None
    assert ink_box(found) == pytest.approx(ink_box(page), abs=0.01)


@pytest.mark.parametrize(
    "draw",
    [page_part, chart, builders.empty_sheet, builders.photo, lambda: viewer(page_part())[0]],
)
def test_dewarps_nothing_but_a_bright_sheet_that_is_seen_whole(
    draw: Callable[[], Image.Image],
) -> None:
    assert dewarp(draw()) is None


def test_does_not_guess_the_corners_of_a_page_that_is_cut_off() -> None:
    corners = [(-80.0, 190.0), (890.0, 130.0), (960.0, 1210.0), (-90.0, 1120.0)]

    assert dewarp(photographed(page_part(), corners)) is None
