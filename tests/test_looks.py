"""Perceptual hashes: copies of a page are near, other pages are not, blank ones have none."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from mmsearch import duplicates, looks
from mmsearch.images import page_picture
from tests import builders

NAMES = ("prose", "columns", "heading", "table", "picture", "dark")


@cache
def page(name: str) -> Image.Image:
    lines = builders.LOREM
    if name == "columns":
        short = [line[:38] for line in lines]
        return builders.page_image(columns=[short * 3, short[::-1] * 2])
    if name == "picture":
        ramp = np.add.outer(np.arange(900) % 256, np.arange(700) % 180) // 2
        return Image.fromarray(ramp.astype(np.uint8)).convert("RGB")
    if name == "heading":
        return builders.page_image(["A heading", "", "", "", *lines[:3], "", *lines[5:7]])
    if name == "table":
        image = builders.page_image([f"{row * 37}    {row * 91}" for row in range(30)])
        ImageDraw.Draw(image).rectangle((300, 150, 900, 1200), outline="black", width=3)
        return image
    image = builders.page_image(lines)
    return ImageOps.invert(image) if name == "dark" else image


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.convert("L").save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def noisy(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image.convert("L"), dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, 8, pixels.shape)
    return Image.fromarray((pixels * 0.92 + 8 + noise).clip(0, 255).astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "smaller": lambda image: image.resize((image.width // 2, image.height // 2)),
    "compressed": lambda image: jpeg(image, 20),
    "noise": noisy,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "cropped": lambda image: image.crop((8, 10, image.width - 9, image.height - 7)),
    "shifted": lambda image: image.rotate(0.3, translate=(6, -8), fillcolor=image.getpixel((0, 0))),
}


def apart(one: str, other: str) -> int:
    rows = looks.rows([one, other])
    return int(looks.distance(rows[0], rows[1]))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", NAMES)
def test_copies_of_a_page_are_near(name: str, change: str) -> None:
    assert apart(looks.look(page(name)), looks.look(CHANGES[change](page(name)))) <= duplicates.NEAR


def test_other_pages_are_far() -> None:
    hashes = [looks.look(page(name)) for name in NAMES if name != "dark"]
    for at, one in enumerate(hashes):
        for other in hashes[:at]:
            assert apart(one, other) > 1.3 * duplicates.NEAR


def test_blank_pages_have_no_look() -> None:
    paper = np.random.default_rng(0).normal(240, 4, (800, 600)).clip(0, 255).astype(np.uint8)
    speck = Image.new("L", (800, 600), 255)
    ImageDraw.Draw(speck).rectangle((10, 10, 16, 16), fill=0)
    for blank in (
        Image.new("RGB", (1000, 1400), "white"),
        Image.new("L", (3, 9), 0),
        Image.fromarray(paper),
        speck,
    ):
        assert looks.look(blank) == ""
    ImageDraw.Draw(speck).text((100, 100), "Chapter 1", fill=0, font_size=40)
    assert looks.look(speck)


def test_the_look_of_a_jpeg_is_that_of_its_picture_and_cheap() -> None:
    stored, *_ = page_picture(page("prose"))
    assert apart(looks.look_of(stored), looks.look(page("prose"))) <= 16
    began = time.process_time()
    for _ in range(5):
        looks.look_of(stored)
    assert (time.process_time() - began) / 5 < 0.03


def test_looks_that_differ_in_few_bits_share_a_band() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        look = random.bytes(32)
        flipped = random.choice(looks.BITS, looks.BANDS - 1, replace=False)
        mask = np.zeros(looks.BITS, dtype=np.uint8)
        mask[flipped] = 1
        other = (np.frombuffer(look, dtype=np.uint8) ^ np.packbits(mask)).tobytes()
        assert set(looks.bands(look.hex())) & set(looks.bands(other.hex()))
        assert apart(look.hex(), other.hex()) == looks.BANDS - 1
    assert len(set(looks.bands("0" * 64))) == looks.BANDS
    assert looks.bands("") == []
