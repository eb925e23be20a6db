"""Screenshots cut from the pages of PDFs, and the page and box that each was cut from."""

from __future__ import annotations

import io
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from mmsearch.screenshots.cuts import MOST_A_PAGE, QUALITY, SCALE, box_by_chance, pixels
from mmsearch.types import Box

Kind = Literal["text", "table", "mixed", "figure"]
Variant = Literal["plain", "frame", "dark", "rotated", "moire"]
SHARES: dict[Kind, float] = {"text": 0.4, "table": 0.2, "mixed": 0.2, "figure": 0.2}
VARIANTS: dict[Variant, float] = {
    "plain": 0.68,
    "frame": 0.08,
    "dark": 0.08,
    "rotated": 0.08,
    "moire": 0.08,
}
DPI = (144, 200)
LEAST_CHARACTERS = 20
_TRIES = 40  # boxes tried on a page before another one is drawn
_GRID_DPI = 36  # at which it is looked at what a box holds
_DETAILED = 0.15  # of a box: less is rules and coloured rows
_EDGE = 40  # of 255: difference of neighbours that counts as ink


@dataclass(frozen=True, slots=True)
class Shot:
    """A screenshot, and the truth: file, page from 1, and box on the page."""

    image: Image.Image
    kind: Kind
    variant: Variant
    file: Path
    page: int
    box: Box
    dpi: float  # of the page in the screenshot


class _Layout(NamedTuple):
    """What stands where on a page: text runs in fractions, and drawing on a coarse grid."""

    runs: NDArray[np.float64]  # (n, 4): x0, y0, x1, y1
    characters: NDArray[np.int64]  # (n,)
    drawn: NDArray[np.bool_]  # outside of text
    detailed: NDArray[np.bool_]  # of it, where edges run both ways: more than rules and frames


def pages_of(files: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    """Every page that PDFium opens."""
    import pypdfium2

    for file in files:
        try:
            with pypdfium2.PdfDocument(file) as pdf:
                yield from ((file, number) for number in range(1, len(pdf) + 1))
        except pypdfium2.PdfiumError:
            continue


def cut(
    files: Mapping[Path, Path],
    count: int,
    seed: int = 1,
    variants: Mapping[Variant, float] | None = None,
) -> tuple[list[Shot], Counter[str]]:
    """Cut `count` screenshots in the shares of `SHARES`, the same for the same seed.

    Args:
        files: by PDF with a text layer, which tells what stands where, the PDF that is drawn.
        count: how many.
        seed: of what is drawn by chance.
        variants: by variant, how often it comes in relation to others; `VARIANTS` by default.

    Returns:
        The screenshots, and how many boxes were passed over and why. Fewer than `count` where the
        files have too few pages of a kind.
    """
    chance = random.Random(seed)
    pages = list(pages_of(list(files)))
    chance.shuffle(pages)
    wanted = {kind: round(count * share) for kind, share in SHARES.items()}
    shots: list[Shot] = []
    dropped: Counter[str] = Counter()
    mix = variants or VARIANTS
    layouts: dict[tuple[Path, int], _Layout | None] = {}
    for _ in range(3):  # further rounds for the kinds that are rare
        for file, number in pages:
            if not any(wanted.values()):
                break
            if (file, number) not in layouts:
                layouts[file, number] = _layout(file, number)
            layout = layouts[file, number]
            if layout is None:
                dropped["pages that cannot be drawn"] += 1
                continue
            if not len(layout.runs) and layout.drawn.mean() > 0.02:
                dropped["pages without text layer"] += 1
                continue
            taken = 0
            for _ in range(_TRIES):
                box = box_by_chance(chance)
                kind = _kind_of(layout, box)
                if kind is None:
                    dropped["boxes without 20 characters or a drawing"] += 1
                elif wanted.get(kind):
                    variant = chance.choices(list(mix), list(mix.values()))[0]
                    shots.append(_shot(files[file], number, box, kind, variant, chance))
                    wanted[kind] -= 1
                    taken += 1
                    if taken == min(MOST_A_PAGE, 1 + (kind != "text")):
                        break
    return shots, dropped


def _layout(file: Path, number: int) -> _Layout | None:
    """None for a page that PDFium does not draw."""
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(file) as pdf:
            return _layout_of(pdf[number - 1])
    except pypdfium2.PdfiumError:
        return None


def _layout_of(page: Any) -> _Layout:
    width, height = page.get_size()
    text = page.get_textpage()
    runs, characters = [], []
    left, _bottom, _, top = page.get_bbox()
    for index in range(text.count_rects()):
        x0, y0, x1, y1 = text.get_rect(index)
        letters = "".join(text.get_text_bounded(x0, y0, x1, y1).split())
        box = ((x0 - left) / width, (top - y1) / height, (x1 - left) / width, (top - y0) / height)
        if letters and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1:
            runs.append(box)
            characters.append(len(letters))
    grey = np.asarray(page.render(scale=_GRID_DPI / 72).to_pil().convert("L"), np.int16)
    across, down = np.zeros(grey.shape, np.bool_), np.zeros(grey.shape, np.bool_)
    across[:, 1:] = np.abs(np.diff(grey, axis=1)) > _EDGE
    down[1:] = np.abs(np.diff(grey, axis=0)) > _EDGE
    high, wide = grey.shape
    for x0, y0, x1, y1 in runs:
        rows = slice(max(0, int(y0 * high) - 1), int(y1 * high) + 2)
        columns = slice(max(0, int(x0 * wide) - 1), int(x1 * wide) + 2)
        across[rows, columns] = down[rows, columns] = False
    return _Layout(
        np.array(runs).reshape(-1, 4),
        np.array(characters, np.int64),
        across | down,
        across & down,
    )


def _kind_of(layout: _Layout, box: Box) -> Kind | None:
    """What a box holds; None for too little, or for what is neither."""
    runs = layout.runs
    middle_x, middle_y = (runs[:, 0] + runs[:, 2]) / 2, (runs[:, 1] + runs[:, 3]) / 2
    inside = (middle_x > box.x0) & (middle_x < box.x1) & (middle_y > box.y0) & (middle_y < box.y1)
    overlap = np.clip(np.minimum(runs[:, 2], box.x1) - np.maximum(runs[:, 0], box.x0), 0, None)
    rows_in = (middle_y > box.y0) & (middle_y < box.y1)
    share = np.where(rows_in, overlap / np.maximum(runs[:, 2] - runs[:, 0], 1e-9), 0)
    characters = float((layout.characters * share).sum())
    high, wide = layout.drawn.shape
    rows = slice(int(box.y0 * high), int(box.y1 * high))
    columns = slice(int(box.x0 * wide), int(box.x1 * wide))
    drawn, detailed = _spread(layout.drawn[rows, columns]), _spread(layout.detailed[rows, columns])
    if characters < LEAST_CHARACTERS or (detailed > _DETAILED and characters < 60):
        return "figure" if detailed > _DETAILED else None
    if detailed > _DETAILED:
        return "mixed"
    cells = _cells(runs[inside])
    if len(cells) >= 4 and sum(count >= 3 for count in cells) >= 0.5 * len(cells):
        return "table"
    if drawn < 0.08 and characters >= 100 and sum(n <= 2 for n in cells) >= 0.8 * len(cells):
        return "text"
    return None


def _spread(ink: NDArray[np.bool_]) -> float:
    """The share of 6 x 6 blocks that hold any ink."""
    high, wide = (side // 6 * 6 for side in ink.shape)
    if not high or not wide:
        return 0.0
    return float(ink[:high, :wide].reshape(high // 6, 6, wide // 6, 6).any(axis=(1, 3)).mean())


def _cells(runs: NDArray[np.float64]) -> list[int]:
    """How many cells each row of text has: runs with a wide gap between them."""
    rows: list[list[NDArray[np.float64]]] = []
    for run in sorted(runs, key=lambda run: (run[1] + run[3]) / 2):
        middle = (run[1] + run[3]) / 2
        if rows and rows[-1][0][1] < middle < rows[-1][0][3]:
            rows[-1].append(run)
        else:
            rows.append([run])
    counts = []
    for row in rows:
        row.sort(key=lambda run: float(run[0]))
        gap = 1.0 * (row[0][3] - row[0][1])
        counts.append(1 + sum(b[0] - a[2] > gap for a, b in itertools.pairwise(row)))
    return counts


def _shot(
    file: Path,
    number: int,
    box: Box,
    kind: Kind,
    variant: Variant,
    chance: random.Random,
) -> Shot:
    import pypdfium2

    dpi, scale = chance.uniform(*DPI), chance.uniform(*SCALE)
    with pypdfium2.PdfDocument(file) as pdf:
        pdf.init_forms()  # so that filled-in fields are drawn
        picture = pdf[number - 1].render(scale=dpi / 72).to_pil().convert("RGB")
    image = picture.crop(pixels(box, *picture.size))
    image = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
        Image.Resampling.BICUBIC,
    )
    image = _varied(image, variant, chance)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=chance.randint(*QUALITY))
    return Shot(Image.open(buffer), kind, variant, file, number, box, dpi * scale)


def _varied(image: Image.Image, variant: Variant, chance: random.Random) -> Image.Image:
    match variant:
        case "frame":
            return _framed(image, chance)
        case "dark":
            return ImageOps.invert(image)
        case "rotated":
            angle = chance.choice((-1, 1)) * chance.uniform(0.5, 3.0)
            fill = chance.choice(((255, 255, 255), (235, 235, 235), (40, 40, 40)))
            return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
        case "moire":
            return _moire(image, chance)
        case "plain":
            return image


def _framed(image: Image.Image, chance: random.Random) -> Image.Image:
    """In the window of a viewer: title bar, tool bar, and grey beside the page."""
    dark = chance.random() < 0.5
    bar, back = ((45, 45, 48), (82, 86, 89)) if dark else ((232, 234, 237), (204, 204, 204))
    side, title, tools = chance.randint(4, 60), chance.randint(22, 36), chance.randint(0, 44)
    top, bottom = title + tools, chance.randint(2, 30)
    canvas = Image.new("RGB", (image.width + 2 * side, image.height + top + bottom), back)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, canvas.width, top), fill=bar)
    for place, colour in enumerate(((255, 95, 86), (255, 189, 46), (39, 201, 63))):
        draw.ellipse((10 + 18 * place, title / 2 - 6, 22 + 18 * place, title / 2 + 6), fill=colour)
    ink = (220, 220, 220) if dark else (60, 60, 60)
    draw.text((80, title / 2 - 6), "report.pdf - Page 7 of 31", fill=ink)
    for x in range(20, canvas.width - 30, 40) if tools > 20 else ():
        draw.rectangle((x, title + tools / 2 - 7, x + 14, title + tools / 2 + 7), outline=ink)
    canvas.paste(image, (side, top))
    return canvas


def _moire(image: Image.Image, chance: random.Random) -> Image.Image:
    """Beats of a screen's grid, as in a photo of one."""
    high, wide = image.height, image.width
    y, x = np.mgrid[:high, :wide].astype(np.float32)
    waves = np.zeros((high, wide), np.float32)
    for _ in range(2):
        angle, length = chance.uniform(0, np.pi), chance.uniform(3, 9)
        waves += np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length)
    pixels = np.asarray(image, np.float32) + 9 * waves[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
