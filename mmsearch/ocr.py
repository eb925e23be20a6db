"""Recognise the text of a page image: words with boxes and confidence, in reading order.

Two engines. Tesseract is several times cheaper on clean pages; RapidOCR reads photos, screenshots,
poor scans and East Asian scripts. `auto` asks Tesseract first and RapidOCR where Tesseract is not
sure or not installed.
"""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mmsearch.errors import LimitExceeded, MissingExtra
from mmsearch.types import Box, PageText, Word

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger(__name__)

Engine = Literal["auto", "rapidocr", "tesseract", "off"]

# When `auto` believes Tesseract. Measured: pages of which it finds nine words in ten score .88 to
# .97; blurred ones at 100 dpi, where it loses half, .25 to .79.
_SURE_CONFIDENCE = 0.85
_ENOUGH_WORDS = 5

_LEAST_CONFIDENCE = 0.3  # words below are noise
_LEAST_PUNCTUATION = 0.6  # of words without a letter or a digit: rules and pictures become those
_TESSERACT_SECONDS = 60.0
_DETECTION_SIDE = 1280  # pixels; lines are found at this size and read at the full one
_HYPHEN_BREAK = re.compile(r"(\w)[-\u00ad\u2010]$")
_WIDE = re.compile("[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uff60]")
_NARROW = frozenset(" iljtfrI1|!.,:;'()[]-")


class _Line(NamedTuple):
    """A line of text; the box is in page fractions."""

    text: str
    box: Box
    confidence: float


def recognise(
    image: Image,
    *,
    engine: Engine = "auto",
    languages: str = "",
    threads: int = 1,
    timeout: float = _TESSERACT_SECONDS,
) -> PageText:
    """Read the text of an image.

    Args:
        image: RGB, upright; 150 to 200 dpi is enough for print of ordinary size.
        engine: `auto`, `rapidocr`, `tesseract`, or `off` for no text at all.
        languages: Tesseract's language codes, joined by `+`; RapidOCR needs none.
        threads: of RapidOCR, fixed at its first use in a process. Tesseract takes one.
        timeout: seconds that Tesseract may take for this page.

    Returns:
        The text, source `ocr`; lines are broken as on the page, but a word hyphenated over two
        lines is whole in `text`. Nothing to read gives empty text, source `none`.

    Raises:
        LimitExceeded: Tesseract took longer than `timeout` (not with `auto`).
        MissingExtra: the engine is not installed.
    """
    if engine == "off" or _is_empty(image):
        return PageText()
    if engine == "tesseract":
        if not has_tesseract():
            raise MissingExtra(
                "Tesseract is not installed; apt install tesseract-ocr, or set ocr=rapidocr"
            )
        return _tesseract(image, languages, timeout)
    if engine == "auto" and has_tesseract():
        found = _sure_tesseract(image, languages, timeout)
        if found is not None:
            return found
    return _rapidocr(image, threads)


@cache
def has_tesseract() -> bool:
    """Whether the `tesseract` command is installed."""
    return shutil.which("tesseract") is not None


def join_lines(lines: Iterable[str]) -> str:
    """Put lines of text together, words that a hyphen breaks over two lines made whole.

    A hyphen is kept before a capital or a digit, and where the rest of the word has one too:
    `state-` and `of-the-art` are one compound.
    """
    text = ""
    for line in filter(None, (line.strip() for line in lines)):
        broken = _HYPHEN_BREAK.search(text)
        if not broken:
            text += f"\n{line}" if text else line
            continue
        rest, _, after = line.partition(" ")
        joins = rest[:1].islower() and not re.search(r"\w-\w", rest) and broken[1].isalpha()
        text = (text[:-1] if joins or text[-1] == "\u00ad" else text) + rest
        text += f"\n{after}" if after else ""
    return text.replace("\u00ad", "")


def _is_empty(image: Image) -> bool:
    """Whether there is nothing to read: hardly any contrast anywhere."""
    small = image.convert("L")
    small.thumbnail((1000, 1000), reducing_gap=1.0)
    histogram = small.histogram()
    pixels = small.width * small.height
    # The share of pixels that differ clearly from the commonest grey; a speck is no word.
    background = max(range(256), key=histogram.__getitem__)
    ink = pixels - sum(histogram[max(0, background - 40) : background + 41])
    return ink < 20


def _tesseract(image: Image, languages: str, timeout: float) -> PageText:
    """Run Tesseract on the image, given by standard input, and read its table of words."""
    buffer = io.BytesIO()
    image.convert("L").save(buffer, "PPM")
    command = ["tesseract", "-", "-", "-l", languages or "eng", "--psm", "3", "tsv"]
    try:
        run = subprocess.run(
            command,
            input=buffer.getvalue(),
            capture_output=True,
            timeout=timeout,
            check=True,
            # Its threads fight each other: ten times slower, and pages are read in parallel anyway.
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise LimitExceeded(
            f"OCR: Tesseract took longer than {timeout:.0f} s for a page; set ocr=rapidocr"
        ) from error
    except subprocess.CalledProcessError as error:
        cause = " ".join(error.stderr.decode(errors="replace").split())[:200]
        raise MissingExtra(
            f"OCR: Tesseract failed on languages {languages!r} ({cause}); "
            "apt install tesseract-ocr-LANGUAGE"
        ) from error
    return _from_table(run.stdout.decode("utf-8", errors="replace"), image.width, image.height)


def _from_table(table: str, width: int, height: int) -> PageText:
    """Words and lines of Tesseract's TSV output; its order is the reading order."""
    words: list[Word] = []
    lines: dict[tuple[str, ...], list[str]] = {}
    weights = scores = 0.0
    for row in table.splitlines()[1:]:
        cells = row.split("\t", 11)
        if len(cells) < 12 or cells[0] != "5" or not cells[11].strip():
            continue
        confidence = min(max(float(cells[10]) / 100, 0.0), 1.0)
        text = cells[11].strip()
        left, top, wide, high = map(int, cells[6:10])
        solid = any(map(str.isalnum, text))
        if solid:
            weights, scores = weights + len(text), scores + len(text) * confidence
        if confidence < (_LEAST_CONFIDENCE if solid else _LEAST_PUNCTUATION) or not wide * high:
            continue
        box = _box(left / width, top / height, (left + wide) / width, (top + high) / height)
        words.append(Word(text, box, confidence))
        lines.setdefault(tuple(cells[1:5]), []).append(text)
    # What is left out counts too: a page of noise must not look sure of itself.
    confidence = scores / max(weights, 1.0)
    return _page_text((" ".join(line) for line in lines.values()), words, confidence)


def _sure_tesseract(image: Image, languages: str, timeout: float) -> PageText | None:
    """What Tesseract reads if it is sure of it; a page that lies on its side is turned first."""
    try:
        found = _tesseract(image, languages, timeout)
        if _is_sure(found):
            return found
        turn = _turn(image, timeout)
        if turn:
            turned = _tesseract(image.rotate(-turn, expand=True), languages, timeout)
            if _is_sure(turned):
                return _turned_back(turned, turn)
    except (LimitExceeded, MissingExtra) as error:
        logger.info("%s; RapidOCR reads the page", error)
    return None


def _is_sure(found: PageText) -> bool:
    return len(found.words) >= _ENOUGH_WORDS and (found.confidence or 0.0) >= _SURE_CONFIDENCE


def _turn(image: Image, timeout: float) -> int:
    """Degrees, clockwise, that would put the page upright, by Tesseract's script detection."""
    small = image.convert("L")
    small.thumbnail((2000, 2000), reducing_gap=1.5)
    buffer = io.BytesIO()
    small.save(buffer, "PPM")
    try:
        run = subprocess.run(
            ["tesseract", "-", "-", "-l", "osd", "--psm", "0"],
            input=buffer.getvalue(),
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except subprocess.TimeoutExpired:
        return 0
    answer = run.stdout.decode(errors="replace")
    degrees = re.search(r"^Rotate: (\d+)", answer, re.MULTILINE)
    certainty = re.search(r"^Orientation confidence: ([\d.]+)", answer, re.MULTILINE)
    if not degrees or not certainty or float(certainty[1]) < 1.0:
        return 0
    return int(degrees[1]) % 360


def _turned_back(found: PageText, turn: int) -> PageText:
    """Boxes found on the page turned clockwise by `turn` degrees, on the page as it is."""

    def back(box: Box) -> Box:
        x0, y0, x1, y1 = box
        if turn == 90:
            return _box(y0, 1 - x1, y1, 1 - x0)
        if turn == 180:
            return _box(1 - x1, 1 - y1, 1 - x0, 1 - y0)
        return _box(1 - y1, x0, 1 - y0, x1)

    words = tuple(word._replace(box=back(word.box)) for word in found.words)
    return PageText(found.text, found.source, words, found.confidence)


@cache
def _rapidocr_engine(threads: int) -> Any:
    """The engine, made once per process: it checks and loads 30 MB of models."""
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise MissingExtra(
            "OCR needs RapidOCR or Tesseract: pip install rapidocr onnxruntime"
        ) from error
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    onnx = "EngineConfig.onnxruntime."
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECTION_SIDE,
            f"{onnx}intra_op_num_threads": threads,
            f"{onnx}inter_op_num_threads": 1,
            f"{onnx}enable_cpu_mem_arena": True,  # a third faster than without
        }
    )


def _rapidocr(image: Image, threads: int) -> PageText:
    import numpy as np

    engine = _rapidocr_engine(threads)
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
    lines = _rapidocr_lines(engine, pixels, upside_down=False)
    if (lines and _mean(lines) < 0.75) or _mostly_vertical(lines, image.width / image.height):
        # The line classifier costs little but is wrong now and then: only where it may help.
        again = _rapidocr_lines(engine, pixels, upside_down=True)
        lines = max(lines, again, key=_mean)
    ordered = reading_order([line.box for line in lines])
    lines = [lines[index] for index in ordered]
    words = [word for line in lines for word in split_line(*line)]
    return _page_text((line.text for line in lines), words, _mean(lines))


def _rapidocr_lines(engine: Any, pixels: Any, *, upside_down: bool) -> list[_Line]:
    height, width = pixels.shape[:2]
    # Options given to one call stay for the next: always give all of them.
    found = engine(
        pixels,
        use_det=True,
        use_cls=upside_down,
        use_rec=True,
        return_word_box=False,
        return_single_char_box=False,
        text_score=0.5,
    )
    if getattr(found, "boxes", None) is None or not getattr(found, "txts", None):
        return []
    lines = []
    for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        box = _box(left / width, top / height, right / width, bottom / height)
        lines.append(_Line(text, box, float(score)))
    return lines


def _mean(lines: Sequence[_Line]) -> float:
    characters = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / max(characters, 1)


def _mostly_vertical(lines: Sequence[_Line], aspect: float) -> bool:
    """Whether most lines of several letters stand upright on the page."""
    long = [line.box for line in lines if len(line.text) > 3]
    upright = [box for box in long if (box.y1 - box.y0) > 1.5 * (box.x1 - box.x0) * aspect]
    return len(upright) > len(long) / 2


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Order lines as one reads: columns from left to right, between lines that span them.

    Returns:
        Indices into `boxes`.
    """
    return _ordered(boxes, list(range(len(boxes))))


def _ordered(boxes: Sequence[Box], among: list[int]) -> list[int]:
    gutter = _gutter(boxes, among)
    if gutter is None:
        return _by_rows(boxes, among)
    order: list[int] = []
    left: list[int] = []
    right: list[int] = []
    for index in sorted(among, key=lambda item: boxes[item].y0):
        box = boxes[index]
        if box.x1 <= gutter:
            left.append(index)
        elif box.x0 >= gutter:
            right.append(index)
        else:  # a heading over both columns ends what stands above it
            order += _ordered(boxes, left) + _ordered(boxes, right) + [index]
            left, right = [], []
    return order + _ordered(boxes, left) + _ordered(boxes, right)


def _gutter(boxes: Sequence[Box], among: list[int]) -> float | None:
    """The x of a gap between two columns of text; None for one column or a table."""
    if len(among) < 8:
        return None
    best: tuple[int, float] | None = None
    for candidate in sorted({boxes[index].x0 for index in among})[1:]:
        at = candidate - 1e-6
        left = [index for index in among if boxes[index].x1 <= at]
        right = [index for index in among if boxes[index].x0 >= at]
        crossing = len(among) - len(left) - len(right)
        if min(len(left), len(right)) < 0.2 * len(among) or crossing > 0.25 * len(among):
            continue
        # Cells of a table are short; lines of a column fill it.
        if min(_median_width(boxes, left), _median_width(boxes, right)) < 0.15:
            continue
        if best is None or crossing < best[0]:
            best = (crossing, at)
    return None if best is None else best[1]


def _median_width(boxes: Sequence[Box], among: list[int]) -> float:
    return sorted(boxes[index].x1 - boxes[index].x0 for index in among)[len(among) // 2]


def _by_rows(boxes: Sequence[Box], among: list[int]) -> list[int]:
    """Top to bottom; what overlaps in height by half is one row, left to right."""
    rows: list[list[int]] = []
    for index in sorted(among, key=lambda item: boxes[item].y0 + boxes[item].y1):
        box = boxes[index]
        if rows:
            last = boxes[rows[-1][0]]
            overlap = min(box.y1, last.y1) - max(box.y0, last.y0)
            if overlap > 0.5 * min(box.y1 - box.y0, last.y1 - last.y0):
                rows[-1].append(index)
                continue
        rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda item: boxes[item].x0)]


def split_line(text: str, box: Box, confidence: float) -> list[Word]:
    """Words of a line, the box shared out by the usual widths of their characters."""
    total = sum(map(_advance, text)) or 1.0
    words, done = [], 0.0
    for part in re.findall(r"\s+|\S+", text):
        width = sum(map(_advance, part))
        if not part.isspace():
            x0 = box.x0 + (box.x1 - box.x0) * done / total
            x1 = box.x0 + (box.x1 - box.x0) * (done + width) / total
            words.append(Word(part, Box(x0, box.y0, x1, box.y1), confidence))
        done += width
    return words


def _advance(character: str) -> float:
    """Width of a character in common typefaces, in units of an average letter."""
    if character in _NARROW:
        return 0.55
    if _WIDE.match(character):
        return 1.9
    return 1.25 if character.isupper() or character in "mwMW@%" else 1.0


def _page_text(lines: Iterable[str], words: Sequence[Word], confidence: float) -> PageText:
    if not words:
        return PageText()
    return PageText(join_lines(lines), "ocr", tuple(words), confidence)


def _box(x0: float, y0: float, x1: float, y1: float) -> Box:
    return Box(*(min(max(float(side), 0.0), 1.0) for side in (x0, y0, x1, y1)))
