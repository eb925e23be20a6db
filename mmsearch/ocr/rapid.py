"""RapidOCR: lines are found on the whole page, then read one by one from the full image."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmsearch.errors import MissingExtra
from mmsearch.ocr.layout import Line, clipped, split_line
from mmsearch.types import Box

if TYPE_CHECKING:
    from PIL.Image import Image

_DETECTION_SIDE = 1280  # pixels; lines are found at this size and read at the full one
_LEAST_SIDE = 17  # pixels, of the image in which lines are found
_LEAST_SCORE = 0.5  # of a line that is kept
_CHARACTER = 0.5  # width of a character in heights of its line, for lines that were not read
_PROBES = 3  # lines that are read to see which way they stand
_UPRIGHT = 0.9  # mean score of lines that surely stand upright
_MUCH_BETTER = 0.1
_TALL = 1.5  # height by width of a line that stands on its end


class Found(NamedTuple):
    """What RapidOCR read; `unread` is the length, in characters, of lines that it could not read.

    Of scripts that it does not know it finds the lines and reads nothing.
    """

    lines: tuple[Line, ...] = ()
    unread: float = 0.0


class Regions(NamedTuple):
    """Where lines of text are: their corners in pixels, (n, 4, 2) float32, and their boxes."""

    corners: Any
    boxes: tuple[Box, ...]


def find(image: Image) -> Regions:
    """Find the lines of text on an image, whatever their script."""
    pixels = _pixels(image)
    height, width = pixels.shape[:2]
    if min(height, width) * min(1.0, _DETECTION_SIDE / max(height, width)) < _LEAST_SIDE:
        return Regions(np.zeros((0, 4, 2), np.float32), ())  # it would shrink to nothing
    # Options given to one call stay for the next: always give all of them.
    found = _engine()(
        pixels,
        use_det=True,
        use_cls=False,
        use_rec=False,
        return_word_box=False,
        return_single_char_box=False,
        text_score=_LEAST_SCORE,
    )
    corners = getattr(found, "boxes", None)
    if corners is None or not len(corners):
        return Regions(np.zeros((0, 4, 2), np.float32), ())
    corners = np.asarray(corners, np.float32)
    low, high = corners.min(axis=1), corners.max(axis=1)
    boxes = tuple(
        clipped(left / width, top / height, right / width, bottom / height)
        for (left, top), (right, bottom) in zip(low, high, strict=True)
    )
    return Regions(corners, boxes)


def read(image: Image, regions: Regions, among: Sequence[int] | None = None) -> Found:
    """Read the lines found, all or those `among` them; what cannot be read is left out."""
    indices = range(len(regions.boxes)) if among is None else among
    crops = _crops(image, regions, indices)
    lines, unread = [], 0.0
    for index, crop, (text, score) in zip(indices, crops, _texts(crops), strict=True):
        if not text.strip() or score < _LEAST_SCORE:
            sides = sorted(crop.shape[:2])
            unread += sides[1] / max(sides[0], 1) / _CHARACTER
            continue
        box = regions.boxes[index]
        lines.append(Line(text, box, score, tuple(split_line(text, box, score))))
    return Found(tuple(lines), unread)


def stand_on_end(image: Image, regions: Regions) -> bool:
    """Whether most lines run from top to bottom."""
    aspect = image.width / image.height
    sides = [(box.x1 - box.x0, (box.y1 - box.y0) / aspect) for box in regions.boxes]
    long = [(wide, high) for wide, high in sides if max(wide, high) > 2 * min(wide, high)]
    return sum(high > _TALL * wide for wide, high in long) > len(long) / 2


def upside_down(image: Image, regions: Regions) -> bool:
    """Whether lines that run from left to right stand on their heads.

    Some of the longest lines are read, and where that goes badly read the other way round: .99 to
    .67 on print. The library's own classifier of lines is wrong about every third Latin one.
    """
    lengths = [box.x1 - box.x0 for box in regions.boxes]
    longest = sorted(range(len(lengths)), key=lambda index: -lengths[index])[:_PROBES]
    crops = _crops(image, regions, longest)
    upright = _mean_score(crops)
    if not crops or upright >= _UPRIGHT:
        return False
    over = [np.ascontiguousarray(crop[::-1, ::-1]) for crop in crops]
    return _mean_score(over) > upright + _MUCH_BETTER


def _mean_score(crops: list[Any]) -> float:
    read = _texts(crops)
    letters = sum(len(text) for text, _ in read)
    return sum(len(text) * score for text, score in read) / max(letters, 1)


def _crops(image: Image, regions: Regions, indices: Sequence[int]) -> list[Any]:
    if not len(indices):
        return []
    corners = [regions.corners[index] for index in indices]
    return list(_engine().crop_text_regions(_pixels(image), corners))


def _texts(crops: list[Any]) -> list[tuple[str, float]]:
    if not crops:
        return []
    read = _engine().recognize_txt(crops)
    return [(text, float(score)) for text, score in zip(read.txts, read.scores, strict=True)]


def _pixels(image: Image) -> Any:
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


@cache
def _engine() -> Any:
    """The engine, made once per process: it checks and loads 30 MB of models."""
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise MissingExtra(
            "OCR: RapidOCR is not installed; pip install rapidocr onnxruntime"
        ) from error
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    onnx = "EngineConfig.onnxruntime."
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECTION_SIDE,
            # Lines are read one at a time, padded to no more than 160 pixels: cells of a table take
            # less than in the library's sixes padded to 320.
            "Rec.rec_img_shape": [3, 48, 160],
            "Rec.rec_batch_num": 1,
            f"{onnx}intra_op_num_threads": 1,  # pages are read in parallel
            f"{onnx}inter_op_num_threads": 1,
            f"{onnx}enable_cpu_mem_arena": True,  # a third faster than without
        }
    )
