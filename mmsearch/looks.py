"""How a page looks, in 256 bits: copies of one page differ in few of them.

Made of the lowest frequencies of its ink, so neither resolution nor compression nor paper counts
for much; pages with the same layout look alike too, whatever they say.
"""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmsearch.types import Float32, Page

if TYPE_CHECKING:
    from PIL.Image import Image

BITS = 256
BANDS = 16
_FREQUENCIES = 16  # of each direction
_SIDE = 192  # pixels
_PAPER = 8  # grey levels: closer to the background is background
_INK = 32  # grey levels: further from it is ink,
_LEAST_INK = 0.0005  # and with less of that, a page is blank


def look_of(jpeg: bytes) -> str:
    """The look of a page picture; see `look`."""
    from PIL import Image

    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        image.draft("L", (_SIDE, _SIDE))  # decodes at a fraction of its size
        return look(image)


def with_look(page: Page) -> Page:
    """The page with its look; what is blank has none."""
    return page if page.blank else replace(page, look=look_of(page.picture))


def look(picture: Image) -> str:
    """The perceptual hash of an upright page, 64 hexadecimal digits; "" for a blank one."""
    from PIL.Image import Resampling

    small = picture.convert("L").resize((_SIDE, _SIDE), Resampling.BOX)
    grey = np.asarray(small, dtype=np.float32)
    # The background is the commonest half: paper, or the ground of a dark slide.
    away = np.abs(grey - np.median(grey))
    if (away > _INK).mean() < _LEAST_INK:
        return ""
    ink = np.sqrt(np.clip(away - _PAPER, 0, None))  # print and pencil nearly alike
    basis = _cosines()
    waves = basis @ ink @ basis.T
    return np.packbits(waves > np.median(waves)).tobytes().hex()


def bands(look: str) -> list[str]:
    """The parts of a look that an index finds it by, each with its place.

    Looks that differ in fewer than `BANDS` bits have one in common, always; so do nine in ten of
    those that differ in 50, as a page and its scan do.
    """
    digits = BITS // BANDS // 4
    return [f"{at:x}{look[at * digits : (at + 1) * digits]}" for at in range(len(look) // digits)]


def rows(looks: list[str]) -> NDArray[np.uint16]:
    """Looks as (n, BANDS) uint16, a band a column."""
    packed = np.frombuffer(bytes.fromhex("".join(looks)), dtype=">u2")
    return packed.astype(np.uint16).reshape(-1, BANDS)


def distance(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> NDArray[np.int64]:
    """In how many bits rows of looks differ, in [0, 256]; shapes broadcast."""
    # Bits are counted in pairs, fours and bytes of 64 at a time; the product adds the bytes up.
    x = np.ascontiguousarray(a ^ b).view(np.uint64)
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    counts: NDArray[np.uint64] = (x * np.uint64(0x0101010101010101)) >> np.uint64(56)
    differ: NDArray[np.int64] = counts.astype(np.int64).sum(axis=-1)
    return differ


@cache
def _cosines() -> Float32:
    at = np.arange(_SIDE) + 0.5
    waves = np.arange(_FREQUENCIES)[:, None]
    return np.cos(np.pi / _SIDE * waves * at).astype(np.float32)
