"""Screenshots cut from the stored pictures of pages, as people cut and send them."""

from __future__ import annotations

import io
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmsearch import documents
from mmsearch.errors import NotFound, UnreadableFile
from mmsearch.images import open_image
from mmsearch.types import Box

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.engine import SearchEngine

WIDTH, HEIGHT = (0.3, 0.8), (0.12, 0.4)  # of the page, as people cut
SCALE = (0.35, 1.0)  # of the stored picture
QUALITY = (35, 85)  # of the JPEG
MOST_A_PAGE = 3

_DRAWS = 20  # pages tried for a screenshot, at most
_BOXES = 40  # boxes tried on a page
_LEAST_SIDE = 48  # pixels of a screenshot
_BLOCK_WIDTH = 50  # blocks to a page's width: what a box holds is judged by those
_EDGE = 25  # of 255: difference of neighbours that counts as drawn
_LEAST_DRAWN = 0.25  # of the blocks of a box


@dataclass(frozen=True, slots=True)
class Cut:
    """A screenshot, and the truth: document id, page from 1, and box on the page."""

    image: Image
    document: str
    page: int
    box: Box
    pixels: int  # of the page picture


def cuts(engine: SearchEngine, count: int, seed: int = 1) -> Iterator[Cut]:
    """Screenshots of pages drawn by chance; fewer than `count` where there are too few pages.

    Raises:
        NotFound: the index is empty.
    """
    known = sorted(engine.documents.all(), key=lambda document: document.id)
    lengths = list(itertools.accumulate(document.page_count for document in known))
    if not lengths or not lengths[-1]:
        raise NotFound(f"{engine.index.address}: is empty; add files: mmsearch ingest PATH")
    chance = random.Random(seed)
    left = count
    tried: Counter[tuple[str, int]] = Counter()
    for _ in range(count * _DRAWS):
        (document,) = chance.choices(known, cum_weights=lengths)
        page = (document.id, chance.randint(1, document.page_count))
        if tried[page] == MOST_A_PAGE:
            continue
        cut = _cut(engine, *page, chance)
        tried[page] += 1 if cut else MOST_A_PAGE - tried[page]
        if cut:
            yield cut
            left -= 1
        if not left:
            return


def _cut(engine: SearchEngine, document: str, number: int, chance: random.Random) -> Cut | None:
    """A part of a page that shows something, as a JPEG has it; None where there is none."""
    point = documents.point_id(document, number)
    (*found,) = engine.index.pages.retrieve([point], payload=["ready", "blank"])
    if not found or not found[0].payload["ready"] or found[0].payload["blank"]:
        return None
    try:
        picture = open_image(engine.store.picture(document, number))
    except (NotFound, UnreadableFile):
        return None
    drawn = _drawn(picture)
    for _ in range(_BOXES):
        box = box_by_chance(chance)
        scale = chance.uniform(*SCALE)
        part = picture.crop(pixels(box, *picture.size))
        if min(part.size) < _LEAST_SIDE or _inside(drawn, box).mean() < _LEAST_DRAWN:
            continue
        scale = max(scale, _LEAST_SIDE / min(part.size))
        width, height = (round(side * scale) for side in part.size)
        buffer = io.BytesIO()
        part.resize((width, height)).save(buffer, "JPEG", quality=chance.randint(*QUALITY))
        size = picture.width * picture.height
        return Cut(open_image(buffer.getvalue()), document, number, box, size)
    return None


def box_by_chance(chance: random.Random) -> Box:
    """A part of a page, as large as people cut."""
    width, height = chance.uniform(*WIDTH), chance.uniform(*HEIGHT)
    left, top = chance.uniform(0.02, 0.98 - width), chance.uniform(0.02, 0.98 - height)
    return Box(left, top, left + width, top + height)


def _drawn(picture: Image) -> NDArray[np.bool_]:
    """Which blocks of a page have an edge in them."""
    grey = np.asarray(picture.convert("L"), np.int16)
    edges = np.zeros(grey.shape, np.bool_)
    edges[:, 1:] |= np.abs(np.diff(grey, axis=1)) > _EDGE
    edges[1:] |= np.abs(np.diff(grey, axis=0)) > _EDGE
    side = max(1, picture.width // _BLOCK_WIDTH)
    rows, columns = max(1, picture.height // side), max(1, picture.width // side)
    blocks = edges[: rows * side, : columns * side].reshape(rows, -1, columns, side)
    return np.asarray(blocks.any(axis=(1, 3)))


def _inside(drawn: NDArray[np.bool_], box: Box) -> NDArray[np.bool_]:
    left, top, right, bottom = pixels(box, drawn.shape[1], drawn.shape[0])
    return drawn[top : max(bottom, top + 1), left : max(right, left + 1)]


def pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box in pixels."""
    x0, x1 = (round(x * width) for x in (box.x0, box.x1))
    y0, y1 = (round(y * height) for y in (box.y0, box.y1))
    return x0, y0, x1, y1
