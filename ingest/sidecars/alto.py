"""ALTO, versions 2 to 4: blocks of lines of strings; broken words say what they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ingest.sidecars.sheet import Line, Piece, Sheet, box_of, confidence_of, number
from mmsearch.ocr.layout import join_words
from mmsearch.types import Box


def sheets(root: Element) -> Iterator[Sheet]:
    """The pages of an ALTO file, in order."""
    order = [ref.get("REF", "") for ref in root.iterfind("./ReadingOrder//ElementRef")]
    for page in root.iter("Page"):
        width, height = number(page.get("WIDTH")), number(page.get("HEIGHT"))
        yield Sheet(box_of(0.0, 0.0, width, height), list(_lines(page, order)))


def _lines(page: Element, order: list[str]) -> Iterator[Line]:
    blocks = {block.get("ID") or str(at): block for at, block in enumerate(page.iter("TextBlock"))}
    # A reference may name a block of blocks; what is named nowhere follows.
    inside = {
        composed.get("ID"): [block.get("ID", "") for block in composed.iter("TextBlock")]
        for composed in page.iter("ComposedBlock")
    }
    named = [key for ref in order for key in inside.get(ref, [ref])]
    opened = False
    for key in dict.fromkeys((*named, *blocks)):
        for element in blocks[key].iter("TextLine") if key in blocks else ():
            line, opened = _line(element, opened)
            if line.text or line.words:
                yield line


def _line(element: Element, opened: bool) -> tuple[Line, bool]:
    """A line, and whether it ends in a word that goes on in the next.

    Args:
        opened: whether the line before ended in such a word, which is whole there.
    """
    texts: list[str] = []
    pieces: list[Piece] = []
    ends = False
    for child in element:
        content = " ".join(child.get("CONTENT", "").split())
        if child.tag == "HYP" and pieces:
            hyphen = content or "-"
            pieces[-1] = pieces[-1]._replace(text=pieces[-1].text + hyphen)
            if texts and not ends:
                texts[-1] += hyphen
        elif child.tag == "String" and content:
            whole = " ".join(child.get("SUBS_CONTENT", "").split())
            part = child.get("SUBS_TYPE") if whole else None
            ends = part == "HypPart1"
            if not (part == "HypPart2" and opened and not pieces):
                texts.append(whole if part in ("HypPart1", "HypPart2") else content)
            pieces.append(Piece(content, _box(child), confidence_of(child.get("WC"))))
    return Line(join_words(texts), pieces), ends


def _box(element: Element) -> Box | None:
    x, y, width, height = (number(element.get(k)) for k in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    if x is None or y is None or width is None or height is None:
        return None
    return box_of(x, y, x + width, y + height)
