"""The text layer of a PDF page: its words, where they stand, and whether they can be trusted."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.ocr import join_lines
from mmsearch.types import Box, PageText, Word

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

Verdict = Literal["sane", "garbage", "absent"]

# PDFium writes U+FFFE for a hyphen at the end of a line and drops the line break after it.
_LINE_HYPHEN = "\ufffe"
_RUN = re.compile(rf"[^\s{_LINE_HYPHEN}]+{_LINE_HYPHEN}?|\n")
_JUNK = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\uffff\ue000-\uf8ff\U000f0000-\U0010ffff]"
)
_CID = re.compile(r"\(cid:\d+\)")
_LEADERS = re.compile(r"([^\w\s])\1{2,}")
_PRESENTATION_FORMS = re.compile("[\ufb00-\ufdff\ufe70-\ufefc]")
_LATIN_WORD = re.compile(r"\b[a-zA-Z]{4,}\b")
_VOWEL = re.compile("[aeiouyAEIOUY]")
_FEWEST_VOWELS = 0.24  # of the letters; languages have .35 to .5, a shifted alphabet about .15
_UNMAPPED_SAMPLE = 100


class _Run(NamedTuple):
    """Characters of one word, from `start` to `end`, in line `line`."""

    text: str
    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class TextLayer:
    """What a page's text layer says, and whether to believe it.

    `text` has source `layer` when sane; otherwise it is empty, with source `none`.
    """

    verdict: Verdict
    text: PageText


def read_text_layer(page: PdfPage) -> TextLayer:
    """Read the words of a page from its text layer.

    Words stand in the order of the page's content, which is the reading order in what most
    programs write; words that lie outside the visible page are left out. A word broken over two
    lines is one word in `text` and two in `words`.

    Args:
        page: an open pypdfium2 page.

    Returns:
        The layer; boxes are fractions of the upright page inside its crop box, origin top left.
    """
    import pypdfium2.raw as pdfium

    textpage = pdfium.FPDFText_LoadPage(page.raw)
    if not textpage:
        return TextLayer("absent", PageText())
    try:
        characters, indices = _characters(textpage)
        runs = _runs(characters)
        if not runs:
            return TextLayer("absent", PageText())
        boxes = _boxes(textpage, page, runs, indices)
        unmapped = _unmapped_share(textpage, runs, indices)
    finally:
        pdfium.FPDFText_ClosePage(textpage)
    visible = _visible(boxes)
    runs = [run for run, seen in zip(runs, visible, strict=True) if seen]
    verdict = judge(" ".join(run.text for run in runs), unmapped=unmapped)
    if verdict != "sane":
        return TextLayer(verdict, PageText())
    return TextLayer("sane", _page_text(runs, boxes[visible]))


def judge(text: str, *, unmapped: float = 0.0) -> Verdict:
    """Decide whether extracted text is language, garbage of a broken font, or absent.

    Args:
        text: what the text layer says.
        unmapped: share of characters in [0, 1] whose font says not what they stand for.

    Fonts without a mapping to Unicode show up as private-use and control characters, as `(cid:3)`,
    or as letters shifted in the alphabet, which leaves words without vowels.
    """
    text = _LEADERS.sub(r"\1", text)
    solid = len(text) - sum(map(text.count, " \n\r\t"))
    if solid == 0:
        return "absent"
    junk = len(_JUNK.findall(text)) + sum(map(len, _CID.findall(text)))
    if junk > 0.2 * solid:
        return "garbage"
    known = sum(map(str.isalnum, text)) + sum(
        unicodedata.category(char) in ("Mn", "Mc") for char in text if char > "\u02ff"
    )
    if known < 0.25 * solid and solid >= 20:
        return "garbage"
    letters = "".join(_LATIN_WORD.findall(text))
    vowels = len(_VOWEL.findall(letters)) / max(len(letters), 1)
    if len(letters) >= 80 and vowels < _FEWEST_VOWELS:
        return "garbage"
    # Old fonts often lack the mapping and yet come out right: then the words read like words.
    reads_well = len(letters) >= 20 and vowels >= _FEWEST_VOWELS
    return "garbage" if unmapped > 0.5 and solid > 1 and not reads_well else "sane"


def _characters(textpage: object) -> tuple[str, Sequence[int] | None]:
    """All characters, and the index of each in PDFium's list (None when they are the same)."""
    import pypdfium2.raw as pdfium

    count = pdfium.FPDFText_CountChars(textpage)
    if count <= 0:
        return "", None
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    written = pdfium.FPDFText_GetText(textpage, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(written - 1, 0)].decode("utf-16-le", errors="replace")
    if len(text) == count:
        return text, None
    # Some characters are not in the text, or need two units, which that call cuts off.
    codes = [pdfium.FPDFText_GetUnicode(textpage, index) for index in range(count)]
    characters: list[str] = []
    indices: list[int] = []
    for index, code in enumerate(codes):
        if 0xDC00 <= code < 0xE000 and index and 0xD800 <= codes[index - 1] < 0xDC00:
            high = codes[index - 1] - 0xD800
            characters[-1] = chr(0x10000 + (high << 10) + code - 0xDC00)
        elif 0 < code <= 0x10FFFF:
            characters.append("\ufffd" if 0xDC00 <= code < 0xE000 else chr(code))
            indices.append(index)
    return "".join(characters), indices


def _runs(characters: str) -> list[_Run]:
    runs, line = [], 0
    for match in _RUN.finditer(characters):
        text = match.group()
        if text == "\n":
            line += 1
            continue
        hyphen = text.endswith(_LINE_HYPHEN)
        runs.append(_Run(text[:-1] + "-" if hyphen else text, match.start(), match.end(), line))
        line += hyphen
    return runs


def _boxes(
    textpage: object, page: PdfPage, runs: list[_Run], indices: Sequence[int] | None
) -> NDArray[np.float64]:
    """Boxes of the runs, (n, 4): the first and the last character of each, as page fractions."""
    import pypdfium2.raw as pdfium

    rectangle = pdfium.FS_RECTF()
    reference = ctypes.byref(rectangle)
    box_of = pdfium.FPDFText_GetLooseCharBox
    corners = []
    for run in runs:
        first, last = run.start, run.end - 1
        if indices is not None:
            first, last = indices[first], indices[last]
        box_of(textpage, first, reference)
        left, right = rectangle.left, rectangle.right
        bottom, top = rectangle.bottom, rectangle.top
        if last != first and box_of(textpage, last, reference):
            corners.append(
                (
                    min(left, rectangle.left),
                    min(bottom, rectangle.bottom),
                    max(right, rectangle.right),
                    max(top, rectangle.top),
                )
            )
        else:
            corners.append((left, bottom, right, top))
    return _as_fractions(np.array(corners, dtype=np.float64), page)


def _as_fractions(corners: NDArray[np.float64], page: PdfPage) -> NDArray[np.float64]:
    """(n, 4) left, bottom, right, top in PDF points -> x0, y0, x1, y1 of the upright page."""
    left, bottom, right, top = page.get_bbox()
    width, height = max(right - left, 1e-6), max(top - bottom, 1e-6)
    x0, x1 = (corners[:, 0] - left) / width, (corners[:, 2] - left) / width
    y0, y1 = (top - corners[:, 3]) / height, (top - corners[:, 1]) / height
    turned = {
        0: (x0, y0, x1, y1),
        90: (1 - y1, x0, 1 - y0, x1),
        180: (1 - x1, 1 - y1, 1 - x0, 1 - y0),
        270: (y0, 1 - x1, y1, 1 - x0),
    }[page.get_rotation()]
    boxes: NDArray[np.float64] = np.stack(turned, axis=1)
    return np.nan_to_num(boxes, nan=-1.0, posinf=-1.0, neginf=-1.0)


def _visible(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which boxes have their centre on the page (with a margin for loose boxes), (n,) bool."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    near: NDArray[np.bool_] = np.abs(middle - 0.5) < 0.51
    return near[:, 0] & near[:, 1]


def _unmapped_share(textpage: object, runs: list[_Run], indices: Sequence[int] | None) -> float:
    """Share of a sample of characters that have no proper Unicode mapping."""
    import pypdfium2.raw as pdfium

    sample = runs[:: max(1, len(runs) // _UNMAPPED_SAMPLE)]
    starts = [run.start if indices is None else indices[run.start] for run in sample]
    wrong = [at for at in starts if pdfium.FPDFText_HasUnicodeMapError(textpage, at) == 1]
    return len(wrong) / len(starts)


def _page_text(runs: list[_Run], boxes: NDArray[np.float64]) -> PageText:
    words: list[Word] = []
    lines: list[list[str]] = []
    line = -1
    for run, corners in zip(runs, boxes.clip(0.0, 1.0).tolist(), strict=True):
        text = _clean(run.text)
        if not text:
            continue
        if run.line != line:
            lines.append([])
            line = run.line
        lines[-1].append(text)
        words.append(Word(text.replace("\u00ad", "-"), Box(*corners)))
    return PageText(join_lines([" ".join(line) for line in lines]), "layer", tuple(words))


def _clean(text: str) -> str:
    """Drop characters that say nothing, take ligatures and presentation forms apart."""
    if text.isascii():
        return text if text.isprintable() else _JUNK.sub("", text)
    text = _JUNK.sub("", text)
    if _PRESENTATION_FORMS.search(text):
        text = unicodedata.normalize("NFKC", text)
    if "\u00ad" in text[:-1]:  # a soft hyphen counts only where the line breaks
        text = text[:-1].replace("\u00ad", "") + text[-1]
    return text
