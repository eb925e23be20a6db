"""Making a page level and flat that was scanned askew or photographed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmsearch.types import Float32

if TYPE_CHECKING:
    from PIL.Image import Image

_LEAST_SKEW, _MOST_SKEW = 0.3, 10.0  # degrees
_ALIKE = 0.13  # of the range of grey levels: about one level
_LEAST_PAPER = 0.3  # of the image has about one level
_LEAST_RISE = 1.5  # pixels from side to side
_STEP, _FINE_STEP = 0.25, 0.05  # degrees
_LEAST_CHANGE = 80.0  # of Sobel's operator, which counts 4 a grey level
_LEAST_EDGES, _MOST_EDGES = 300, 8_000
_SHARP = 1.5  # times the usual sum of squares
_SHARPER = 1.25  # times that of the image as it is, and of any other angle
_PEAK = 1.5  # degrees: half the width of a peak

# photos
_PHOTO_SIDE, _LEAST_PHOTO_SIDE = 800, 100  # pixels at which the sheet is looked for
_LEAST_SHEET = 0.2  # of the image
_BRIGHTER = 40  # grey levels than most of what is around it
_UPRIGHT = 1.0  # degrees: flat enough, or a screenshot


def skew_of(grey: NDArray[np.uint8]) -> float:
    """By how many degrees lines of text and rules fall to the right; 0 where it is not sure."""
    import cv2

    counts = np.bincount(grey.ravel(), minlength=256)
    low, high = np.searchsorted(counts.cumsum(), np.array([0.01, 0.99]) * grey.size)
    alike = np.ones(max(5, round(_ALIKE * (high - low))))
    if np.convolve(counts, alike).max() < _LEAST_PAPER * grey.size:
        return 0.0  # a photo: its lines need not be level
    change = cv2.Sobel(grey, cv2.CV_16S, 0, 1, ksize=3)
    strength = np.abs(change)
    least = max(_LEAST_CHANGE, 0.25 * float(np.percentile(strength[::4, ::4], 99.5)))
    y, x = np.nonzero(strength > least)
    if len(y) < _LEAST_EDGES:
        return 0.0
    if len(y) > _MOST_EDGES:
        kept = np.random.default_rng(0).choice(len(y), _MOST_EDGES, replace=False)
        y, x = y[kept], x[kept]
    rising = change[y, x] > 0
    down, across = y.astype(np.float32), x.astype(np.float32) - grey.shape[1] / 2
    sides = [(down[some], across[some]) for some in (rising, ~rising)]

    def gathered(angle: float) -> float:
        return sum((_gathered(*side, angle) for side in sides), 0.0)

    angles = np.arange(-_MOST_SKEW - 1, _MOST_SKEW + 1 + _STEP, _STEP)
    scores = np.array([gathered(angle) for angle in angles])
    best = float(angles[scores.argmax()])
    others = scores[np.abs(angles - best) > _PEAK]
    fine = np.arange(best - _STEP, best + _STEP + _FINE_STEP, _FINE_STEP)
    finest = np.array([gathered(angle) for angle in fine])
    skew, score = float(fine[finest.argmax()]), float(finest.max())
    rise = grey.shape[1] * np.tan(np.radians(abs(skew)))
    if not _LEAST_SKEW <= abs(skew) <= _MOST_SKEW or rise < _LEAST_RISE:
        return 0.0
    rivals = max(_SHARPER * gathered(0.0), _SHARPER * others.max(), _SHARP * np.median(scores))
    return skew if score > rivals else 0.0


def _gathered(y: Float32, x: Float32, angle: float) -> float:
    """How much edges fall together on lines of this angle: a sum of squares."""
    rows = y - x * np.float32(np.tan(np.radians(angle)))
    counts = np.bincount((rows - rows.min(initial=0)).astype(np.int32)).astype(float)
    return float(counts @ counts)


def levelled(image: Image, skew: float) -> Image:
    """The image turned so that lines which fall by `skew` degrees become level."""
    from PIL import Image as images

    edge = np.concatenate([np.asarray(image.crop(box)).reshape(-1, 3) for box in _edges(image)])
    red, green, blue = (int(value) for value in np.median(edge, axis=0))
    return image.rotate(skew, images.Resampling.BICUBIC, expand=True, fillcolor=(red, green, blue))


def _edges(image: Image) -> list[tuple[int, int, int, int]]:
    wide, high = image.size
    return [(0, 0, wide, 1), (0, high - 1, wide, high), (0, 0, 1, high), (wide - 1, 0, wide, high)]


def dewarp(image: Image) -> Image | None:
    """The page on a photo of it, seen from straight above; None where no whole sheet is seen.

    Args:
        image: RGB.
    """
    import cv2
    from PIL import Image as images

    scale = min(1.0, _PHOTO_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if min(size) < _LEAST_PHOTO_SIDE:
        return None
    pixels = cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA)
    corners = _sheet(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    if corners is None:
        return None
    corners = (corners + 0.5) * (image.width / size[0], image.height / size[1]) - 0.5
    top, right, bottom, left = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    wide, high = round(max(top, bottom)), round(max(left, right))
    flat = np.array([(0, 0), (wide - 1, 0), (wide - 1, high - 1), (0, high - 1)], np.float32)
    view = cv2.getPerspectiveTransform(corners.astype(np.float32), flat)
    return images.fromarray(cv2.warpPerspective(np.asarray(image), view, (wide, high)))


def _sheet(grey: Any) -> NDArray[np.float32] | None:
    """The corners (4, 2) of a bright sheet on a darker ground, x and y, clockwise from top left.

    None where it is not sure: one that is small, cut off by the image's edge, not four-cornered,
    upright as in a screenshot, or no brighter than what is around it.
    """
    import cv2

    high, wide = grey.shape
    # Closed first: the print must not part the sheet.
    even = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    even = cv2.GaussianBlur(even, (5, 5), 0)
    _, mask = cv2.threshold(even, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    area = cv2.contourArea(outline)
    if area < _LEAST_SHEET * grey.size:
        return None
    found = cv2.approxPolyDP(outline, 0.02 * cv2.arcLength(outline, True), True)
    if len(found) != 4 or not cv2.isContourConvex(found):
        return None
    if area < 0.95 * cv2.contourArea(found):
        return None
    corners = found.reshape(4, 2).astype(np.float32)
    if (corners < 2).any() or (corners > (wide - 3, high - 3)).any():
        return None
    inside = cv2.fillConvexPoly(np.zeros_like(grey), found, 1) > 0
    ground = float(np.percentile(even[~inside], 75))
    if float(np.median(even[inside])) < ground + _BRIGHTER:
        return None
    middle = corners.mean(axis=0)
    turns = np.arctan2(*(corners - middle).T[::-1])
    corners = corners[np.argsort(turns)]  # y points down: clockwise from the upper left
    corners = _sharpened(corners, outline.reshape(-1, 2).astype(np.float32))
    sides = np.roll(corners, -1, axis=0) - corners
    slants = np.abs(np.degrees(np.arctan2(sides[:, 1], sides[:, 0])) % 90)
    if (np.minimum(slants, 90 - slants) < _UPRIGHT).all():
        return None
    return corners


def _sharpened(corners: NDArray[np.float32], outline: NDArray[np.float32]) -> NDArray[np.float32]:
    """The corners (4, 2) where lines through the outline's four sides meet."""
    import cv2

    lines = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        side = end - start
        length = float(np.linalg.norm(side))
        along = (outline - start) @ side / length**2
        aside = np.abs((outline - start) @ np.array([-side[1], side[0]])) / length
        near = outline[(along > 0.1) & (along < 0.9) & (aside < max(3.0, 0.02 * length))]
        if len(near) < 10:
            return corners
        across, down, x, y = cv2.fitLine(near, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        lines.append(np.cross((x, y, 1.0), (x + across, y + down, 1.0)))
    meetings = np.array(
        [np.cross(a, b) for a, b in zip([lines[-1], *lines[:-1]], lines, strict=True)]
    )
    if (np.abs(meetings[:, 2]) < 1e-9).any():
        return corners
    sharp: NDArray[np.float32] = (meetings[:, :2] / meetings[:, 2:]).astype(np.float32)
    return sharp
