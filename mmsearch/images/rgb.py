"""From a decoded image of any mode to an upright RGB one, on white."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import ExifTags, Image

if TYPE_CHECKING:
    from mmsearch.types import Float32

_BAND = 256  # rows
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF's orientation


def upright(image: Image.Image, source: Image.Image) -> Image.Image:
    """Turn the image as the EXIF orientation of its source says; unreadable EXIF says nothing."""
    try:
        orientation = source.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is free-form bytes that fail in many ways
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def as_rgb(image: Image.Image, enough: int) -> Image.Image:
    """Convert any mode to RGB of at least `enough` pixels, if it has them; never the same image."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _scaled_to_bytes(image)
    image = _reduced(image, enough)
    mode = image.mode
    if mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            page = Image.new("RGB", image.size, "white")
            page.paste(image, mask=image.getchannel("A"))
            return page
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def _scaled_to_bytes(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits as 8 bits.

    Integers are scaled by the least number of bits that holds the brightest pixel, so 12-bit
    scans in 16-bit files don't come out black; floats beyond 0..1 and negatives by their range.
    """
    import numpy as np

    bands = [(y, min(y + _BAND, image.height)) for y in range(0, image.height, _BAND)]
    low, high = math.inf, -math.inf
    for top, bottom in bands:
        values = _finite(image, top, bottom)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    if image.mode != "F" and low >= 0:
        low, high = 0.0, float(2 ** max(8, math.ceil(math.log2(high + 1))) - 1)
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scale = 255.0 / ((high - low) or 1.0)
    grey = np.empty((image.height, image.width), np.uint8)
    for top, bottom in bands:  # in bands, as floats take four times the room
        grey[top:bottom] = ((_finite(image, top, bottom) - low) * scale).round()
    return Image.fromarray(grey)


def _finite(image: Image.Image, top: int, bottom: int) -> Float32:
    import numpy as np

    values = np.asarray(image.crop((0, top, image.width, bottom)), dtype=np.float32)
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _reduced(image: Image.Image, enough: int) -> Image.Image:
    """The image divided by a whole number, where that leaves `enough` pixels or more."""
    factor = math.isqrt(image.width * image.height // enough)
    if factor < 2:
        return image
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(factor)
