"""The few lines of an image that say most of it: to look for its page, not to read it whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmsearch.ocr import rapid
from mmsearch.ocr.layout import join_lines
from mmsearch.types import Box

if TYPE_CHECKING:
    from PIL.Image import Image


def read_lines(image: Image, most: int) -> str:
    """Find all lines, and read the `most` widest and sharpest of them.

    Recognition takes .1 s a line, detection as long as two to four of them.
    """
    regions = rapid.find(image)
    chosen = _best(image, regions.boxes, most)
    return join_lines(line.text for line in rapid.read(image, regions, chosen).lines)


def _best(image: Image, boxes: Sequence[Box], most: int) -> list[int]:
    """The lines with the most to read, in the order they stand in."""
    if len(boxes) <= most:
        return list(range(len(boxes)))
    import cv2

    grey = np.asarray(image.convert("L"), np.uint8)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    high, wide = grey.shape

    def worth(index: int) -> float:
        x0, y0, x1, y1 = boxes[index]
        part = edges[int(y0 * high) : int(y1 * high) + 1, int(x0 * wide) : int(x1 * wide) + 1]
        letters = (x1 - x0) * wide / max((y1 - y0) * high, 1)
        return float(letters * part.mean())

    return sorted(sorted(range(len(boxes)), key=lambda index: -worth(index))[:most])
