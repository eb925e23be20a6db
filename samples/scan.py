"""Makes clean pages look as if an old sheet had gone through an office scanner."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Grey = NDArray[np.float32]


def aged(
    page: Image.Image,
    seed: int,
    *,
    angle: float,
    tone: float = 212,
    grain: float = 6,
    blur: float = 0.7,
    folds: tuple[float, ...] = (),
    holes: bool = False,
) -> Image.Image:
    """A grey scan of a printed page.

    Args:
        page: the clean page, black on white.
        seed: of the grain and the stains; the same seed gives the same scan.
        angle: skew in degrees, clockwise.
        tone: mean grey of the paper, 0 to 255.
        grain: standard deviation of the noise, in grey levels.
        blur: radius of the blur, pixels.
        folds: heights of creases, as parts of the page's height.
        holes: whether the sheet was punched for a binder.

    Returns:
        An 8-bit grey picture of the same size.
    """
    dice = np.random.default_rng(seed)
    ink = 1 - np.asarray(page.convert("L"), dtype=np.float32) / 255
    high, wide = ink.shape
    sheet = tone + _clouds(dice, wide, high, 3) * 5 + _clouds(dice, wide, high, 60) * 1.6
    worn = 1 - 0.2 * np.clip(_clouds(dice, wide, high, 160), 0, 1)  # ribbon and toner are uneven
    picture = sheet * (1 - ink * worn * 0.86)
    for fold in folds:
        rows = np.arange(high, dtype=np.float32)[:, None] - fold * high
        picture += 13 * np.exp(-((rows / 2.2) ** 2)) - 17 * np.exp(-(((rows - 4) / 3.0) ** 2))
    scan = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if holes:
        pen = ImageDraw.Draw(scan)
        radius, left = wide / 75, wide / 24
        for height in (0.365, 0.635):
            middle = high * height
            spot = (left - radius, middle - radius, left + radius, middle + radius)
            pen.ellipse(spot, fill=70, outline=110, width=2)
    scan = scan.filter(ImageFilter.GaussianBlur(blur))
    scan = scan.rotate(-angle, Image.Resampling.BICUBIC, fillcolor=96)
    noisy = np.asarray(scan, dtype=np.float32) + dice.normal(0, grain, (high, wide))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def fax(page: Image.Image, seed: int, *, angle: float, threshold: float = 150) -> Image.Image:
    """A black-and-white scan (1 bit a pixel) with specks and ragged edges."""
    dice = np.random.default_rng(seed)
    grey = aged(page, seed, angle=angle, grain=15, blur=0.8)
    limit = threshold + _clouds(dice, grey.width, grey.height, 30) * 10
    black = np.asarray(grey, dtype=np.float32) < limit
    specks = dice.random(black.shape) < 0.0004
    return Image.fromarray(~(black | specks))


def jpeg(picture: Image.Image, quality: int, dpi: int | None = None) -> bytes:
    """The picture as the bytes of a JPEG file."""
    file = BytesIO()
    resolution = {"dpi": (dpi, dpi)} if dpi else {}
    picture.save(file, "JPEG", quality=quality, optimize=True, **resolution)
    return file.getvalue()


def _clouds(dice: np.random.Generator, wide: int, high: int, cells: int) -> Grey:
    """Soft blotches, mean 0 and deviation about 1; `cells` of them across the page."""
    small = dice.normal(0, 1, (cells * high // wide + 2, cells + 2)).astype(np.float32)
    soft = Image.fromarray(small).resize((wide, high), Image.Resampling.BICUBIC)
    return np.asarray(soft, dtype=np.float32)
