"""PAGE XML, 2010 to 2019: regions in a reading order, lines, words, each with text of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from ingest.sidecars.sheet import Line, Piece, Sheet, box_of, confidence_of, number
from mmsearch.ocr.layout import join_words
from mmsearch.types import Box

_REFERENCES = frozenset({"RegionRef", "RegionRefIndexed"})
_ORDERED = frozenset({"OrderedGroup", "OrderedGroupIndexed"})


def sheets(root: Element) -> Iterator[Sheet]:
    """The page of a PAGE XML file."""
    for page in root.iter("Page"):
        width, height = number(page.get("imageWidth")), number(page.get("imageHeight"))
        order = page.find("ReadingOrder")
        named = [] if order is None else list(_references(order))
        ranks = {name: rank for rank, name in reversed(list(enumerate(named)))}
        yield Sheet(box_of(0.0, 0.0, width, height), list(_lines(page, ranks)))


def _references(group: Element) -> Iterator[str]:
    """Ids of regions in reading order. A group may stand for a region that holds the others."""
    members: Sequence[Element] = list(group)
    if group.tag in _ORDERED:
        members = sorted(members, key=lambda member: number(member.get("index")) or 0.0)
    for member in members:
        if member.get("regionRef"):
            yield member.get("regionRef", "")
        if member.tag not in _REFERENCES:
            yield from _references(member)


def _lines(parent: Element, ranks: dict[str, int]) -> Iterator[Line]:
    """Lines of the regions within `parent`; what the reading order does not name comes last."""
    regions = [child for child in parent if child.tag.endswith("Region")]
    for region in sorted(regions, key=lambda item: ranks.get(item.get("id", ""), len(ranks))):
        found = [line for child in region.iterfind("TextLine") for line in _line(child)]
        found += _lines(region, ranks)
        if not found and region.tag == "TextRegion":
            found = [Line(text, ()) for text in _text(region)[0].splitlines()]
        yield from found


def _line(element: Element) -> Iterator[Line]:
    text, confidence = _text(element)
    pieces = []
    for word in element.iterfind("Word"):
        spelled, sure = _text(word)
        if spelled:
            pieces.append(Piece(spelled, _box(word), sure))
    if pieces:
        # The line's own text counts: it is what people correct.
        yield Line(text or join_words(piece.text for piece in pieces), pieces)
    elif text:
        yield Line(text, [Piece(text, _box(element), confidence)], whole=True)


def _text(element: Element) -> tuple[str, float | None]:
    """The best of the readings of an element, and its confidence."""
    readings = element.findall("TextEquiv")
    if not readings:
        return "", None
    best = min(readings, key=lambda reading: number(reading.get("index")) or 0.0)
    text = best.findtext("Unicode") or best.findtext("PlainText") or ""
    return text.strip(), confidence_of(best.get("conf"))


def _box(element: Element) -> Box | None:
    """The box around the outline of an element: `points`, or `Point` elements before 2013."""
    coords = element.find("Coords")
    if coords is None:
        return None
    pairs = [pair.partition(",") for pair in coords.get("points", "").split()]
    xs = [number(x) for x, _, _ in pairs] + [number(p.get("x")) for p in coords.iter("Point")]
    ys = [number(y) for _, _, y in pairs] + [number(p.get("y")) for p in coords.iter("Point")]
    known_x, known_y = [x for x in xs if x is not None], [y for y in ys if y is not None]
    if not known_x or not known_y:
        return None
    return box_of(min(known_x), min(known_y), max(known_x), max(known_y))
