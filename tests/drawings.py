"""Pictures that a classifier knows: drawn here, so that tests need no photos of others."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from mmsearch.images import encode_picture


def clock(size: tuple[int, int] = (448, 448)) -> Image.Image:
    """A clock on a wall, in the middle: `analog clock`."""
    image = Image.new("RGB", size, (120, 90, 70))
    draw, (x, y) = ImageDraw.Draw(image), (size[0] / 2, size[1] / 2)

    def hand(turn: float, start: float, end: float, width: int) -> None:
        across, down = math.sin(turn), -math.cos(turn)
        points = [(x + r * across, y + r * down) for r in (start, end)]
        draw.line(points, fill="black", width=width)

    box = (x - 184, y - 184, x + 184, y + 184)
    draw.ellipse(box, fill="white", outline="black", width=14)
    for hour in range(12):
        hand(hour * math.pi / 6, 150, 172, 10)
    hand(5.2, 0, 90, 12)
    hand(1.0, 0, 140, 7)
    return image


def cobweb() -> Image.Image:
    """A `spider web`."""
    image = Image.new("RGB", (448, 448), (20, 30, 20))
    draw = ImageDraw.Draw(image)
    turns = [spoke * math.pi / 8 for spoke in range(16)]
    for turn in turns:
        end = (224 + 300 * math.sin(turn), 224 - 300 * math.cos(turn))
        draw.line([(224, 224), end], fill="white", width=2)
    for radius in range(20, 300, 16):
        corners = [(224 + radius * math.sin(t), 224 - radius * math.cos(t)) for t in turns]
        draw.polygon(corners, outline="white")
    return image


def jpeg(image: Image.Image) -> bytes:
    """As the picture of a page is stored."""
    return encode_picture(image)
