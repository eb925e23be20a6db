"""What is seen of a video: a frame as an upright RGB picture, or small, at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

GLANCE = 32  # pixels a side


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a video, RGB and upright, and its time from the first frame in seconds."""

    image: Image.Image
    seconds: float


@dataclass(frozen=True, slots=True)
class Glance:
    """The frame of this `number`, from 0, small: `grey` is (32, 32) uint8, squeezed and unturned.

    `seconds` is its time from the first frame, `lasts` the seconds until the next frame.
    """

    number: int
    seconds: float
    lasts: float
    grey: NDArray[np.uint8]


def picture_of(frame: VideoFrame, pixel_aspect: Fraction | None, side: int | None) -> Image.Image:
    """The frame as RGB: pixels made square, reduced to `side`, on white, upright."""
    width, height = float(frame.width), float(frame.height)
    if pixel_aspect and Fraction(1, 4) <= pixel_aspect <= 4:
        aspect = float(pixel_aspect)
        width, height = width * max(aspect, 1.0), height / min(aspect, 1.0)
    scale = min(1.0, side / max(width, height)) if side else 1.0
    clear = any(component.is_alpha for component in frame.format.components)
    pixels = frame.to_ndarray(
        format="rgba" if clear else "rgb24",
        width=max(round(width * scale), 1),
        height=max(round(height * scale), 1),
        interpolation="BICUBIC",
        threads=1,
    )
    image = Image.fromarray(pixels.astype(np.uint8, copy=False))
    if clear:
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        image = page
    return _upright(image, frame)


def _upright(image: Image.Image, frame: VideoFrame) -> Image.Image:
    """Apply the turn and the mirroring that the camera noted, in steps of 90 degrees."""
    noted: Any = frame.side_data.get("DISPLAYMATRIX")
    if noted is None:
        return image
    # x of the picture seen is a x + c y, its y is b x + d y.
    a, b, _, c, d = np.frombuffer(bytes(noted), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        image = image.transpose(Image.Transpose.TRANSPOSE)
        a, d = c, b
    if a < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if d < 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image
