"""Which way a page image lies, and making it upright: quarter turns and small skew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.ocr.ink import Ink
from mmsearch.types import Float32

if TYPE_CHECKING:
    from PIL.Image import Image

Turn = Literal[0, 90, 180, 270]

LEAST_SKEW = 0.3  # degrees; less is not seen and does no harm
_MOST_SKEW = 10.0
_STEP, _FINE_STEP = 0.25, 0.05  # degrees
_LEAST_LETTERS = 20
_MOST_LETTERS = 3000
_LEAST_SHARPNESS = 1.35


class Lines(NamedTuple):
    """How the lines of text run: `vertical` where from top to bottom, and their skew.

    `skew` is in degrees, clockwise (lines fall to the right), 0 where it is not known.
    """

    vertical: bool = False
    skew: float = 0.0
    sharpness: float = 0.0


def lines_of(ink: Ink) -> Lines:
    """How the lines on a page run, as far as its ink tells."""
    letters = ink.letters
    if len(letters) < _LEAST_LETTERS:
        return Lines()
    if len(letters) > _MOST_LETTERS:
        letters = letters[np.linspace(0, len(letters) - 1, _MOST_LETTERS).astype(int)]
    vertical = _run_vertically(letters)
    across, along = (1, 0) if vertical else (0, 1)
    middles = (letters[:, across] + letters[:, across + 2] / 2).astype(np.float32)
    near = letters[:, along].astype(np.float32)
    far = near + letters[:, along + 2]
    side = float(np.median(letters[:, along + 2]))
    skew, sharpness = _best_skew(middles, near, far, side)
    if sharpness < _LEAST_SHARPNESS:
        return Lines(vertical, 0.0, sharpness)
    return Lines(vertical, -skew if vertical else skew, sharpness)


def straightened(image: Image, turn: Turn, skew: float) -> Image:
    """The image turned clockwise by `turn` degrees, then by `-skew`: lines become level.

    What comes into view at the corners has the colour of the paper.
    """
    from PIL import Image as images

    turns = {
        90: images.Transpose.ROTATE_270,
        180: images.Transpose.ROTATE_180,
        270: images.Transpose.ROTATE_90,
    }
    if turn:
        image = image.transpose(turns[turn])
    if abs(skew) < LEAST_SKEW:
        return image
    # Pillow turns counter-clockwise, which levels lines that fall to the right.
    return image.rotate(
        skew, images.Resampling.BICUBIC, expand=True, fillcolor=_paper_colour(image)
    )


def _paper_colour(image: Image) -> tuple[int, ...] | int:
    """The median colour of the image's border."""
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = np.median(edge, axis=0)
    return int(colour) if colour.ndim == 0 else tuple(int(value) for value in colour)


def _run_vertically(letters: NDArray[np.int32]) -> bool:
    """Whether most letters have their nearest neighbour above or below, not beside."""
    corners = letters.astype(np.float32)
    votes = np.zeros(2)
    some = corners[np.linspace(0, len(corners) - 1, min(len(corners), 600)).astype(int)]
    for left, top, wide, high in some:
        # Gaps between the boxes, not between their middles: letters are higher than wide.
        across = np.maximum(corners[:, 0] - left - wide, left - corners[:, 0] - corners[:, 2])
        down = np.maximum(corners[:, 1] - top - high, top - corners[:, 1] - corners[:, 3])
        beside = np.where((across > -1) & (down < -0.3 * high), across, np.inf).min()
        below = np.where((down > -1) & (across < -0.3 * wide), down, np.inf).min()
        if beside != below:
            votes[int(below < beside)] += 1
    return bool(votes[1] > 1.5 * votes[0])


def _best_skew(middles: Float32, near: Float32, far: Float32, side: float) -> tuple[float, float]:
    """The angle in degrees at which edges of letters fall together most, and how much more."""

    def gathered(angle: float, step: float) -> float:
        total = 0.0
        slope, level = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        for edges in (near, far):
            rows = (edges * level - middles * slope) / step
            counts = np.bincount((rows - rows.min()).astype(int)).astype(float)
            # Neighbours count as well: no line is cut in two by the grid.
            total += float(counts @ counts + 2 * (counts[1:] @ counts[:-1]))
        return total

    step, fine_step = max(1.0, 0.15 * side), max(0.5, 0.05 * side)
    coarse = np.arange(-_MOST_SKEW - 2, _MOST_SKEW + 2 + _STEP, _STEP)
    scores = np.array([gathered(angle, step) for angle in coarse])
    at = int(scores.argmax())
    fine = coarse[at] + np.arange(-2 * _STEP, 2 * _STEP + _FINE_STEP, _FINE_STEP)
    finest = np.array([gathered(angle, fine_step) for angle in fine])
    best = float(fine[finest.argmax()])
    sharpness = float(scores[at] / np.median(scores))
    return (best, sharpness) if abs(best) <= _MOST_SKEW else (0.0, 0.0)
