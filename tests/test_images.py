"""Opening untrusted images and making page pictures."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsearch import images
from mmsearch.errors import LimitExceeded, UnreadableFile
from tests import builders


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "AVIF"])
def test_common_formats_open_as_rgb(form: str) -> None:
    red = Image.new("RGB", (64, 48), (200, 30, 30))
    opened = images.open_image(encoded(red, form))
    assert (opened.mode, opened.size) == ("RGB", (64, 48))
    assert np.abs(np.asarray(opened)[24, 32].astype(int) - (200, 30, 30)).max() < 20


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 120, (120, 120, 120)),
        ("LA", (0, 0), (255, 255, 255)),  # transparent black lies on white paper
        ("RGBA", (0, 0, 255, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 255, 255), (0, 0, 255)),
        ("P", 0, (0, 0, 0)),
    ],
)
def test_modes(mode: str, colour: object, seen: tuple[int, int, int]) -> None:
    opened = images.open_image(encoded(Image.new(mode, (8, 8), colour), "PNG"))
    assert opened.getpixel((4, 4)) == seen


def test_cmyk_jpeg_keeps_white_white() -> None:
    opened = images.open_image(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"))
    assert min(opened.getpixel((4, 4))) > 250


def test_twelve_bit_grey_is_not_black() -> None:
    grey = np.full((8, 8), 2048, np.uint16)
    grey[0, 0] = 4095
    opened = images.open_image(encoded(Image.fromarray(grey), "TIFF"))
    assert opened.getpixel((4, 4))[0] == pytest.approx(128, abs=1)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    upright = Image.new("RGB", (60, 100), "white")
    upright.paste("black", (0, 0, 60, 20))  # a dark top edge
    opened = images.open_image(builders.write_turned_jpeg(tmp_path / "phone.jpg", upright))
    assert opened.size == (60, 100)
    assert opened.getpixel((30, 5))[0] < 50
    assert opened.getpixel((30, 95))[0] > 200


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and then has no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"


@pytest.mark.parametrize("side", [15_000, 100_000])
def test_pixel_limit_holds_before_decoding(side: int) -> None:
    with pytest.raises(LimitExceeded, match="limit"):
        images.open_image(png_header(side, side))


def test_pixel_limit_is_a_setting() -> None:
    png = encoded(Image.new("L", (100, 100)), "PNG")
    with pytest.raises(LimitExceeded, match="100 x 100"):
        images.open_image(png, max_pixels=9_999)
    assert images.open_image(png, max_pixels=10_000).size == (100, 100)


def test_cut_short_file_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    builders.page_image().save(path)
    builders.cut_short(path)
    with pytest.raises(UnreadableFile, match=r"^half\.jpg: damaged or cut short") as caught:
        images.open_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "cause"), [(b"", "is empty"), (b"no image at all", "not an image")]
)
def test_what_is_no_image(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=cause):
        images.open_image(path)
    with pytest.raises(UnreadableFile, match=cause):
        images.open_image(content)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        images.open_image(tmp_path / "none.png")
    with pytest.raises(UnreadableFile, match="not a regular file"):
        images.open_image(tmp_path)


def test_postscript_is_never_run() -> None:
    with pytest.raises(UnreadableFile, match="not an image"):
        images.open_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")


def test_rare_formats_open_in_readers_only(tmp_path: Path) -> None:
    path = tmp_path / "old.tga"
    Image.new("RGB", (20, 10), "red").save(path)
    with images.open_frames(path) as frames:
        assert frames.image(0).size == (20, 10)
    with pytest.raises(UnreadableFile):
        images.open_image(path)


def test_every_tiff_page_is_a_frame(tmp_path: Path) -> None:
    pages = [Image.new("L", (100 + number, 50), 255) for number in range(3)]
    with images.open_frames(builders.write_tiff(tmp_path / "fax.tif", pages)) as frames:
        assert len(frames) == 3
        assert [frames.image(index).width for index in (2, 0, 1)] == [102, 100, 101]
        assert frames.dpi(1) == 150


def test_an_animation_is_one_page(tmp_path: Path) -> None:
    first, second = Image.new("L", (9, 9), 0), Image.new("L", (9, 9), 255)
    path = tmp_path / "blink.gif"
    first.save(path, save_all=True, append_images=[second])
    with images.open_frames(path) as frames:
        assert len(frames) == 1
        assert frames.image(0).getpixel((4, 4)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("size", "picture"),
    [
        ((595, 842), (608, 832)),  # the official rule's own answers
        ((1920, 1080), (1792, 992)),
        ((1280, 720), (1280, 704)),
        ((1240, 1754), (1120, 1600)),
        ((1, 1), (64, 64)),
        ((20, 100_000), (32, 6400)),
    ],
)
def test_picture_size(size: tuple[int, int], picture: tuple[int, int]) -> None:
    assert images.picture_size(*size) == picture


@pytest.mark.parametrize("size", [(5000, 7000), (33, 9000), (1_000_000, 3), (1343, 1372)])
def test_picture_size_keeps_budget_and_factor(size: tuple[int, int]) -> None:
    width, height = images.picture_size(*size)
    assert width * height <= images.PICTURE_PIXELS
    assert width % 32 == height % 32 == 0
    assert max(width, height) <= 200 * min(width, height)


def test_page_picture_is_deterministic_and_full_colour() -> None:
    page = builders.page_image(dpi=200)
    jpeg, width, height = images.page_picture(page)
    assert (jpeg, width, height) == images.page_picture(page)
    opened = Image.open(io.BytesIO(jpeg))
    assert opened.size == (width, height) == images.picture_size(*page.size)
    assert {part[1:3] for part in opened.layer} == {(1, 1)}  # chroma at full resolution: 4:4:4


def test_thumbnail() -> None:
    jpeg, _, _ = images.page_picture(builders.page_image())
    opened = Image.open(io.BytesIO(images.thumbnail(jpeg)))
    assert opened.format == "JPEG"
    assert max(opened.size) == 320
