"""Every format of images that people keep, what is salvaged of damaged ones, and their words."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.readers import ReadContext, is_supported, open_file
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.images import rgb
from mmsearch.types import Page
from tests import builders

QUIET = ReadContext(Settings(ocr="off"))
RED, GREY = (200, 40, 30), (120, 120, 120)


def read(path: Path, context: ReadContext = QUIET) -> tuple[str, list[Page]]:
    with open_file(path, context) as file:
        assert file.kind == "image"
        return file.title, [file.page(number) for number in range(1, file.page_count + 1)]


def pages_of(path: Path, context: ReadContext = QUIET) -> list[Page]:
    return read(path, context)[1]


def looks(page: Page, colour: tuple[int, ...]) -> bool:
    """Whether the middle of the page has about this colour."""
    image = Image.open(io.BytesIO(page.picture))
    middle = image.getpixel((image.width // 2, image.height // 2))
    return bool(np.abs(np.subtract(middle, colour)).max() < 25)


def square(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (96, 64), colour)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "mode", "colour", "options", "seen"),
    [
        ("a.jpg", "RGB", RED, {"progressive": True}, RED),
        ("a.jpg", "CMYK", (0, 0, 0, 135), {}, GREY),
        ("a.jpg", "L", 120, {}, GREY),
        ("a.png", "I;16", 65_535, {}, (255, 255, 255)),
        ("a.png", "P", 0, {}, (0, 0, 0)),
        ("a.webp", "RGB", RED, {"lossless": True}, RED),
        ("a.avif", "RGB", RED, {}, RED),
        ("a.jp2", "RGB", RED, {}, RED),
        ("a.j2k", "L", 120, {}, GREY),
        ("a.bmp", "1", 1, {}, (255, 255, 255)),
        ("a.gif", "L", 120, {}, GREY),
        ("a.ppm", "RGB", RED, {}, RED),
        ("a.pgm", "L", 120, {}, GREY),
        ("a.pbm", "1", 1, {}, (255, 255, 255)),
        ("a.tga", "RGB", RED, {"compression": "tga_rle"}, RED),
        ("a.pcx", "RGB", RED, {}, RED),
        ("a.dds", "RGB", RED, {}, RED),
        ("a.tif", "1", 1, {"compression": "group3"}, (255, 255, 255)),
        ("a.tif", "1", 1, {"compression": "group4"}, (255, 255, 255)),
        ("a.tif", "RGB", RED, {"compression": "tiff_lzw"}, RED),
        ("a.tif", "RGB", RED, {"compression": "jpeg"}, RED),
        ("a.tif", "RGB", RED, {"compression": "packbits"}, RED),
        ("a.tif", "CMYK", (0, 0, 0, 135), {"compression": "tiff_deflate"}, GREY),
        ("a.tif", "YCbCr", (120, 128, 128), {"compression": "tiff_lzw"}, GREY),
        ("a.tif", "F", 0.47, {}, GREY),
        ("a.tif", "RGB", RED, {"big_tiff": True}, RED),
    ],
)
def test_formats(
    tmp_path: Path,
    name: str,
    mode: str,
    colour: object,
    options: dict[str, object],
    seen: tuple[int, ...],
) -> None:
    path = tmp_path / name
    square(mode, colour).save(path, **options)
    [page] = pages_of(path)
    assert looks(page, seen)
    assert (page.width, page.height, page.seconds, page.warning) == (96, 64, None, "")
    assert page.unread is not None
    assert is_supported(path)


def test_tiled_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    square("RGB", RED).save(path, tiffinfo={322: 32, 323: 32}, compression="tiff_deflate")
    assert looks(pages_of(path)[0], RED)


def test_the_largest_icon_is_the_page(tmp_path: Path) -> None:
    path = tmp_path / "a.ico"
    Image.new("RGB", (128, 128), RED).save(path, sizes=[(16, 16), (128, 128), (32, 32)])
    [page] = pages_of(path)
    assert (page.width, page.height) == (128, 128)


def test_a_stereo_photo_is_one_page(tmp_path: Path) -> None:
    path = tmp_path / "a.mpo"
    square("RGB", RED).save(path, save_all=True, append_images=[square("RGB", GREY)])
    [page] = pages_of(path)
    assert looks(page, RED)


def test_previews_in_a_tiff_are_no_pages(tmp_path: Path) -> None:
    scans = [Image.new("L", (160, 96), shade) for shade in (50, 120, 200)]
    pages = pages_of(builders.write_tiff_with_preview(tmp_path / "a.tif", scans))
    assert [(page.number, page.width) for page in pages] == [(1, 160), (2, 160), (3, 160)]
    assert looks(pages[1], GREY)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_large_images_are_reduced_and_keep_what_is_drawn(mode: str) -> None:
    drawn = Image.new("L", (400, 300), 255)
    drawn.paste(0, (200, 100, 400, 300))
    if mode == "I;16":
        source = Image.fromarray(np.asarray(drawn, np.uint16) * 257)
    else:
        source = drawn.convert("RGB").convert(mode) if mode == "CMYK" else drawn.convert(mode)
    image = rgb.as_rgb(source, enough=20_000)
    assert (image.mode, image.size) == ("RGB", (200, 150))
    assert min(image.getpixel((20, 20))) > 240
    assert max(image.getpixel((180, 130))) < 60


def test_a_large_plan_is_reduced_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.tif"
    Image.new("1", (8_200, 8_000), 1).save(path, compression="group4")
    [page] = pages_of(path)
    assert page.unread is not None
    assert page.unread.size == (4_100, 4_000)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tif"])
def test_what_is_left_of_a_cut_file_is_shown(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half.{suffix}"
    page = builders.page_image(builders.LOREM * 3, dpi=50)
    page.save(path, **({"compression": "raw"} if suffix == "tif" else {}))
    [found] = pages_of(builders.cut_short(path, 0.6))
    assert found.warning.startswith("damaged or cut short, a part of the picture is missing")
    picture = np.asarray(Image.open(io.BytesIO(found.picture)).convert("L"))
    shown = picture if suffix != "bmp" else picture[::-1]  # stored from the bottom up
    assert np.ptp(shown[: len(shown) // 2]) > 100


def test_one_damaged_page_of_many_hurts_no_other(tmp_path: Path) -> None:
    pages = [builders.page_image(dpi=40).convert("L") for _ in range(3)]
    path = tmp_path / "fax.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_deflate")
    content = bytearray(path.read_bytes())
    with Image.open(path) as image:
        image.seek(1)
        start = image.tag_v2[273][0]
    content[start : start + 400] = b"\xaa" * 400
    path.write_bytes(content)
    with open_file(path, QUIET) as file:
        assert [file.page(number).warning for number in (1, 3)] == ["", ""]
        try:
            assert file.page(2).warning
        except UnreadableFile as error:
            assert "frame 2" in str(error)


def test_what_pillow_refuses_opencv_may_read(tmp_path: Path) -> None:
    path = builders.write_bitfield_bmp(tmp_path / "odd.bmp", square("RGB", RED))
    with pytest.raises(OSError, match="bitfields"):
        Image.open(path)
    [page] = pages_of(path)
    assert (page.width, page.height) == (96, 64)
    assert "colours may be wrong" in page.warning


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 99), ("a.jpg", b"\xff\xd8\xff"), ("a.bmp", b"BM??")],
)
def test_nothing_to_salvage_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        pages_of(path)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_limits_are_not_salvaged(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    square("RGB", RED).save(path)
    with pytest.raises(LimitExceeded, match="96 x 64"):
        pages_of(path, ReadContext(Settings(ocr="off", max_pixels=96 * 64 - 1)))


def test_title_and_caption_come_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "DSC_0041.jpg"
    exif = Image.Exif()
    exif[0x9C9B] = "Seven ships\0".encode("utf-16-le")
    exif[0x010E] = "Fog over the harbour"
    square("RGB", RED).save(path, exif=exif)
    title, [page] = read(path)
    assert title == "Seven ships"
    assert page.caption == "Seven ships\nFog over the harbour"
    assert page.full_text == page.caption
    plain = tmp_path / "DSC_0042.jpg"
    square("RGB", RED).save(plain)
    assert read(plain)[0] == "DSC_0042"


@pytest.mark.skipif(not shutil.which("tiffcp"), reason="needs libtiff-tools to make one")
def test_a_tiff_packed_by_jbig_is_read_with_all_its_pages(tmp_path: Path) -> None:
    first, second = builders.page_image().convert("1"), builders.page_image(["fax"]).convert("1")
    whole = {278: first.height}  # JBIG takes a page in one strip
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second], tiffinfo=whole)
    path = tmp_path / "fax, packed.tif"
    subprocess.run(["tiffcp", "-c", "jbig", tmp_path / "a.tif", tmp_path / "b.tif"], check=True)
    (tmp_path / "b.tif").rename(path)
    with open_file(path, ReadContext(Settings(ocr="off"))) as file:
        assert (file.title, file.page_count) == ("fax, packed", 2)
        page = file.page(2)
    ink = np.asarray(Image.open(io.BytesIO(page.picture)).convert("L")) < 128
    assert 0 < ink.mean() < 0.2
    assert list(tmp_path.glob("**/unpacked*")) == []
    packed = path.read_bytes()
    for damaged in (packed[:8] + bytes(200) + packed[208:], packed[:-200]):
        path.write_bytes(damaged)
        with pytest.raises(UnreadableFile, match="damaged"):
            open_file(path, ReadContext(Settings(ocr="off")))
