"""Whether a screenshot was cut from this very page: everything drawn on it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.screenshots.registration import Grey, Laid, Pose, lay, moved, outline
from mmsearch.types import Box, Match

__all__ = ["Pose", "verify"]

LEAST_AGREEMENT = 0.965  # of what is drawn: lines may differ, and edges
LEAST_DRAWN = 40  # windows: a line or two alone stand on many pages
LEAST_INLIERS = 4
MOST_BEYOND = 0.15  # of what the screenshot shows may lie beside the page: bars of a window
MOST_BEYOND_ON_PAPER = 0.01  # where the ground there is that of the page: another, larger sheet
MOST_DRAWN_AROUND = 0.45  # of what is taken off as the frame of a window: it is mostly flat
LEAST_CORRELATION = 0.8  # of a window with its counterpart
LEAST_CORRELATION_LINES = 0.5  # where they hold straight lines only
MOST_UNLIKE_WEIGHT = 0.065  # that strokes may be heavier or lighter: bold is .08 to .25

_WINDOW, _STEP = 9, 4  # px: a letter or two; windows overlap
# Renderers set letters and hairlines on whole pixels, each on those of its own resolution.
_SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
_WHOLE = 0.9  # of a window that the screenshot covers
_RIM = 3  # px inside of its outline that are not judged
_STRAIGHT = 0.25  # of a gradient's strength that goes across its main direction
_BLUR = 0.8  # px; what the two renderings differ in
_INK, _MOST_INK = 100.0, 400.0  # variance from which a window counts as drawn, by its noise
_LEVELS = 16.0  # of 255: two flat windows that look the same
_CONTRAST = 3.0  # times more or less than elsewhere
_PAPER = 90  # percentile of a page's levels
_FOREIGN = 0.5  # of a row or column that differs: it does not belong to the page
_GROUND = 0.2  # of it that is flat: enough to judge by
_CLOSE = 0.7  # of the pixels of a row or column that belongs to the page
_OVER = 2  # windows
_LOOSE, _THIN = 4, 2  # windows without that, beside a frame and where there is only its edge


Mean = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # of each window


class _Cells(NamedTuple):
    """The windows of a comparison on their grid, (rows, columns) bool each."""

    valid: NDArray[np.bool_]  # covered by the screenshot,
    judged: NDArray[np.bool_]  # and well inside of it
    drawn: NDArray[np.bool_]
    same: NDArray[np.bool_]
    inked: NDArray[np.bool_]  # drawn in the screenshot
    straight: NDArray[np.bool_]  # holds lines of one direction
    paper: NDArray[np.bool_]  # flat in the screenshot, and as light as its paper
    correlation: NDArray[np.float32]
    ours: NDArray[np.float32]  # mean level in the screenshot,
    theirs: NDArray[np.float32]  # and on the page


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a comparison came to. `box` as in `Match`; `drawn` and `same` count windows, `strange`
    those that differ by more than lines and edges.

    `around` is the share of windows with something drawn, of those outside of `box`. `beyond` is
    the share of what is drawn in the screenshot that would lie beside the page, `on_paper` whether
    on the same ground, `correlation` the
    mean of the drawn windows. `weight` is the ink of letters in relation to that of the page's,
    the median: 1 where strokes are as thick.
    """

    box: Box
    inliers: int
    drawn: int
    same: int
    strange: int
    around: float
    beyond: float
    on_paper: bool
    correlation: float
    weight: float

    @property
    def agreement(self) -> float:
        """The share of drawn windows that look the same, in [0, 1]."""
        return self.same / self.drawn if self.drawn else 0.0


def verify(shot: Grey, page: Grey, pose: Pose) -> Match | None:
    """The spot on the page that a screenshot was cut from; None where it shows something else.

    Args:
        shot: (h, w) of the query image; it may have a frame or margins around the page.
        page: (H, W) of the stored page picture.
        pose: where it seems to sit, off by at most 10 % in scale and 5 % of the page's width.
    """
    evidence = compare(shot, page, pose)
    if (
        evidence is None
        or evidence.agreement < LEAST_AGREEMENT
        or evidence.drawn < LEAST_DRAWN
        or evidence.strange
        or evidence.inliers < LEAST_INLIERS
        or evidence.around > MOST_DRAWN_AROUND
        or evidence.beyond > (MOST_BEYOND_ON_PAPER if evidence.on_paper else MOST_BEYOND)
        or abs(evidence.weight - 1) > MOST_UNLIKE_WEIGHT
    ):
        return None
    # Of pages that all pass, that with another digit at the limit of what can be seen fits worse.
    fit = evidence.agreement * max(evidence.correlation, 0.0)
    return Match(evidence.box, evidence.inliers, round(fit, 5), pose.inverted)


def compare(shot: Grey, page: Grey, pose: Pose) -> Evidence | None:
    """What speaks for a screenshot being of this page; None where it cannot be laid on it."""
    import cv2

    laid = lay(shot, page, pose)
    if laid is None:
        return None
    quad = moved(outline(laid), laid.matrix)
    high, wide = laid.page.shape
    left, top = np.clip(np.floor(quad.min(axis=0)), 0, (wide, high)).astype(int)
    right, bottom = np.clip(np.ceil(quad.max(axis=0)), 0, (wide, high)).astype(int)
    if min(right - left, bottom - top) < 2 * _WINDOW:
        return None
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
    size = (int(right - left), int(bottom - top))
    warped = cv2.warpPerspective(
        laid.shot, shift @ laid.matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.round(quad - (left, top)).astype(np.int32), 1)
    here = _blurred(np.asarray(warped, np.uint8))
    there = _blurred(laid.page[top:bottom, left:right])
    cells, gain, offset = _cells(here, there, mask)
    rows, columns, framed = _kept(cells)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    close = np.abs(gain * here + offset - there) < _LEVELS
    x0, x1 = _edges(close, rows, columns, framed[2:], quad[:, 0] - left)
    y0, y1 = _edges(close.T, columns, rows, framed[:2], quad[[0, 3, 2, 1], 1] - top)
    inner = tuple(
        _inner(kept, count) for kept, count in zip((rows, columns), cells.valid.shape, strict=True)
    )
    drawn = (cells.judged & cells.drawn)[inner]
    differs = drawn & ~cells.same[inner]
    outside = cells.valid & ~np.outer(
        _touching(y0, y1, len(cells.valid)), _touching(x0, x1, cells.valid.shape[1])
    )
    to_page = np.array([laid.scale[0] * page.shape[1], laid.scale[1] * page.shape[0]])
    origin = np.array(laid.origin) / (page.shape[1], page.shape[0])
    low = origin + np.array([left + x0, top + y0]) / to_page
    end = origin + np.array([left + x1, top + y1]) / to_page
    box = Box(*(float(value) for value in np.clip([*low, *end], 0, 1)))
    return Evidence(
        box,
        laid.inliers,
        int(drawn.sum()),
        int(drawn.sum() - differs.sum()),
        int((differs & ~cells.straight[inner]).sum()),
        float(cells.inked[outside].mean()) if outside.any() else 0.0,
        *_beyond(laid),
        float(cells.correlation[inner][drawn].mean()) if drawn.any() else 0.0,
        _weight(cells, inner, gain, offset, float(np.percentile(there, _PAPER))),
    )


def _weight(
    cells: _Cells, inner: tuple[slice, ...], gain: float, offset: float, paper: float
) -> float:
    """How much ink letters have here in relation to there, median of their windows."""
    letters = (cells.judged & cells.drawn & ~cells.straight)[inner]
    there = paper - cells.theirs[inner][letters]
    inked = there > _LEVELS / 2
    if not inked.any():
        return 1.0
    here = paper - (gain * cells.ours[inner][letters] + offset)
    weight = float(np.median(here[inked] / there[inked]))
    # Where few windows told of the light, the gain is what is off and not the strokes.
    return min(weight, weight / gain, key=lambda value: abs(value - 1))


def _beyond(laid: Laid) -> tuple[float, bool]:
    """The share of what is drawn in the screenshot that would lie beside the page, and whether the
    ground is the same there.
    """
    import cv2

    values = laid.shot.astype(np.float32)
    window = (_WINDOW, _WINDOW)
    means = cv2.blur(values, window)
    drawn = (cv2.blur(values * values, window) - means**2)[::_STEP, ::_STEP] > _INK
    y, x = np.indices(drawn.shape) * _STEP
    places = moved(np.column_stack([x.ravel(), y.ravel()]).astype(np.float64), laid.matrix)
    high, wide = laid.page.shape
    inside = (places >= 0).all(axis=1) & (places < (wide, high)).all(axis=1)
    inside = inside.reshape(drawn.shape)
    flat = means[::_STEP, ::_STEP]
    grounds = [flat[~drawn & part] for part in (inside, ~inside)]
    if not drawn.any() or not all(map(len, grounds)):
        return float((drawn & ~inside).sum() / max(1, drawn.sum())), False
    here, beside = map(np.median, grounds)
    return float((drawn & ~inside).sum() / drawn.sum()), bool(abs(here - beside) < _LEVELS)


def _blurred(picture: Grey) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _BLUR), np.float32)


def _inner(kept: slice, count: int) -> slice:
    """What is kept, without the windows that reach over the edge where something was taken off."""
    return slice(
        kept.start + (_OVER if kept.start > 0 else 0),
        kept.stop - (_OVER if kept.stop < count else 0),
    )


def _touching(low: float, high: float, count: int) -> NDArray[np.bool_]:
    """Which of `count` windows in a row reach into the pixels from `low` to `high`."""
    starts = np.arange(count) * _STEP
    return (starts + _WINDOW > low) & (starts < high)


def _cells(
    here: NDArray[np.float32], there: NDArray[np.float32], mask: Grey
) -> tuple[_Cells, float, float]:
    """Compare window by window; and the gain and offset of light that lead from here to there."""
    import cv2

    half = _WINDOW // 2
    grid = (slice(half, -half, _STEP), slice(half, -half, _STEP))

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(values, (_WINDOW, _WINDOW))[grid], np.float32)

    ours, theirs = mean(here), mean(there)
    our_spread = np.maximum(mean(here * here) - ours**2, 0)
    their_spread = np.maximum(mean(there * there) - theirs**2, 0)
    valid = mean(mask.astype(np.float32)) > _WHOLE
    rim = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    inside = cv2.erode(mask, rim, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    judged = mean(inside.astype(np.float32)) > 0.99
    empty = valid & (their_spread < _INK / 5)
    noise = float(np.median(our_spread[empty])) if empty.any() else 0.0
    ink = min(max(_INK, 3 * noise), _MOST_INK)
    inked = our_spread > ink
    drawn = inked | (their_spread > ink)
    floor = ink / 4
    correlation = np.full(ours.shape, -1, np.float32)
    for x, y in _SHIFTS:
        moved = np.roll(there, (y, x), axis=(0, 1))
        mean_there = mean(moved)
        spread = np.maximum(mean(moved * moved) - mean_there**2, floor)
        together = mean(here * moved) - ours * mean_there
        np.maximum(
            correlation, together / np.sqrt(np.maximum(our_spread, floor) * spread), out=correlation
        )
    straight = np.maximum(_across(here, mean), _across(there, mean)) < _STRAIGHT
    least = np.where(straight, LEAST_CORRELATION_LINES, LEAST_CORRELATION)
    alike = correlation > least
    fitting = drawn & alike & valid
    gain, offset = _light(ours[fitting], theirs[fitting])
    ratio = np.sqrt((their_spread + floor) / (gain**2 * our_spread + floor))
    alike &= (ratio < _CONTRAST) & (ratio > 1 / _CONTRAST)
    level = np.abs(gain * ours + offset - theirs) < _LEVELS
    same = np.where(drawn, alike, level)
    fits = ours[valid & ~drawn & level]
    paper = ~inked & (np.abs(ours - np.median(fits)) < _LEVELS) if len(fits) else ~valid
    cells = _Cells(valid, judged, drawn, same, inked, straight, paper, correlation, ours, theirs)
    return cells, gain, offset


def _light(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> tuple[float, float]:
    """Gain and offset that lead from the levels of windows to those of their counterparts."""
    if not len(ours):
        return 1.0, 0.0
    gain = float(theirs.std() / ours.std()) if ours.std() > _LEVELS else 1.0
    gain = min(max(gain, 1 / _CONTRAST), _CONTRAST)
    return gain, float(np.median(theirs - gain * ours))


def _across(picture: NDArray[np.float32], mean: Mean) -> NDArray[np.float32]:
    """How much of the gradient goes across its main direction: 0 on a line, 1 on a corner."""
    import cv2

    x, y = (cv2.Sobel(picture, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    xx, yy, xy = mean(x * x), mean(y * y), mean(x * y)
    spread = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    return np.asarray((xx + yy - spread) / (xx + yy + spread + 1e-6), np.float32)


def _kept(cells: _Cells) -> tuple[slice, slice, list[bool]]:
    """The rows and columns of windows left when the frame around the page is taken off.

    A frame has another ground than the page: that tells it from other words on the same paper.
    Where it ends, and where it is thin, a few windows reach over its edge and have no ground.
    The third value says of top, bottom, left and right whether a frame was there.
    """
    kept = [0, len(cells.valid), 0, cells.valid.shape[1]]  # top, bottom, left, right
    loose = [0, 0, 0, 0]
    framed = [False] * 4
    while kept[0] < kept[1] and kept[2] < kept[3]:
        rows, columns = slice(*kept[:2]), slice(*kept[2:])
        lines: list[tuple[int | slice, int | slice]] = [
            (kept[0], columns), (kept[1] - 1, columns), (rows, kept[2]), (rows, kept[3] - 1),
        ]  # fmt: skip
        found = [_foreign(cells, line) for line in lines]
        # The strangest first: a frame on the left makes every row look strange.
        for side in sorted(range(4), key=lambda side: -found[side][2]):
            ground, foreign, _ = found[side]
            if foreign and (ground or loose[side] < (_LOOSE if framed[side] else _THIN)):
                loose[side] = 0 if ground else loose[side] + 1
                framed[side] |= ground
                kept[side] += -1 if side % 2 else 1
                break
        else:
            break
    return slice(*kept[:2]), slice(*kept[2:]), framed


def _foreign(cells: _Cells, line: tuple[int | slice, int | slice]) -> tuple[bool, bool, float]:
    """Of a row or column: does it show ground, is that strange, and how much of all is."""
    valid, differs = cells.valid[line], ~cells.same[line]
    if not valid.any():
        return True, True, 1.0
    flat = valid & ~cells.inked[line]
    ground = bool(flat.sum() > _GROUND * valid.sum())
    # Paper where the page has a coloured row is another page, not a frame.
    foreign = differs & ~cells.paper[line]
    strange = bool(foreign[flat if ground else valid].mean() > _FOREIGN)
    return ground, strange, float(differs[valid].mean())


def _edges(
    close: NDArray[np.bool_],
    rows: slice,
    columns: slice,
    framed: list[bool],
    ends: NDArray[np.float64],
) -> tuple[float, float]:
    """Left and right end, in pixels, of what is kept: to the pixel where something was taken off.

    Args:
        close: (h, w), pixels that look the same.
        rows, columns: of windows that are kept.
        framed: whether there is a frame on the left and on the right.
        ends: x of the screenshot's corners, clockwise from the upper left.
    """
    band = close[rows.start * _STEP : rows.stop * _STEP + _WINDOW]
    good = band.mean(axis=0) > _CLOSE
    low, high = (ends[0] + ends[3]) / 2, (ends[1] + ends[2]) / 2
    half = _WINDOW // 2
    if framed[0]:
        at = columns.start * _STEP + half
        while at > max(low, columns.start * _STEP - _WINDOW, 0) and good[at - 1]:
            at -= 1
        low = at
    if framed[1]:
        at = (columns.stop - 1) * _STEP + half
        limit = min(high, columns.stop * _STEP + 2 * _WINDOW, close.shape[1] - 1)
        while at < limit and good[at + 1]:
            at += 1
        high = at + 1
    return float(low), float(high)
