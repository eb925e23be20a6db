"""Lays a screenshot on the page that it may be cut from, to a fraction of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Points = NDArray[np.float32]
Matrix = NDArray[np.float64]

_PIXELS = 2_000_000  # of the screenshot while it is compared: a digit of a whole page is 8 high
_ROUGH_PIXELS = 40_000  # and while it is searched for near its pose
_LEAST_SIDE = 24  # px; less shows nothing
_REACH = 0.05  # of the page's width: how far a pose is off at most, with
_STRETCH = 0.1  # this share of its scale
_TILE, _TILES = 48, 24  # px; searched for in the rough pictures
_POINTS = 250  # followed in the fine ones
_FEW = 12  # fewer points do not carry a homography
_NEARLY = 0.85  # of the points
_LEAST_CORNER = 1e-5  # of `cornerMinEigenVal`: a tile with less can slide along an edge
_TURNED = math.radians(0.25)  # less is not seen
_FILL = 10.0  # standard deviation of what is beside a turned picture
_TURN = math.radians(6.0)
_SCALE = 1.25  # between the pose's scale and the one found
_LEAN = 0.04  # of half the diagonal: how far a corner is from where a similarity puts it


class Pose(NamedTuple):
    """Where a screenshot is expected on a page.

    `scale` is the width of the whole screenshot in widths of the page; `x` and `y` are its upper
    left corner in fractions of the page's width and height, and may lie outside of the page.
    `inverted` says that light and dark are exchanged.
    """

    scale: float
    x: float
    y: float
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Laid:
    """Screenshot and page at one resolution, and the map between them.

    `shot` and `page` are (h, w) uint8, light on the same side; `page` is a part of the page that
    begins at `origin` and has `scale` pixels for each of the stored picture's, both (x, y).
    `matrix` is the 3 x 3 homography from pixels of `shot` to those of `page`; `inliers` counts the
    points that follow it.
    """

    shot: Grey
    page: Grey
    matrix: Matrix
    inliers: int
    origin: tuple[int, int]
    scale: tuple[float, float]


def lay(shot: Grey, page: Grey, pose: Pose) -> Laid | None:
    """Fit a screenshot to a page near its pose; None where nothing like it is there.

    Args:
        shot: (h, w) of the query image.
        page: (H, W) of the page's picture.
        pose: off by at most 10 % in scale and 5 % of the page's width in place.
    """
    pair = _to_one_resolution(shot, page, pose)
    if pair is None:
        return None
    small, part, offset, origin, scale = pair
    first = _roughly(small, part, offset, page.shape[1] * scale[0])
    if first is None:
        first = np.array([[1, 0, offset[0]], [0, 1, offset[1]], [0, 0, 1]], np.float64)
    fine = _finely(small, part, first)
    if fine is None or not _plausible(fine[0], small.shape):
        return None
    matrix, inliers = fine
    return Laid(small, part, matrix, inliers, origin, scale)


def corners(shape: tuple[int, ...]) -> Points:
    """The corners of a picture in pixels, (4, 2), clockwise from the upper left."""
    high, wide = shape[:2]
    return np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)


def moved(points: NDArray[np.floating], matrix: Matrix) -> NDArray[np.float64]:
    """(n, 2) points, each put where a homography puts it."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def outline(laid: Laid) -> NDArray[np.floating]:
    """The corners, in the screenshot, of what it shows: without the wedges beside a turned picture.

    A picture of w x h turned by a fits into w cos a + h sin a by w sin a + h cos a.
    """
    whole = corners(laid.shot.shape)
    quad = moved(whole, laid.matrix)
    angle = math.atan2(quad[1, 1] - quad[0, 1], quad[1, 0] - quad[0, 0])
    if abs(angle) < _TURNED:
        return whole
    high, wide = laid.shot.shape
    cos, sin = math.cos(angle), abs(math.sin(angle))
    inner = np.array([wide * cos - high * sin, high * cos - wide * sin]) / (cos**2 - sin**2)
    if (inner < _LEAST_SIDE).any():
        return whole
    turn = np.array([[cos, math.sin(angle)], [-math.sin(angle), cos]])  # upright to turned
    middle = np.array([wide, high]) / 2
    turned = (np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * inner / 2) @ turn.T + middle
    return turned if _flat_beside(laid.shot, turned) else whole


def _flat_beside(shot: Grey, outline: NDArray[np.floating]) -> bool:
    """Whether nothing is drawn outside of the outline."""
    import cv2

    beside = np.ones(shot.shape, np.uint8)
    cv2.fillConvexPoly(beside, np.round(outline).astype(np.int32), 0)
    levels = shot[cv2.erode(beside, np.ones((5, 5), np.uint8), borderValue=1) > 0]
    return len(levels) > 0 and float(levels.std()) < _FILL


class _Pair(NamedTuple):
    """Both pictures at one resolution; `offset` is where the pose puts the screenshot."""

    shot: Grey
    page: Grey
    offset: tuple[float, float]
    origin: tuple[int, int]
    scale: tuple[float, float]


def _to_one_resolution(shot: Grey, page: Grey, pose: Pose) -> _Pair | None:
    """The finer of the two shrunk to the coarser, and the page cut to where the pose can lead."""
    (high, wide), (page_high, page_wide) = shot.shape, page.shape
    if min(shot.shape) < 1 or min(page.shape) < 1 or not 0 < pose.scale < math.inf:
        return None
    finer = pose.scale * page_wide / wide  # page pixels a pixel of the screenshot
    shrink = min(1.0, finer, math.sqrt(_PIXELS / (high * wide)))
    if min(high, wide) * shrink < _LEAST_SIDE:
        return None
    small = _shrunk(shot, (round(wide * shrink), round(high * shrink)))
    if pose.inverted:
        small = np.asarray(255 - small, np.uint8)
    span, tall = wide * finer, high * finer
    left, top = pose.x * page_wide, pose.y * page_high
    margin = 2 * _REACH * page_wide + _STRETCH * span / 2
    if not (math.isfinite(left) and math.isfinite(top) and max(span, tall) < 8 * max(page.shape)):
        return None
    x0, x1 = _inside(left - margin, left + span + margin, page_wide)
    y0, y1 = _inside(top - margin, top + tall + margin, page_high)
    size = round((x1 - x0) * shrink / finer), round((y1 - y0) * shrink / finer)
    if min(size) < _LEAST_SIDE:
        return None
    part = _shrunk(page[y0:y1, x0:x1], size)
    scale = size[0] / (x1 - x0), size[1] / (y1 - y0)
    offset = (left - x0) * scale[0], (top - y0) * scale[1]
    return _Pair(small, part, offset, (x0, y0), scale)


def _inside(low: float, high: float, limit: int) -> tuple[int, int]:
    return int(min(max(low, 0), limit)), int(min(max(math.ceil(high), 0), limit))


def _shrunk(picture: Grey, size: tuple[int, int]) -> Grey:
    import cv2

    if size == (picture.shape[1], picture.shape[0]):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _roughly(shot: Grey, page: Grey, offset: tuple[float, float], width: float) -> Matrix | None:
    """A similarity from small pictures: the most telling tiles of the screenshot, searched for."""
    import cv2

    shrink = min(1.0, math.sqrt(_ROUGH_PIXELS / shot.size))
    small = _shrunk(shot, (round(shot.shape[1] * shrink), round(shot.shape[0] * shrink)))
    part = _shrunk(page, (round(page.shape[1] * shrink), round(page.shape[0] * shrink)))
    tile = min(_TILE, min(small.shape) // 2 * 2)
    half = tile // 2
    middle = np.array([small.shape[1], small.shape[0]]) / 2
    here, there = [], []
    for x, y in _telling(small, tile):
        off = max(abs(x - middle[0]), abs(y - middle[1]))
        reach = half + _REACH * width * shrink + _STRETCH * off
        at = x + offset[0] * shrink, y + offset[1] * shrink
        x0, x1 = _inside(at[0] - reach, at[0] + reach, part.shape[1])
        y0, y1 = _inside(at[1] - reach, at[1] + reach, part.shape[0])
        if min(x1 - x0, y1 - y0) < tile:
            continue
        template = small[y - half : y + half, x - half : x + half]
        scores = cv2.matchTemplate(part[y0:y1, x0:x1], template, cv2.TM_CCOEFF_NORMED)
        _, _, _, best = cv2.minMaxLoc(scores)
        here.append((x, y))
        there.append((x0 + best[0] + half, y0 + best[1] + half))
    found: Any
    if len(here) < 4:
        return None
    found, _ = cv2.estimateAffinePartial2D(
        np.array(here, np.float32), np.array(there, np.float32), ransacReprojThreshold=2.5
    )
    if found is None:
        return None
    matrix = np.vstack([found, (0, 0, 1)]).astype(np.float64)
    matrix[:2, 2] /= shrink
    return matrix if _plausible(matrix, shot.shape) else None


def _telling(picture: Grey, tile: int) -> list[tuple[int, int]]:
    """Middles of tiles that hold more than one straight edge, the strongest first."""
    import cv2

    half = tile // 2
    corner = cv2.cornerMinEigenVal(cv2.GaussianBlur(picture, (0, 0), 0.8), tile | 1, ksize=3)
    xs = np.arange(half, picture.shape[1] - half + 1, half)
    ys = np.arange(half, picture.shape[0] - half + 1, half)
    x, y = (axis.ravel() for axis in np.meshgrid(xs, ys))
    strength = corner[np.minimum(y, picture.shape[0] - 1), np.minimum(x, picture.shape[1] - 1)]
    order = np.argsort(-strength, kind="stable")[:_TILES]
    return [(int(x[i]), int(y[i])) for i in order if strength[i] > _LEAST_CORNER]


def _finely(shot: Grey, page: Grey, matrix: Matrix) -> tuple[Matrix, int] | None:
    """The map made exact: points followed to where they are on the page."""
    import cv2

    high, wide = shot.shape
    apart = max(4.0, math.sqrt(shot.size / _POINTS / 1.5))
    points: Any = cv2.goodFeaturesToTrack(shot, _POINTS, 0.02, apart, blockSize=5)
    if points is None:
        return None
    inliers = 0
    for level in (2, 0):
        laid = cv2.warpPerspective(
            page, matrix, (wide, high), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            shot, laid, points, points.copy(), winSize=(21, 21), maxLevel=level
        )
        kept = found[:, 0] > 0
        fit = _fit(points[kept, 0], there[kept, 0])
        if fit is None:
            return None
        matrix, inliers = matrix @ fit[0], fit[1]
    return matrix / matrix[2, 2], inliers


def _fit(here: Points, there: Points) -> tuple[Matrix, int] | None:
    """An affine map, of few points a similarity, or a homography where much more follows it.

    What is cut from a screen needs no perspective, and where the points lie on one side of it
    only, perspective leads astray on the other.
    """
    import cv2

    found: Any
    bent: Any
    if len(here) < 4:
        return None
    estimate = cv2.estimateAffine2D if len(here) >= _FEW else cv2.estimateAffinePartial2D
    found, follow = estimate(here, there, ransacReprojThreshold=1.0)
    if found is None:
        return None
    matrix, count = np.vstack([found, (0, 0, 1)]), int(follow.sum())
    if count < _NEARLY * len(here) and len(here) >= _FEW:
        bent, follow = cv2.findHomography(here, there, cv2.USAC_MAGSAC, 1.0, None, 500, 0.999)
        if bent is not None and _NEARLY * int(follow.sum()) > count:
            matrix, count = bent, int(follow.sum())
    return np.asarray(matrix, np.float64), count


def _plausible(matrix: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether it is nearly a similarity, nearly upright and of about the expected scale."""
    if not np.isfinite(matrix).all():
        return False
    here = corners(shape)
    scaled = np.column_stack([here, np.ones(4)]) @ matrix.T
    if (scaled[:, 2] < 1e-3).any():
        return False
    there = scaled[:, :2] / scaled[:, 2:]
    # The similarity that comes nearest to it, in complex numbers.
    z, w = (here - here.mean(0)) @ (1, 1j), (there - there.mean(0)) @ (1, 1j)
    turn = (z.conj() @ w) / (z.conj() @ z).real
    lean = np.abs(w - turn * z).max() / np.abs(z).max()
    return bool(1 / _SCALE < abs(turn) < _SCALE and abs(np.angle(turn)) < _TURN and lean < _LEAN)
