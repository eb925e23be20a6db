"""Making a query image look like the page it was cut from: frame off, light on dark, level."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.screenshots.dewarp import levelled, skew_of
from mmsearch.types import Box

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]  # (height, width, 3)
Grey = NDArray[np.uint8]
Levels = NDArray[np.int16]
Mask = NDArray[np.bool_]

WHOLE = Box(0.0, 0.0, 1.0, 1.0)
_SIDE = 900  # pixels of the long side of the copy that everything is judged on
_LEAST_SIDE = 24  # pixels; smaller ones show nothing to judge by

# frames
_NEUTRAL = 16  # largest less smallest of red, green and blue
_NEAR = 5  # grey levels: the same colour
_PAPER = 250  # grey level; what is lighter may be the page
_BLACK = 45
_GROUNDS = 6  # colours that are tried,
_LEAST_SHARE = 0.006  # of the image, each
_LEAST_RUN = 0.35  # of the height: what stands beside a page
_SAME = 0.02  # of the height: strips that end together
_SLIVER = 4  # pixels: what is as narrow parts no strip
_LEAST_STRIP = 0.02  # of the width, where it is not sure otherwise
_LEAST_PAGE = 0.25  # of the width
_PART = 0.6  # of the widest: a page beside another one
_FILLED = 0.75  # of a row: it is above or below the page
_MOST_SHOWING = 0.3  # of what is kept: more of the colour, and it is the paper
_SCROLL_BAR = 0.04  # of the width
_EVEN = 0.7  # of a bar has one colour
_MOST_BARS = 0.25  # of the height

# dark mode
_DARK = 90  # grey level of the ground at most
_LEAST_GROUND = 0.4  # of the image
_GROUND_WIDTH = 12  # grey levels to either side
_LIGHT, _MOST_LIGHT = 220, 0.15  # grey level, and the share that may be so light
_LEAST_CONTRAST = 40  # grey levels between letters and ground
_LEAST_LETTERS = 8
_IN_LINES = 0.5  # of the letters have a neighbour on their line


class _Edges(NamedTuple):
    """A rectangle in pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Repaired:
    """A query image as it is searched.

    `image` is RGB. `steps` says what was done, such as "window frame cut off"; empty where
    nothing was. `region` is what is kept of the given image, before it was straightened.
    """

    image: Image
    steps: tuple[str, ...] = ()
    region: Box = WHOLE


def repair(image: Image) -> Repaired:
    """Undo what a screenshot has and its page has not, where it is sure.

    The frame of a window and bars beside the page are cut off, light text on a dark ground becomes
    dark on light, and lines of text that are 0.3 to 10 degrees askew become level.

    Args:
        image: of any mode and size.
    """
    import cv2

    if image.mode != "RGB":
        image = image.convert("RGB")
    steps = []
    region = _content(image)
    if region != WHOLE:
        steps.append("window frame cut off")
        wide, high = image.size
        x0, y0, x1, y1 = region
        image = image.crop((round(x0 * wide), round(y0 * high), round(x1 * wide), round(y1 * high)))
    pixels = _shrunk(image)
    if min(pixels.shape[:2]) < _LEAST_SIDE:
        return Repaired(image, tuple(steps), region)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    ground = _dark_ground(pixels, grey)
    if ground is not None:
        steps.append("inverted")
        image = _inverted(image, ground)
    skew = skew_of(grey)
    if skew:
        steps.append(f"straightened by {abs(skew):.1f}°")
        image = levelled(image, skew)
    return Repaired(image, tuple(steps), region)


def _shrunk(image: Image) -> Any:
    """The pixels, at most `_SIDE` a side."""
    import cv2

    factor = max(image.size) // _SIDE
    if factor >= 2:
        image = image.reduce(factor)
    scale = _SIDE / max(image.size)
    if scale >= 1:
        return np.asarray(image)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_LINEAR)


# --- frames


def _content(image: Image) -> Box:
    """The part of a screenshot that is a page, not the window or the bars around it."""
    import cv2

    pixels = _shrunk(image)
    high, wide = pixels.shape[:2]
    if min(high, wide) < _LEAST_SIDE:
        return WHOLE
    pixels = cv2.medianBlur(pixels, 3)
    red, green, blue = cv2.split(pixels)
    spread: Any = cv2.subtract(
        cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    )
    levels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.int16)
    page = _page_between(levels, spread < _NEUTRAL)
    if page is None:
        page = _Edges(0, _below_buttons(pixels, spread, levels), wide, high)
    if min(page.right - page.left, page.bottom - page.top) < _LEAST_SIDE:
        return WHOLE
    return Box(page.left / wide, page.top / high, page.right / wide, page.bottom / high)


def _page_between(levels: Levels, neutral: Mask) -> _Edges | None:
    """A page that stands between strips of one colour: a viewer's ground, or black bars."""
    masks = []
    for colour in _grounds(levels, neutral):
        near = min(_NEAR, (255 - colour) // 2)
        mask = (np.abs(levels - colour) <= near) & neutral
        strips = _strips(mask)
        page = _beside(levels, mask, strips, colour, sides=2)
        if page is None and colour <= _BLACK:
            turned = _beside(levels.T, mask.T, _strips(mask.T), colour, sides=2)
            if turned and turned.top == 0 and turned.bottom == mask.shape[1]:
                page = _Edges(turned.top, turned.left, turned.bottom, turned.right)
        if page is not None:
            return page
        masks.append((mask, strips, colour))
    for mask, strips, colour in masks:
        page = _beside(levels, mask, strips, colour, sides=1)
        if page is not None:
            return page
    return None


def _grounds(levels: Levels, neutral: Mask) -> list[int]:
    """Grey levels of large even areas that are no paper, most first."""
    upper, lower = levels[:-1:2, ::2], levels[1::2, ::2]
    even = neutral[1::2, ::2] & (np.abs(upper - lower) <= 2)
    counts = 4.0 * np.bincount(lower[even], minlength=256)
    counts = np.convolve(counts, np.ones(5), "same")
    counts[_PAPER + 1 :] = 0
    found = []
    for _ in range(_GROUNDS):
        level = int(counts.argmax())
        if counts[level] < _LEAST_SHARE * levels.size:
            break
        found.append(level)
        counts[max(0, level - _NEAR) : level + _NEAR + 1] = 0
    return found


def _beside(
    levels: Levels, mask: Mask, strips: list[_Edges], colour: int, sides: int
) -> _Edges | None:
    """The rectangle that has strips of a mask on so many sides, if these are sure."""
    high, wide = mask.shape
    edges = [_Edges(0, 0, 0, high), *strips, _Edges(wide, 0, wide, high)]
    widths = [b.left - a.right for a, b in pairwise(edges)]
    some = [index for index, width in enumerate(widths) if width >= _PART * max(widths)]
    left, right = edges[some[0]], edges[some[-1] + 1]
    found = [strip for strip in (left, right) if strip in strips]
    if len(found) != sides or max(widths) < _LEAST_PAGE * wide:
        return None
    slack = max(2, round(_SAME * high))
    top, bottom = min(strip.top for strip in found), max(strip.bottom for strip in found)
    if max(strip.top for strip in found) - top > slack:
        return None
    whole = left.left <= 0.01 * wide and right.right >= (1 - _SCROLL_BAR) * wide
    bar = _is_bar(levels[:top, left.left : right.right], colour, slack)
    thick = all(strip.right - strip.left >= _LEAST_STRIP * wide for strip in found)
    sure = whole or (bar and thick)
    if sides == 1:
        sure = whole and bar and thick and _is_chrome(levels[:top])
    if not sure:
        return None
    drawn = np.flatnonzero(mask[top:bottom, left.right : right.left].mean(axis=1) < _FILLED)
    if not len(drawn):
        return None
    top, bottom = top + int(drawn[0]), top + int(drawn[-1]) + 1
    if mask[top:bottom, left.right : right.left].mean() > _MOST_SHOWING:
        return None
    top, bottom = 0 if top <= 2 else top, high if bottom >= high - 2 else bottom
    return _Edges(left.right, top, right.left, bottom)


def _is_bar(above: Levels, colour: int, least: int) -> bool:
    """Whether the foot of what is above has one other colour, all along."""
    if len(above) <= least:
        return False
    foot = above[-least - 1 : -1]
    ground = float(np.median(foot))
    return abs(ground - colour) > _NEAR and float((abs(foot - ground) <= _NEAR).mean()) > _EVEN


def _is_chrome(above: Levels) -> bool:
    """Whether nearly every row has one colour all along, and none is paper."""
    grounds = np.median(above, axis=1, keepdims=True)
    even = (np.abs(above - grounds) <= _NEAR).mean(axis=1) > _EVEN
    return bool((even & (grounds[:, 0] <= _PAPER)).mean() > 0.9)


def _strips(mask: Mask) -> list[_Edges]:
    """Neighbouring columns with long runs of the mask, left to right."""
    import cv2

    least = _LEAST_RUN * len(mask)
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 1), np.uint8))
    columns = np.flatnonzero(np.count_nonzero(closed, axis=0) >= least)
    columns = columns[[_longest(closed[:, x])[1] >= least for x in columns]]
    strips = []
    for part in np.split(columns, np.flatnonzero(np.diff(columns) > _SLIVER) + 1):
        if len(part) < 2:
            continue
        left, right = int(part[0]), int(part[-1]) + 1
        top, length = _longest(closed[:, left:right].mean(axis=1) > 0.6)
        if length >= least:
            strips.append(_Edges(left, top, right, top + length))
    return strips


def _longest(run: NDArray[Any]) -> tuple[int, int]:
    """Where the longest run of a column starts, and how long it is."""
    ends = np.flatnonzero(np.diff(run.astype(np.int8), prepend=0, append=0))
    if not len(ends):
        return 0, 0
    lengths = ends[1::2] - ends[::2]
    best = int(lengths.argmax())
    return int(ends[2 * best]), int(lengths[best])


def _below_buttons(pixels: Pixels, spread: Grey, levels: Levels) -> int:
    """The row below the bars of a window with red, yellow and green buttons; 0 for no such."""
    import cv2

    high, wide = levels.shape
    most = int(_MOST_BARS * high)
    count, _, stats, middles = cv2.connectedComponentsWithStats(
        (spread[:most, : int(0.4 * wide)] > 90).astype(np.uint8), connectivity=8
    )
    colours = pixels[:most]
    found: dict[str, _Edges] = {}
    for index in range(1, min(count, 40)):
        left, top, across, down, area = (int(value) for value in stats[index])
        x, y = (int(value) for value in middles[index])
        if min(across, down) < 4 or max(across, down) > 1.3 * min(across, down) + 1:
            continue
        if not 0.6 * across * down < area < 0.95 * across * down:
            continue
        red, green, blue = (int(value) for value in colours[y, x])
        name = "green" if green > red + 40 else "yellow" if green > blue + 60 else "red"
        found.setdefault(name, _Edges(left, top, left + across, top + down))
    if len(found) < 3:
        return 0
    first, second, third = (found[name] for name in ("red", "yellow", "green"))
    size = first.right - first.left
    steps = (second.left - first.left, third.left - second.left)
    in_line = max(abs(second.top - first.top), abs(third.top - first.top)) <= 2
    if not in_line or abs(steps[0] - steps[1]) > 2 or not 1.2 * size < steps[0] < 3 * size:
        return 0
    return _last_bar(levels[: most + 2], first.bottom)


def _last_bar(levels: Levels, row: int) -> int:
    """The row at which the bars end that one below the other begin above `row`; 0 for none."""
    change = np.abs(levels[2:] - levels[:-2]) > 3
    edges = 1 + np.flatnonzero(change.mean(axis=1) > 0.95)
    end = 0
    for edge in edges[edges > row]:
        band = levels[max(end, row) + 1 : edge - 1]
        if end and edge - end > 2:
            ground = float(np.median(band)) if band.size else 255.0
            if ground > _PAPER or (np.abs(band - ground) <= _NEAR).mean() < _EVEN:
                break
        end = int(edge) + 1
    return end


# --- dark mode


def _dark_ground(pixels: Pixels, grey: Grey) -> int | None:
    """The grey level that light text stands on; None where it is not sure that it does."""
    import cv2

    counts = np.convolve(np.bincount(grey.ravel(), minlength=256), np.bartlett(9), "same")
    ground = int(counts.argmax())
    on_ground = np.abs(grey.astype(np.int16) - ground) <= _GROUND_WIDTH
    if ground > _DARK or on_ground.mean() < _LEAST_GROUND:
        return None
    if np.ptp(np.median(pixels[on_ground], axis=0)) > _NEUTRAL:
        return None  # of a colour, such as a slide's
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (15, 15))
    under = cv2.erode(grey, kernel)
    if (under > _LIGHT).mean() > _MOST_LIGHT:
        return None  # part of it is paper
    light = cv2.subtract(grey, cv2.dilate(under, kernel))
    stands = under <= ground + _GROUND_WIDTH  # JPEG makes it darker beside letters
    thin = (light > _LEAST_CONTRAST) & (grey > ground + _LEAST_CONTRAST)
    return ground if _is_text(thin & stands) else None


def _is_text(ink: Mask) -> bool:
    """Whether the pieces are letters: enough of about one height, with neighbours on a line."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    left, top, wide, high, _ = stats[1:].T
    some = (high >= 3) & (high <= 60) & (wide <= 8 * high) & (high <= 8 * wide)
    boxes = np.stack([left, top, wide, high], axis=1)[some].astype(np.float32)[:600]
    if len(boxes) < _LEAST_LETTERS:
        return False
    bottoms, heights, lefts = boxes[:, 1] + boxes[:, 3], boxes[:, 3], boxes[:, 0]
    slack = 0.35 * heights[:, None]
    level = np.abs(bottoms[:, None] - bottoms[None]) <= np.maximum(1.5, slack)
    alike = np.abs(heights[:, None] - heights[None]) <= np.maximum(1.5, 0.6 * heights[:, None])
    away = np.abs(lefts[:, None] - lefts[None])
    near = (away > 0) & (away < boxes[:, 2][:, None] + 3 * heights[:, None])
    return bool((level & alike & near).any(axis=1).mean() >= _IN_LINES)


def _inverted(image: Image, ground: int) -> Image:
    """Light and dark exchanged, and the ground made white."""
    table = np.clip((255 - np.arange(256)) * 255 / (255 - ground), 0, 255).round().astype(int)
    return image.point(table.tolist() * 3)
