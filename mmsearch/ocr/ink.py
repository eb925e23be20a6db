"""What is printed or written on a page image: its ink, in connected pieces.

Everything is judged against the paper around it, so yellowed, shaded and inverted pages are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmsearch.types import Box

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float32]

_SIDE = 1600  # pixels of the long side at which pieces are found
_PAPER_STEP = 8  # the paper is looked at in steps of so many pixels,
_PAPER_WINDOW = 21  # as the median of so many steps: 17 mm of an A4 page
_LEAST_CONTRAST = 24.0  # grey levels between ink and paper
_NOISES = 5.0  # and this many times the noise
_LETTER_SIDES = (3, 200)  # pixels of `_SIDE`
_MOST_PIECES = 20_000  # beyond, it is a halftone or noise


@dataclass(frozen=True)
class Ink:
    """The pieces of ink on a page.

    `pieces` is (n, 4) int32: left, top, width, height in pixels of a page `width` x `height`,
    which is `scale` times as large as the image. `weights` is (n,) int32, their pixels, `depths`
    (n,) float32, their mean contrast to the paper in grey levels.
    """

    width: int
    height: int
    scale: float
    pieces: NDArray[np.int32]
    weights: NDArray[np.int32]
    depths: Floats

    @cached_property
    def letters(self) -> NDArray[np.int32]:
        """Those pieces, (m, 4), that may be letters or short words: of about one height."""
        wide, high = self.pieces[:, 2], self.pieces[:, 3]
        low, top = _LETTER_SIDES
        small = (np.maximum(wide, high) <= top) & (np.minimum(wide, high) >= low)
        solid = self.weights > 0.12 * wide * high
        some: NDArray[np.int32] = self.pieces[small & solid]
        if not len(some):
            return some
        side = np.minimum(some[:, 2], some[:, 3])
        usual = np.median(side)
        alike: NDArray[np.int32] = some[(side > 0.4 * usual) & (side < 3.0 * usual)]
        return alike

    def covered(self, boxes: Sequence[Box]) -> float:
        """The share of the letters whose middle lies in one of the boxes; 1 without letters."""
        if not len(self.letters):
            return 1.0
        left, top, wide, high = self.letters.T
        x, y = (left + wide / 2) / self.width, (top + high / 2) / self.height
        inside = np.zeros(len(x), bool)
        for box in boxes:
            inside |= (x >= box.x0) & (x <= box.x1) & (y >= box.y0) & (y <= box.y1)
        return float(inside.mean())

    @property
    def letter_side(self) -> float:
        """Usual height of small letters in pixels of the image; 0 where there are none."""
        if not len(self.letters):
            return 0.0
        return float(np.median(self.letters[:, 2:].min(axis=1))) / self.scale


def find(image: Image) -> Ink:
    """The ink of a page image, at most 1600 pixels a side."""
    import cv2

    grey = np.asarray(image.convert("L"))
    scale = min(1.0, _SIDE / max(grey.shape))
    if scale < 1:
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    depth = cv2.absdiff(grey, _paper(grey))
    noise = 1.4826 * float(np.median(depth))  # the median of |x| where most is paper
    threshold = min(max(_LEAST_CONTRAST, _NOISES * noise), 100.0)
    mask = (depth > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sums = np.bincount(labels.ravel(), weights=depth.ravel(), minlength=count)[1:]
    stats = stats[1:]
    if len(stats) > _MOST_PIECES:
        kept = np.argsort(stats[:, cv2.CC_STAT_AREA])[-_MOST_PIECES:]
        stats, sums = stats[kept], sums[kept]
    weights = stats[:, cv2.CC_STAT_AREA].astype(np.int32)
    depths = (sums / np.maximum(weights, 1)).astype(np.float32)
    height, width = grey.shape
    return Ink(width, height, scale, stats[:, :4].astype(np.int32), weights, depths)


def _paper(grey: Any) -> Any:
    """The grey of the paper at each pixel: the median around it."""
    import cv2

    height, width = grey.shape
    size = (max(1, width // _PAPER_STEP), max(1, height // _PAPER_STEP))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    pad = _PAPER_WINDOW // 2
    small = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
    small = cv2.medianBlur(small, _PAPER_WINDOW)[pad:-pad, pad:-pad]
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
